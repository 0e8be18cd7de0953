//! Files that nothing includes.

use crate::finding::Finding;
use crate::tree::{File, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let dead = |file: &&File| match file.extension() {
        "rs" => !is_reached(tree, &file.path),
        "zig" => !is_imported(tree, &file.path),
        _ => false,
    };
    let dead = tree.files.iter().filter(dead);
    dead.map(|file| Finding::new("dead", &file.path, 0, "nothing includes this file")).collect()
}

/// A root of a crate, or named by `mod` in the file above it.
fn is_reached(tree: &Tree, path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else { return false };
    let stem = file.trim_end_matches(".rs");
    if matches!(stem, "main" | "lib" | "build") || !path.starts_with("crates/") {
        return true;
    }
    let is_crate_root =
        ["examples", "benches", "tests", "src/bin"].iter().any(|place| folder.ends_with(place));
    let (folder, stem) =
        if stem == "mod" { folder.rsplit_once('/').unwrap_or_default() } else { (folder, stem) };
    let parents = [
        format!("{folder}.rs"),
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
    ];
    let names_it = |text: &str| {
        text.lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
            line.strip_prefix("mod ").is_some_and(|rest| rest.trim_end_matches(';') == stem)
        })
    };
    is_crate_root || parents.iter().filter_map(|parent| tree.text_of(parent)).any(names_it)
}

/// The build file's own, or imported by another.
fn is_imported(tree: &Tree, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let zig = tree.files.iter().filter(|file| file.extension() == "zig" && file.path != path);
    let mut texts = zig.map(|file| &file.text);
    name == "build.zig"
        || texts.any(|text| text.contains(&format!("/{name}\"")) || text.contains(&format!("\"{name}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Tree { files: files.iter().map(file).collect() }
    }

    #[test]
    fn files_without_a_mod_are_dead() {
        let tree = tree(&[
            ("crates/a/src/lib.rs", "pub mod b;\nmod c;\n"),
            ("crates/a/src/b.rs", "mod inner;"),
            ("crates/a/src/b/inner.rs", ""),
            ("crates/a/src/b/other.rs", ""),
            ("crates/a/src/c/mod.rs", ""),
            ("crates/a/examples/e.rs", ""),
            ("zig/src/lib.zig", "@import(\"used.zig\")"),
            ("zig/src/used.zig", ""),
            ("zig/src/unused.zig", ""),
            ("zig/build.zig", "b.path(\"src/lib.zig\")"),
        ]);
        let dead: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(dead, ["crates/a/src/b/other.rs", "zig/src/unused.zig"]);
    }
}
