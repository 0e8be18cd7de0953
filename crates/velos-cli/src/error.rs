//! The one place where a failure becomes text and an exit code: what failed and why, then what to do.

use std::io::Write;
use std::process::ExitCode;

use velos_core::error::{ErrorCode, ErrorReply};

use crate::commands::Context;

/// A failure in a command.
pub(crate) fn report(context: &Context, error: &ErrorReply) -> ExitCode {
    let text = if context.machine {
        let document = serde_json::json!({ "error": error });
        format!("{document}\n")
    } else {
        let label = if context.stderr_colour { "\x1b[31merror:\x1b[0m" } else { "error:" };
        let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("hint: {hint}\n"));
        format!("{label} {}\n{hint}", error.message)
    };
    // A closed stderr changes nothing about the exit code.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(error.code.exit_code())
}

/// Words that make no command; help and the like come this way too.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let machine = std::env::args_os().any(|word| word == "--machine" || word == "--json");
    if machine {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let reply = ErrorReply::new(ErrorCode::Usage, first).hint("see `velos --help`");
        let _ = writeln!(std::io::stderr(), "{}", serde_json::json!({ "error": reply }));
    } else {
        let _ = error.print();
    }
    ExitCode::from(ErrorCode::Usage.exit_code())
}
