//! `docs/protocol.md` is enough to write a client: `python/client.py` was written from it, and talks to the daemon here.

use std::path::{Path, PathBuf};
use std::process::Command;

use velos_testkit::{program, run, skipped};

use crate::env;

/// Python and the folder with `msgpack`, which `make test` installs.
fn python() -> Option<(PathBuf, PathBuf)> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python");
    let python = program("python3")?;
    packages.join("msgpack").is_dir().then_some((python, packages))
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn a_client_in_another_language() {
    let Some((python, packages)) = python() else {
        return skipped("no python3, or no msgpack in .tools/python (`make test-tools` installs it)");
    };
    let env = env();
    env.run(&["ping"]).ok();
    let mut command = Command::new(python);
    command.arg(here("tests/it/python/client.py")).arg(env.home().join("velos.sock")).arg(env.fixture());
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    assert_eq!(run(command).ok().stdout, "well\n");
}

#[test]
fn the_example_on_the_page() {
    let Some((python, packages)) = python() else {
        return skipped("no python3, or no msgpack in .tools/python (`make test-tools` installs it)");
    };
    let page = std::fs::read_to_string(here("../../docs/protocol.md")).expect("docs/protocol.md");
    let (_, rest) = page.split_once("```python\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let mut env = env();
    // The example looks in the home of the caller.
    env.set_home(env.work().join(".velos"));
    env.start("api", &[], &["sleep"]);
    let mut command = Command::new(python);
    command.args(["-c", example]).env("HOME", env.work());
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    assert_eq!(run(command).ok().stdout, "0 api online\n");
}
