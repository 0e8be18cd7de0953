//! `velos info`

use velos_core::app::AppSpec;
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{InfoReply, InstanceInfo, Targets as Params, method};
use velos_core::raw_string::RawString;
use velos_core::units::{short_bytes, short_duration};

use crate::args::Targets;

pub(crate) fn run(context: &super::Context, targets: &Targets) -> super::Result {
    let mut client = context.daemon()?;
    let mut info: InfoReply = client.call(method::INFO, &Params { targets: targets.targets.clone() })?;
    for instance in &mut info.instances {
        mask(instance);
    }
    if context.machine {
        crate::output::print_json(&info.instances)?;
    } else {
        let text: Vec<String> =
            info.instances.iter().map(|one| describe(one, &super::why::last_words(&one.summary))).collect();
        context.say(&text.join("\n"))?;
    }
    Ok(0)
}

/// Values whose name looks secret are never shown.
fn mask(instance: &mut InstanceInfo) {
    for (key, value) in &mut instance.spec.env {
        if looks_secret(&key.to_text()) {
            *value = RawString::from("***");
        }
    }
}

pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"].iter().any(|word| name.contains(word))
        || name.ends_with("KEY")
}

fn describe(info: &InstanceInfo, words: &[String]) -> String {
    let (one, spec) = (&info.summary, &info.spec);
    let arguments: Vec<String> = spec.argv.iter().skip(1).map(RawString::to_text).collect();
    let mut rows: Vec<(&str, String)> = vec![
        ("name", one.name.clone()),
        ("id", one.id.0.to_string()),
        ("instance", one.slot.to_string()),
        ("namespace", one.namespace.clone()),
        ("version", one.version.clone().unwrap_or_else(|| "-".to_owned())),
        ("status", one.phase.status().to_owned()),
        ("pid", one.pid.map_or("-".to_owned(), |pid| pid.to_string())),
        ("user", one.user.clone()),
        ("watching", if one.watching { "yes" } else { "no" }.to_owned()),
        ("uptime", one.uptime_ms.map_or("-".to_owned(), short_duration)),
        ("restarts", one.restarts.to_string()),
        ("unstable exits", info.unstable.to_string()),
        ("script", spec.script.to_text()),
        ("interpreter", spec.interpreter.clone().unwrap_or_else(|| "none".to_owned())),
        ("program", spec.program.to_text()),
        ("arguments", arguments.join(" ")),
        ("cwd", spec.cwd.to_text()),
        ("out log", one.out_log.to_text()),
        ("error log", one.err_log.to_text()),
        ("captured", short_bytes(info.captured_bytes)),
        ("stop", format!("{}, SIGKILL after {} ms", spec.stop.kill_signal, spec.stop.kill_timeout_ms)),
        ("autorestart", spec.restart.autorestart.to_string()),
    ];
    if let Some(bytes) = one.rss_bytes {
        let processes = info.processes.unwrap_or(1);
        rows.push((
            "memory",
            format!("{} in {processes} processes, {} threads", short_bytes(bytes), info.threads.unwrap_or(1)),
        ));
    }
    if let Some(cpu) = one.cpu_centipercent {
        rows.push(("cpu", format!("{}.{}%", cpu / 100, cpu % 100 / 10)));
    }
    if let Some(at) = info.next_run_ms {
        rows.push(("next run", crate::clock::Clock::system().moment(at)));
    }
    if let Some(exit) = one.exit {
        rows.push(("last exit", exit.to_string()));
    }
    if let Some(failure) = one.spawn_failure {
        rows.push(("last start", failure.to_string()));
    }
    if matches!(one.phase, Phase::Errored | Phase::Backoff | Phase::Stopped)
        && one.exit != Some(Exit::Code(0))
    {
        rows.extend(words.iter().map(|line| ("last words", line.clone())));
    }
    if one.dropped_lines > 0 {
        rows.push(("lines lost", one.dropped_lines.to_string()));
    }
    for key in &spec.env_declared {
        let value = spec.env.get(key).map(RawString::to_text).unwrap_or_default();
        let from = origin(spec, key);
        rows.push(("env", format!("{}={value}  (from {from})", key.to_text())));
    }
    let inherited = spec.env.len().saturating_sub(spec.env_declared.len());
    if inherited > 0 {
        let id = one.id.0;
        rows.push(("env", format!("{inherited} more from the terminal it was started in: velos env {id}")));
    }
    let line = |(key, value): (&str, String)| {
        format!("{key:<16}{}\n", velos_log_engine::neutralise(value.as_bytes(), false))
    };
    rows.into_iter().map(line).collect()
}

/// Where a declared variable came from, in words.
pub(crate) fn origin(spec: &AppSpec, key: &RawString) -> String {
    let file = || spec.declared_in.as_ref().map(RawString::to_text);
    match (spec.env_origin.get(key), file()) {
        // What stands in the file beside `env`.
        (Some(words), Some(file)) if words == "port" || words.starts_with("env_") => {
            format!("{words} in {file}")
        }
        (Some(words), _) => words.clone(),
        (None, file) => file.unwrap_or_else(|| super::from_file::COMMAND_LINE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn everything_but_secrets_is_shown() {
        let mut info = InstanceInfo {
            summary: sample::instances().swap_remove(5),
            spec: sample::spec(),
            created_ms: sample::NOW_MS,
            unstable: 0,
            processes: Some(2),
            threads: Some(12),
            next_run_ms: None,
            input: "/home/me/.velos/run/api-0.in".into(),
            captured_bytes: 5_000_000,
        };
        mask(&mut info);
        insta::assert_snapshot!("info", describe(&info, &["Error: boom".to_owned()]));
        let machine = serde_json::to_string_pretty(&info).unwrap();
        assert!(!machine.contains("hunter2") && machine.contains("***"));
        insta::assert_snapshot!("info_machine", machine);
    }

    #[test]
    fn secrets_by_name() {
        for name in ["API_TOKEN", "db_password", "AWS_SECRET_ACCESS_KEY", "SSH_KEY"] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["PATH", "KEYBOARD", "PORT"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
