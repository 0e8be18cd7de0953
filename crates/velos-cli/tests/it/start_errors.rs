//! What bad input gets.

use crate::env;

#[test]
fn what_cannot_be_started_says_why_and_what_to_do() {
    let env = env();
    let plain = env.file("data", "x", 0o644);
    let script = env.file("ok.js", "", 0o644);
    let plain = plain.to_string_lossy();
    let script = script.to_string_lossy();
    env.run(&["start", "missing.js"]).fails(1, &["no such file", "hint:"]);
    env.run(&["start", "/tmp"]).fails(1, &["directory", "hint:"]);
    env.run(&["start", &plain]).fails(1, &["not executable", "chmod +x"]);
    env.run(&["start", &script, "--interpreter", "no-such-program"]).fails(1, &["not in PATH", "hint:"]);
    env.run(&["start", &plain, "-e", "novalue", "--interpreter", "sh"]).fails(2, &["-e KEY=VALUE"]);
    let long = "x".repeat(300);
    for name in ["a/b", "..", "all", &long] {
        env.run(&["start", &plain, "--interpreter", "sh", "--name", name]).fails(2, &["name"]);
    }
    env.run(&["start"]).fails(2, &["TARGET"]);
    env.run(&["strat"]).fails(2, &["strat"]);
    env.run(&["stop", "nothing"]).fails(3, &["no process"]);
}

#[test]
fn a_program_that_cannot_be_executed_fails_at_once() {
    let env = env();
    let broken = env.file("broken", "#!/no/such/interpreter\n", 0o755);
    env.run(&["start", &broken.to_string_lossy()]).fails(1, &["cannot execute"]);
}

#[test]
fn a_socket_path_that_is_too_long_is_refused() {
    let mut env = env();
    env.set_home(env.work().join("x".repeat(120)));
    env.run(&["ping"]).fails(6, &["bytes", "shorter path"]);
}
