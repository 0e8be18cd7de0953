//! `velos logs` for people: in a terminal, with a pager, until Ctrl-C.

use velos_testkit::tmux::Tmux;
use velos_testkit::{TestEnv, skipped};

use crate::env;

/// A terminal in which this was typed; `None`: said aloud that there is no tmux.
fn terminal(env: &TestEnv, pager: &str, words: &str) -> Option<Tmux> {
    let mut prepared = env.command(&["logs"]);
    prepared.env("VELOS_PAGER", pager);
    // The shell outlives Ctrl-C.
    let command = format!("trap : INT; {} logs {words}", prepared.get_program().to_string_lossy());
    let tmux = Tmux::start(&env.work(), (80, 20), &command, &prepared);
    if tmux.is_none() {
        skipped("velos logs in a terminal: there is no tmux");
    }
    tmux
}

#[test]
fn what_is_longer_than_the_screen_goes_to_the_pager() {
    let env = env();
    env.start("api", &[], &["lines", "40", "--stay"]);
    env.wait_log("api", "end 40\n");
    let pager = "sed 's/^/paged: /' | tail -n 2";
    let Some(tmux) = terminal(&env, pager, "api --nostream -n 30") else { return };
    tmux.wait(&["paged: ", "0000000040", "end 40", "ended 0"]);
    // What fits is printed, and one who goes on is followed, not paged.
    let Some(tmux) = terminal(&env, pager, "api --nostream -n 5") else { return };
    tmux.wait(&["0000000037", "end 40", "ended 0", "!paged"]);
    // A pager that is quit early is no error.
    let Some(tmux) = terminal(&env, "head -n 1", "api --nostream -n 41") else { return };
    tmux.wait(&["0000000001", "ended 0", "!0000000005"]);
}

#[test]
fn following_ends_cleanly_with_ctrl_c() {
    let env = env();
    env.start("api", &[], &["lines", "3", "--stay"]);
    env.wait_log("api", "end 3\n");
    let Some(tmux) = terminal(&env, "cat", "api") else { return };
    tmux.wait(&["0000000003", "end 3", "!ended"]);
    tmux.keys(&["C-c"]);
    let screen = tmux.wait(&["ended "]);
    assert!(!screen.contains("error") && !screen.contains("panicked"), "{screen}");
    tmux.expect_restored();
}
