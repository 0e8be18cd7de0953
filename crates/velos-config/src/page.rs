//! `docs/config.md`: what stands above its mark is written by hand, the tables below are made from the table of keys.

use crate::keys::{KEYS, Key, SECTIONS, Shape};

/// The tables of all keys, as Markdown.
pub fn page() -> String {
    let mut text = String::from("\n## Keys of an app\n");
    table(&mut text, None);
    for section in SECTIONS {
        text.push_str(&format!("\n## `[apps.NAME.{section}]`\n"));
        table(&mut text, Some(section));
    }
    text.push_str("\n## Accepted, without effect\n\nPM2 knows these; velos says why they do nothing.\n\n");
    for key in KEYS {
        if let Shape::Ignored(reason) = key.shape {
            text.push_str(&format!("- `{}`: {reason}\n", key.path));
        }
    }
    text
}

fn table(text: &mut String, section: Option<&str>) {
    text.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    let own = |key: &&Key| key.parts().0 == section && key.has_effect();
    for key in KEYS.iter().filter(own) {
        let aliases: Vec<String> = key.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let also = if aliases.is_empty() { String::new() } else { format!(" (also {})", aliases.join(", ")) };
        let (name, kind) = (key.parts().1, kind(key.shape));
        let row = format!("| `{name}`{also} | {kind} | {} | {} |\n", key.default, key.text);
        text.push_str(&row);
    }
}

fn kind(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Texts => "text or list".to_owned(),
        Shape::Words => "list, or text split at blanks".to_owned(),
        Shape::Switch => "true, false".to_owned(),
        Shape::Number(low, high) => format!("{low} to {high}"),
        Shape::Time => "time: `\"10s\"`, or ms".to_owned(),
        Shape::Size => "size: `\"300M\"`, or bytes".to_owned(),
        Shape::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::File => "path".to_owned(),
        Shape::Instances => "number or `\"max\"`".to_owned(),
        Shape::Codes => "0 to 255, or list".to_owned(),
        Shape::Variables => "table".to_owned(),
        Shape::Filter => "true, false, text or list".to_owned(),
        Shape::Cron => "cron expression, 5 or 6 fields".to_owned(),
        Shape::Depends => "name, list, or table of `started`, `healthy`, `completed`".to_owned(),
        Shape::Hook => "command, or `{ command, timeout }`".to_owned(),
        Shape::Limit => "number, `\"unlimited\"`, or `{ soft, hard }`".to_owned(),
        Shape::User => "user: name or number".to_owned(),
        Shape::Group => "group: name or number".to_owned(),
        Shape::Groups => "list of groups".to_owned(),
        Shape::Mode => "mode: `0o027` or `\"027\"`".to_owned(),
        Shape::Cores => "cores: `1.5` or `\"150%\"`".to_owned(),
        Shape::TimeForm => "form of time, or true".to_owned(),
        Shape::Ignored(_) => String::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    const MARK: &str =
        "<!-- What follows is generated: VELOS_GENERATE=1 cargo test -p velos-config current -->\n";

    /// A file of `docs/` is as it should be; with `VELOS_GENERATE` it is made so.
    pub(crate) fn hold(file: &str, expected: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        if std::env::var_os("VELOS_GENERATE").is_some() {
            std::fs::write(&path, expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "docs/{file} is out of date; run the test with VELOS_GENERATE=1");
    }

    #[test]
    fn the_page_of_the_configuration_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
        let page = std::fs::read_to_string(path).unwrap();
        let head = page.find(MARK).unwrap() + MARK.len();
        hold("config.md", &format!("{}{}", &page[..head], super::page()));
    }
}
