//! What is seen line by line: length, unfinished work, words that mean nothing outside the place where it was written.

use crate::finding::Finding;
use crate::tree::File;

/// Longest line of code, columns.
const COLUMNS_MAX: usize = 130;
/// Longest file of code, lines.
const LINES_MAX: usize = 800;

pub(crate) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The rules themselves name what they look for.
    let is_rule = file.path.starts_with("crates/velos-dev/");
    let is_own_text = file.is_code() || matches!(file.extension(), "md" | "py" | "h" | "c" | "toml");
    let add = |rule, line: usize, text: String| Finding::new(rule, &file.path, line, text);
    for (number, line) in (1..).zip(file.text.lines()) {
        let columns = line.chars().count();
        // Text that a program says is not broken into pieces.
        if file.is_code() && columns > COLUMNS_MAX && !line.contains('"') {
            findings.push(add("columns", number, format!("{columns} columns, at most {COLUMNS_MAX}")));
        }
        if file.is_code() && line.ends_with([' ', '\t']) {
            findings.push(add("space", number, "space at the end".to_owned()));
        }
        if is_rule || !is_own_text {
            continue;
        }
        if let Some(word) = ["TODO", "FIXME", "XXX", "HACK"].into_iter().find(|word| has_word(line, word)) {
            findings.push(add(
                "unfinished",
                number,
                format!("{word}: do it, or say what is left out in docs"),
            ));
        }
        if let Some(word) = ["/work/main", "/root/."].into_iter().find(|word| line.contains(word)) {
            findings.push(add("place", number, format!("{word} is a place on one machine")));
        }
        if is_ticket(line) {
            findings.push(add("ticket", number, "says a number instead of a reason".to_owned()));
        }
    }
    let lines = file.text.lines().count();
    if file.is_code() && lines > LINES_MAX {
        findings.push(add("lines", 0, format!("{lines} lines, at most {LINES_MAX}")));
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

/// `issue 12`, `ticket #7`.
fn is_ticket(line: &str) -> bool {
    let lower = line.to_lowercase();
    ["issue ", "ticket "].into_iter().any(|word| {
        lower
            .split(word)
            .skip(1)
            .any(|rest| rest.trim_start_matches('#').starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&file).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_is_broken_once() {
        assert_eq!(rules("a.rs", &"x".repeat(131)), ["columns"]);
        assert_eq!(rules("a.rs", "let a = 1; "), ["space"]);
        assert_eq!(rules("a.rs", "// TODO: later"), ["unfinished"]);
        assert_eq!(rules("docs/a.md", "see /work/main/a.rs"), ["place"]);
        assert_eq!(rules("a.zig", "// because of issue #12"), ["ticket"]);
        assert_eq!(rules("a.rs", &"\n".repeat(801)), ["lines"]);
    }

    #[test]
    fn ordinary_text_breaks_none() {
        let text = "// An issue that TODOs have: none is done.\nlet at = \"é\";\n";
        assert!(rules("a.rs", text).is_empty());
        assert!(rules("a.json", &"x".repeat(300)).is_empty());
    }
}
