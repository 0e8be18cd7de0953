//! `velos`: the command line. One file per command; errors become text and an exit code in `error.rs` only.

mod ai;
mod args;
mod clock;
mod columns;
mod commands;
#[cfg(test)]
mod docs;
mod error;
mod interpreter;
mod output;
#[cfg(test)]
mod sample;
mod table;
mod target;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use commands::Context;

fn main() -> ExitCode {
    let words = words();
    let parsed = Arguments::quick(&words).map_or_else(|| Arguments::try_parse_from(&words), Ok);
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return error::usage(&error),
    };
    let context = Context::new(arguments.globals);
    let result = match arguments.command {
        None if arguments.globals.version => commands::version::run(&context),
        None => {
            return error::usage(&<Arguments as clap::CommandFactory>::command().error(
                clap::error::ErrorKind::MissingSubcommand,
                "no command given; `velos --help` lists them",
            ));
        }
        Some(command) => run(&context, command),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => error::report(&context, &error),
    }
}

/// What was typed. Under PM2's name `-e` is its file for errors, not a variable. A folder behind `--watch` is what is
/// watched: as an app it would make no sense.
fn words() -> Vec<std::ffi::OsString> {
    let is_pm2 = commands::is_pm2_compatible();
    let mut is_ours = true;
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    for word in std::env::args_os() {
        is_ours &= word != "--";
        match words.last_mut() {
            Some(last) if is_ours && last == "--watch" && std::path::Path::new(&word).is_dir() => {
                last.push("=");
                last.push(&word);
            }
            _ if is_ours && is_pm2 && word == "-e" => words.push("--error".into()),
            _ => words.push(word),
        }
    }
    words
}

fn run(context: &Context, command: Command) -> commands::Result {
    match command {
        Command::Start(start) => {
            commands::tell_ignored(context, &start.flags);
            if start.no_daemon {
                return commands::foreground::run(context, start);
            }
            commands::start::run(context, &start)
        }
        Command::Stop(ending) => commands::select::end(context, commands::select::Verb::Stop, &ending),
        Command::Restart(restart) => {
            commands::tell_ignored(context, &restart.flags);
            commands::select::again(context, commands::select::Verb::Restart, &restart)
        }
        Command::Reload(restart) => {
            commands::tell_ignored(context, &restart.flags);
            commands::select::again(context, commands::select::Verb::Reload, &restart)
        }
        Command::StartOrRestart(restart) => commands::start_file::only_files(context, &restart),
        Command::Reset(targets) => commands::select::run(context, commands::select::Verb::Reset, &targets),
        Command::Scale(scale) => commands::scale::run(context, &scale),
        Command::Signal(send) => commands::signal::run(context, &send),
        Command::Rotate(targets) => commands::flush::rotate(context, &targets),
        Command::Env(env) => commands::env::run(context, &env),
        Command::Pid(targets) => commands::pid::run(context, commands::pid::Number::Pid, &targets),
        Command::Id(targets) => commands::pid::run(context, commands::pid::Number::Id, &targets),
        Command::Save(save) => commands::save::save(context, &save),
        Command::ClearDump => commands::save::clear(context),
        Command::Resurrect => commands::save::resurrect(context),
        Command::Delete(ending) => commands::select::end(context, commands::select::Verb::Delete, &ending),
        Command::List(list) => commands::list::run(context, &list),
        Command::Jlist => commands::jlist::run(context, false),
        Command::PrettyList => commands::jlist::run(context, true),
        Command::Wait(wait) => commands::wait::run(context, &wait),
        Command::Info(targets) => commands::info::run(context, &targets),
        Command::Why(targets) => commands::why::run(context, &targets),
        Command::Runs(targets) => commands::runs::run(context, &targets),
        Command::Send(send) => commands::send::run(context, &send),
        Command::Attach(attach) => commands::attach::run(context, &attach),
        Command::Adopt(adopt) => commands::adopt::run(context, &adopt),
        Command::Logs(logs) => commands::logs::run(context, &logs),
        Command::Monit => commands::monit::run(context),
        Command::Health(health) => commands::health::run(context, &health),
        Command::Flush(targets) => commands::flush::flush(context, &targets),
        Command::Events(events) => commands::events::run(context, &events),
        Command::Apply(apply) => commands::apply::run(context, &apply),
        Command::Config(config) => commands::config::run(context, &config),
        Command::Init(init) => commands::init::run(context, &init),
        Command::Import(import) => commands::import::run(context, &import),
        Command::Elsewhere(elsewhere) => commands::elsewhere::run(context, &elsewhere),
        Command::AiKeys => commands::ai_keys::run(context),
        Command::PackLog(pack) => commands::pack_log::run(context, &pack),
        Command::Ping => commands::ping::run(context),
        Command::Kill => commands::kill::run(context),
        Command::Upgrade(upgrade) => commands::upgrade::run(context, &upgrade),
        Command::McpServer(server) => commands::mcp_server::run(context, &server),
        Command::Daemon(daemon) => commands::daemon::run(&daemon),
    }
}
