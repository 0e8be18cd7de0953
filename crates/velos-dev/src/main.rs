//! `velos-dev tidy`: the house rules that a machine can check, over every source file of the project.
//!
//! What breaks a rule today stands in `exceptions.txt` with its number, which may only become smaller.

mod arrows;
mod exceptions;
mod finding;
mod functions;
mod links;
mod purity;
mod reach;
mod text;
mod tree;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use finding::Finding;
use tree::Tree;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (verb, root) = (words.next(), words.next().unwrap_or_else(|| ".".to_owned()));
    if verb.as_deref() != Some("tidy") || words.next().is_some() {
        say("usage: velos-dev tidy [FOLDER]");
        return ExitCode::from(2);
    }
    match tidy(Path::new(&root)) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                say(&finding.to_string());
            }
            say(&format!("{} things to tidy up", findings.len()));
            ExitCode::FAILURE
        }
        Err(reason) => {
            say(&format!("error: {reason}"));
            ExitCode::from(2)
        }
    }
}

/// Everything that breaks a rule and is no known exception.
fn tidy(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    for file in &tree.files {
        findings.extend(text::check(file));
        findings.extend(functions::check(file));
        findings.extend(purity::check(file));
    }
    findings.extend(reach::check(&tree));
    findings.extend(links::check(&tree));
    findings.extend(arrows::check(&tree)?);
    let known = tree.text_of("crates/velos-dev/exceptions.txt").unwrap_or_default();
    exceptions::settle(known, findings)
}

fn say(line: &str) {
    // Nobody reads what cannot be written.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let findings = tidy(&root).unwrap();
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
