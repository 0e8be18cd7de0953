//! `docs/mcp-tools.md`, made of the table of tools.

use std::fmt::Write;

use crate::spec::{ALL, Spec};
use crate::{prompts, resources};

const HEAD: &str = "# MCP tools

Made from the code: `VELOS_GENERATE=1 cargo test -p velos-mcp page`. How to set it up, and what keeps it safe, stands in
[agents.md](agents.md).

Every tool answers with text. With `format: \"json\"` the text is one JSON document that fits the output schema; with
`velos mcp-server --structured` the schemas are declared and the document comes as structured content as well. Tables are
`columns` and `rows`. A reply that was cut ends with the `cursor` to go on with. `alert` tells of another app that needs
attention. A failure is a result with `isError`; its document is `{\"error\": {\"code\", \"message\", \"hint\"}}`.
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| tool | core | changes | what it does |\n|---|---|---|---|\n");
    let mark = |is: bool| if is { "yes" } else { "" };
    for spec in ALL {
        let text = spec.text.replace('|', "\\|");
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "| [`{0}`](#{0}) | {1} | {2} | {text} |",
            spec.name,
            mark(spec.is_core),
            mark(spec.changes)
        );
    }
    for spec in ALL {
        page.push_str(&section(spec));
    }
    page.push_str("\n## Resources\n\n| address | what it gives |\n|---|---|\n");
    page.push_str("| `velos://processes` | as `process_list` |\n| `velos://events` | as `events` |\n");
    for template in resources::templates() {
        let text = template.description.unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {text} |", template.uri_template);
    }
    page.push_str("\nAll can be subscribed to, in both eras of the protocol. Names complete.\n");
    page.push_str("\n## Prompts\n\n| prompt | argument | for |\n|---|---|---|\n");
    for prompt in prompts::list() {
        let arguments: Vec<String> =
            prompt.arguments.unwrap_or_default().into_iter().map(|one| one.name).collect();
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} |",
            prompt.name,
            arguments.join(", "),
            prompt.description.unwrap_or_default()
        );
    }
    page
}

fn section(spec: &Spec) -> String {
    let pretty = |value: serde_json::Value| serde_json::to_string_pretty(&value).unwrap_or_default();
    let hints = match (spec.changes, spec.is_destructive, spec.is_idempotent) {
        (false, ..) => "reads only",
        (true, true, true) => "changes; destructive, idempotent",
        (true, true, false) => "changes; destructive",
        (true, false, _) => "changes",
    };
    format!(
        "\n## {}\n\n{} ({hints})\n\nExample: `{}`\n\nInput:\n\n```json\n{}\n```\n\nOutput:\n\n```json\n{}\n```\n",
        spec.name,
        spec.text,
        spec.example,
        pretty(spec.input_schema()),
        pretty((spec.output)()),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_of_the_tools_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mcp-tools.md");
        let expected = super::page();
        if std::env::var_os("VELOS_GENERATE").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == expected, "docs/mcp-tools.md is out of date; run the command that stands in it");
    }
}
