//! Commands of PM2 that need nothing here: they are taken, so that scripts go on, and it is said why.

use super::usage;
use crate::args::Elsewhere;

/// All of them but `link`, which the others are other names of.
pub(crate) const NAMES: [&str; 17] = [
    "unlink",
    "plus",
    "register",
    "login",
    "logout",
    "open",
    "monitor",
    "unmonitor",
    "install",
    "uninstall",
    "module:update",
    "set",
    "get",
    "multiset",
    "unset",
    "autoinstall",
    "deepUpdate",
];

pub(crate) fn run(context: &super::Context, elsewhere: &Elsewhere) -> super::Result {
    let typed = std::env::args().find(|word| word == "link" || NAMES.contains(&word.as_str()));
    let answer = answer(typed.as_deref().unwrap_or("link"), &elsewhere.words)?;
    if context.machine {
        crate::output::print_json(&serde_json::json!({ "note": answer }))?;
    } else if !context.quiet {
        super::note(&format!("note: {answer}\n"));
    }
    Ok(0)
}

fn answer(command: &str, words: &[String]) -> Result<String, velos_core::error::ErrorReply> {
    let first = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let module = first.split(':').next().unwrap_or_default();
    let built_in = match module {
        "pm2-logrotate" => {
            Some("logs are rotated without a module; see logs.max_size and logs.keep in docs/config.md")
        }
        "pm2-server-monit" | "pm2-prom-module" => {
            Some("`velos list`, `velos monit` and `velos events` need no module")
        }
        _ => None,
    };
    match (command, built_in) {
        ("install" | "uninstall" | "module:update" | "set" | "get" | "multiset" | "unset", Some(text)) => {
            Ok(format!("not needed: {text}"))
        }
        ("install" | "module:update", None) => Err(usage(format!(
            "{first:?} is a module of PM2; those do not run here"
        ))
        .hint(
            "log rotation, metrics and memory limits are built in; anything else can be started as an app",
        )),
        ("set" | "get" | "multiset" | "unset", None) => {
            Err(usage(format!("{first:?} is a setting of PM2 or of a module of it"))
                .hint("the defaults of velos: `velos config set KEY VALUE`, `velos config get`"))
        }
        ("uninstall" | "autoinstall" | "deepUpdate", None) => {
            Ok("not needed: velos has no modules".to_owned())
        }
        _ => Ok(format!(
            "not needed: velos keeps everything on this machine, so there is no account to {command}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_answer() {
        let mut text = String::new();
        for line in [
            "link secret public",
            "unmonitor api",
            "install pm2-logrotate",
            "install pm2-slack",
            "set pm2-logrotate:max_size 10M",
            "set key value",
            "uninstall pm2-slack",
        ] {
            let mut words = line.split(' ').map(str::to_owned);
            let command = words.next().unwrap();
            let words: Vec<String> = words.collect();
            let said = match answer(&command, &words) {
                Ok(said) => said,
                Err(error) => format!("error: {}; {}", error.message, error.hint.unwrap_or_default()),
            };
            text.push_str(&format!("{line}: {said}\n"));
        }
        insta::assert_snapshot!("elsewhere", text);
    }
}
