//! A page that names the test behind each promise must name tests that exist.

use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    text
}

fn is_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}()");
    source.match_indices(&head).any(|(at, _)| source[..at].trim_end().ends_with("#[test]"))
}

#[test]
fn the_tests_behind_the_32_pains_exist() {
    let page = std::fs::read_to_string(repository().join("docs/from-pm2.md")).unwrap();
    let mut rows = 0;
    let mut missing = Vec::new();
    for row in page.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, number, _, state, tests, _] = cells[..] else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        rows += 1;
        assert_eq!(number, rows, "{row}");
        let names: Vec<&str> = tests.split('`').filter(|name| name.contains("::")).collect();
        let is_solved = state.starts_with("gone");
        assert!(!is_solved || !names.is_empty(), "number {number} is said to be gone, but no test proves it");
        for name in names {
            let (place, test) = name.split_once("::").unwrap();
            let source = match place.starts_with("velos-") {
                true => sources(&repository().join("crates").join(place)),
                false => std::fs::read_to_string(
                    repository().join(format!("crates/velos-cli/tests/it/{place}.rs")),
                )
                .unwrap_or_default(),
            };
            if !is_test(&source, test) {
                missing.push(format!("{number}: {name}"));
            }
        }
    }
    assert_eq!(rows, 32);
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
}
