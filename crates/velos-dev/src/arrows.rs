//! Who may depend on whom. A new arrow is a change of this table.

use crate::finding::Finding;
use crate::tree::Tree;

/// A crate of ours, what it may use of ours, and what it must not link at all.
struct Row {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const ASYNC: &[&str] = &["tokio", "axum", "rmcp"];
const LEAN: &[&str] = &["tokio", "axum", "rmcp", "ratatui", "serde_json", "toml", "clap"];

const TABLE: &[Row] = &[
    Row { name: "velos-core", may: &[], never: LEAN },
    Row { name: "velos-ffi", may: &[], never: LEAN },
    Row { name: "velos-supervisor", may: &["velos-core"], never: LEAN },
    Row { name: "velos-daemon", may: &["velos-core", "velos-ffi", "velos-supervisor"], never: LEAN },
    Row { name: "velos-client", may: &["velos-core"], never: &["axum", "rmcp", "ratatui", "clap"] },
    Row { name: "velos-log-engine", may: &["velos-core"], never: ASYNC },
    Row { name: "velos-config", may: &["velos-core"], never: ASYNC },
    Row {
        name: "velos-stream",
        may: &["velos-core", "velos-client", "velos-log-engine"],
        never: &["axum", "rmcp", "ratatui", "clap"],
    },
    Row {
        name: "velos-tui",
        may: &["velos-core", "velos-client", "velos-log-engine", "velos-stream"],
        never: &["clap", "rmcp"],
    },
    Row {
        name: "velos-mcp",
        may: &["velos-core", "velos-client", "velos-log-engine", "velos-config"],
        never: &["clap", "ratatui"],
    },
    Row {
        name: "velos-cli",
        may: &[
            "velos-core",
            "velos-client",
            "velos-config",
            "velos-daemon",
            "velos-log-engine",
            "velos-mcp",
            "velos-stream",
            "velos-tui",
        ],
        never: &[],
    },
    Row { name: "velos-sim", may: &["velos-core", "velos-supervisor"], never: ASYNC },
    Row { name: "velos-testkit", may: &["velos-core"], never: ASYNC },
    Row { name: "velos-dev", may: &[], never: ASYNC },
];

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let manifests = tree.files.iter().filter(|file| {
        file.path.starts_with("crates/")
            && file.path.ends_with("/Cargo.toml")
            && file.path.matches('/').count() == 2
    });
    for file in manifests {
        let manifest = toml_edit::Document::parse(file.text.as_str());
        let manifest = manifest.map_err(|error| format!("{}: {error}", file.path))?;
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        let name = name.ok_or_else(|| format!("{}: no package.name", file.path))?;
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            findings.push(Finding::new(
                "arrow",
                &file.path,
                0,
                format!("{name} is not in the table of arrows"),
            ));
            continue;
        };
        let used = manifest.get("dependencies").and_then(|used| used.as_table_like());
        for (dependency, _) in used.into_iter().flat_map(|used| used.iter()) {
            let is_ours = dependency.starts_with("velos-");
            if is_ours && !row.may.contains(&dependency) || row.never.contains(&dependency) {
                let text = format!("{name} must not use {dependency}");
                findings.push(Finding::new("arrow", &file.path, 0, text));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::File;

    fn found(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}\n");
        let tree = Tree { files: vec![File { path: "crates/x/Cargo.toml".into(), text }] };
        check(&tree).unwrap().into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn arrows_that_point_up_or_out_are_found() {
        assert_eq!(
            found("velos-core", "velos-client.workspace = true"),
            ["velos-core must not use velos-client"]
        );
        assert_eq!(found("velos-daemon", "tokio = \"1\""), ["velos-daemon must not use tokio"]);
        assert_eq!(found("velos-new", ""), ["velos-new is not in the table of arrows"]);
        assert!(found("velos-daemon", "velos-core.workspace = true\nnix = \"1\"").is_empty());
    }
}
