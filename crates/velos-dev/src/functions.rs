//! Functions that do not fit on a screen.

use crate::finding::Finding;
use crate::tree::File;

/// Longest function, lines.
const LINES_MAX: usize = 70;

/// Both languages are formatted by a machine, so a function ends with a brace as far in as its first line begins.
pub(crate) fn check(file: &File) -> Vec<Finding> {
    if !file.is_code() {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = name_of(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let is_end = |line: &&str| **line == end || line.starts_with(&format!("{end} "));
        // One that stands on its line, or has no body, is not long.
        let whole = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
        let rest = lines.get(at + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(is_end).filter(|_| !whole) else { continue };
        if length + 2 > LINES_MAX {
            let text = format!("{name} has {} lines, at most {LINES_MAX}", length + 2);
            findings.push(Finding::new("function", &file.path, at + 1, text));
        }
    }
    findings
}

/// The name, when a function begins here. A type made by a function of Zig is no function.
fn name_of(line: &str) -> Option<&str> {
    let before =
        ["pub", "pub(crate)", "pub(super)", "export", "inline", "noinline", "async", "const", "extern"];
    let mut words = line.trim_start().split(' ').skip_while(|word| before.contains(word));
    if words.next() != Some("fn") || line.trim_end().ends_with("type {") {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_are_found_by_their_braces() {
        let body = "    x;\n".repeat(69);
        let text = format!("pub(crate) fn long(a: u8) {{\n{body}}}\n\nfn short() {{}}\n");
        let found = check(&File { path: "a.rs".into(), text });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "a.rs:1: long has 71 lines, at most 70 [function]");
    }

    #[test]
    fn a_function_of_exactly_the_limit_is_fine() {
        let text = format!("fn fits() {{\n{}}}\n", "    x;\n".repeat(68));
        assert!(check(&File { path: "a.zig".into(), text }).is_empty());
    }
}
