//! The one place where a failure becomes text and an exit code: what failed and why, then what to do.

use std::io::Write;
use std::process::ExitCode;

use velos_core::error::{ErrorCode, ErrorReply};

use crate::commands::Context;

/// A failure in a command.
pub(crate) fn report(context: &Context, error: &ErrorReply) -> ExitCode {
    // A closed stderr changes nothing about the exit code.
    let _ = std::io::stderr().write_all(render(error, context.machine, context.stderr_colour).as_bytes());
    ExitCode::from(error.code.exit_code())
}

fn render(error: &ErrorReply, machine: bool, colour: bool) -> String {
    if machine {
        return format!("{}\n", serde_json::json!({ "error": error }));
    }
    let (red, dim, reset) = if colour { ("\x1b[31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("{dim}hint:{reset} {hint}\n"));
    format!("{red}error:{reset} {}\n{hint}", error.message)
}

/// Words that make no command; help and the like come this way too.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let mut words = std::env::args_os().take_while(|word| word != "--");
    if words.any(|word| word == "--machine" || word == "--json" || word == "--ai") {
        let _ = std::io::stderr().write_all(render(&usage_reply(error), true, false).as_bytes());
    } else {
        let _ = error.print();
    }
    ExitCode::from(ErrorCode::Usage.exit_code())
}

/// For machines: the first paragraph, and the tip when there is one.
fn usage_reply(error: &clap::Error) -> ErrorReply {
    let text = error.render().to_string();
    let head: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let message = head.join(" ").trim_start_matches("error: ").to_owned();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    ErrorReply::new(ErrorCode::Usage, message).hint(tip.unwrap_or("see `velos --help`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::args::Arguments;

    #[test]
    fn errors_look_the_same_everywhere() {
        let error = ErrorReply::new(ErrorCode::NotFound, "no process \"apj\"").hint("did you mean \"api\"?");
        let bare = ErrorReply::new(ErrorCode::Internal, "the table is full");
        let all = [
            render(&error, false, false),
            render(&error, false, true),
            render(&error, true, false),
            render(&bare, false, false),
            render(&bare, true, false),
        ];
        insta::assert_snapshot!("errors", all.concat());
    }

    #[test]
    fn wrong_words() {
        let lines: [&[&str]; 8] = [
            &["strat", "app.js"],
            &["stop"],
            &["start", "app.js", "--nam", "x"],
            &["start", "app.js", "--max-restarts", "many"],
            &["start", "app.js", "--log-type", "xml"],
            &["logs", "--out", "--err"],
            &["list", "--color", "green"],
            &["logs", "-f", "--nostream"],
        ];
        let mut text = String::new();
        for words in lines {
            let error = Arguments::try_parse_from(["velos"].iter().chain(words)).unwrap_err();
            let json = render(&usage_reply(&error), true, false);
            text.push_str(&format!("$ velos {}\n{}{json}\n", words.join(" "), error.render()));
        }
        insta::assert_snapshot!("usage", text);
    }

    #[test]
    fn options_may_stand_anywhere() {
        for words in [
            &["--json", "list"][..],
            &["list", "--json"],
            &["ls", "--machine"],
            &["-s", "stop", "--json", "a"],
        ] {
            let arguments = Arguments::try_parse_from(["velos"].iter().chain(words)).unwrap();
            assert!(arguments.globals.machine, "{words:?}");
        }
        for word in ["-V", "-v", "--version"] {
            assert!(Arguments::try_parse_from(["velos", word]).unwrap().globals.version);
        }
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
