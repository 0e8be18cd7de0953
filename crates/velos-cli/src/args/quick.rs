//! The commands that are typed most, parsed without building all the others: half a millisecond of a human's life each
//! time, and of a script's more often. Whatever is not understood here is left to the whole parser.

use std::ffi::OsString;

use clap::{Args, Command, FromArgMatches};

use super::{Arguments, Daemon, Ending, Globals, List, Logs, OptionalTargets, Restart, Start, Targets};

impl Arguments {
    /// The words of the command line, if the second is one of those commands and all of them are right.
    pub(crate) fn quick(words: &[OsString]) -> Option<Self> {
        let (name, augment) = known(words.get(1)?.to_str()?)?;
        let sub = augment(Command::new(name));
        let sub = if name == "list" { sub.visible_aliases(LIST) } else { sub };
        let parser = Globals::augment_args(Command::new("velos").disable_version_flag(true)).subcommand(sub);
        // Help comes from the whole parser, which knows all there is to say.
        let parser = parser.disable_help_flag(true).disable_help_subcommand(true);
        Self::from_arg_matches(&parser.try_get_matches_from(words).ok()?).ok()
    }
}

/// Other names of `list`.
const LIST: [&str; 4] = ["ls", "l", "ps", "status"];

type Augment = fn(Command) -> Command;

fn known(word: &str) -> Option<(&'static str, Augment)> {
    let targets: Augment = Targets::augment_args;
    let found: (&'static str, Augment) = match word {
        "list" | "ls" | "l" | "ps" | "status" => ("list", List::augment_args),
        "start" => ("start", Start::augment_args),
        "stop" => ("stop", Ending::augment_args),
        "delete" => ("delete", Ending::augment_args),
        "info" => ("info", targets),
        "why" => ("why", targets),
        "restart" => ("restart", Restart::augment_args),
        "reload" => ("reload", Restart::augment_args),
        "logs" => ("logs", Logs::augment_args),
        "pid" => ("pid", OptionalTargets::augment_args),
        "ping" => ("ping", |command| command),
        "jlist" => ("jlist", |command| command),
        // What a first command starts.
        "daemon" => ("daemon", Daemon::augment_args),
        _ => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn both_parsers_understand_the_same() {
        let lines = [
            "list",
            "ls --sort cpu --ai",
            "ps --json -m",
            "start app.js --name api -i max -- --port 3000",
            "start a b -e A=1 --max-memory-restart 1G -s",
            "stop api --machine",
            "stop velos.toml --only api,db",
            "restart api --update-env -k 5s",
            "logs api -n 3 --err -f",
            "ping",
            "delete all",
            "daemon --background",
        ];
        for line in lines {
            let words: Vec<OsString> =
                std::iter::once("velos").chain(line.split(' ')).map(OsString::from).collect();
            let quick = format!("{:?}", Arguments::quick(&words).unwrap_or_else(|| panic!("{line}")));
            assert_eq!(quick, format!("{:?}", Arguments::try_parse_from(&words).unwrap()), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_or_asks_for_help_is_left_to_the_whole_parser() {
        for line in ["list --help", "list --nonsense", "stop", "--json list", "lists", "list -h", ""] {
            let words: Vec<OsString> =
                std::iter::once("velos").chain(line.split(' ')).map(OsString::from).collect();
            assert!(Arguments::quick(&words).is_none(), "{line}");
        }
    }
}
