//! What the pure crates must not touch: the clock, files, threads, order that changes from run to run.

use crate::finding::Finding;
use crate::tree::File;

const PURE: [&str; 2] = ["crates/velos-supervisor/src/", "crates/velos-core/src/"];
const IMPURE: [&str; 8] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime",
    "HashMap",
    "HashSet",
];

pub(crate) fn check(file: &File) -> Vec<Finding> {
    if !PURE.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    // Tests may look around.
    let code = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = (1..).zip(code.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|(number, line)| {
            let word = IMPURE.into_iter().find(|word| line.contains(word))?;
            Some(Finding::new("purity", &file.path, number, format!("{word} in a pure crate")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_the_supervisor_is_found_and_one_elsewhere_is_not() {
        let text = "// Instant::now\nlet a = Instant::now();\n".to_owned();
        let found = check(&File { path: "crates/velos-supervisor/src/a.rs".into(), text: text.clone() });
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
        assert!(check(&File { path: "crates/velos-cli/src/a.rs".into(), text }).is_empty());
    }
}
