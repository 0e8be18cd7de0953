//! When no table on disk can be read: the apps as their living processes show them. What runs goes on and can be stopped and
//! restarted; what only the table knew (policies, schedules, where logs go when not the usual place) is lost, and that is said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use velos_core::app::{AppSpec, OWN_VARIABLES};
use velos_core::instance::{InstanceId, ProcessIdentity, Token};
use velos_core::name::AppName;
use velos_core::raw_string::RawString;
use velos_supervisor::{Now, State, Survivor};

use crate::processes::{self, Found};

/// The table that follows from what runs, and how many processes that are; none when nothing runs.
pub(crate) fn table(home: &Path, now: Now) -> Option<(State, usize)> {
    let mut newest: BTreeMap<u32, Found> = BTreeMap::new();
    for found in processes::find_runs(home) {
        let known = newest.entry(found.instance).or_insert(found);
        // A later attempt wins; within one the first process is the one that was started.
        if (found.token, std::cmp::Reverse(found.start_ticks))
            > (known.token, std::cmp::Reverse(known.start_ticks))
        {
            *known = found;
        }
    }
    let survivors: Vec<Survivor> = newest.values().filter_map(survivor).collect();
    let count = survivors.len();
    (count > 0).then(|| (State::of_survivors(survivors, now), count))
}

/// Keep a file that cannot be read out of the way of the next one. Returns what to say.
pub(crate) fn put_aside(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".bad");
    let aside = PathBuf::from(name);
    match std::fs::rename(path, &aside) {
        Ok(()) => Some(format!("{} is kept as {}", path.display(), aside.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("{} cannot be kept: {error}", path.display())),
    }
}

fn survivor(found: &Found) -> Option<Survivor> {
    let folder = PathBuf::from(format!("/proc/{}", found.pid));
    let program = std::fs::read_link(folder.join("exe")).ok()?;
    let argv = words(&folder.join("cmdline"))?;
    let variables: BTreeMap<RawString, RawString> =
        words(&folder.join("environ"))?.iter().filter_map(variable).collect();
    let own = |key: &str| variables.get(&RawString::from(key)).map(RawString::to_text);
    let name = AppName::new(own("VELOS_NAME")?).ok()?;
    let slot = own("VELOS_INSTANCE_ID").and_then(|text| text.parse().ok()).unwrap_or(0);
    let is_own = |key: &RawString| {
        let key = key.to_text();
        key == "VELOS_HOME" || OWN_VARIABLES.contains(&key.as_str())
    };
    let app = AppSpec {
        args: argv.iter().skip(1).cloned().collect(),
        argv,
        cwd: std::fs::read_link(folder.join("cwd")).ok()?.into(),
        env: variables.iter().filter(|(key, _)| !is_own(key)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        ..AppSpec::new(name, program)
    };
    Some(Survivor {
        app,
        id: InstanceId(found.instance),
        slot,
        token: Token(found.token),
        identity: ProcessIdentity { pid: found.pid, start_ticks: found.start_ticks },
    })
}

fn words(path: &Path) -> Option<Vec<RawString>> {
    let bytes = std::fs::read(path).ok()?;
    let whole = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Some(whole.split(|byte| *byte == 0).map(RawString::from_bytes).collect())
}

fn variable(entry: &RawString) -> Option<(RawString, RawString)> {
    let bytes = entry.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    let (key, value) = bytes.split_at(at);
    Some((RawString::from_bytes(key), RawString::from_bytes(value.strip_prefix(b"=")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shows_what_it_is() {
        let own = std::process::id() as i32;
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .env("VELOS_NAME", "api")
            .env("VELOS_INSTANCE_ID", "2")
            .env("VELOS_RUN", "77")
            .env("A", "b=c")
            .current_dir("/")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let found = Found { pid, start_ticks: 5, token: 77, instance: 4 };
        // The environment is there once it has executed.
        let shown = (0..2_000).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            survivor(&found)
                .filter(|one| one.app.program.to_text().contains("sleep") || one.app.argv.len() == 2)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let shown = shown.unwrap();
        assert_eq!((shown.app.name.as_str(), shown.slot, shown.token), ("api", 2, Token(77)));
        assert_eq!(shown.app.argv, [RawString::from("sleep"), "1000".into()]);
        assert_eq!(shown.app.env[&"A".into()], "b=c".into());
        assert!(!shown.app.env.contains_key(&"VELOS_RUN".into()));
        assert_eq!(shown.app.cwd, "/".into());
        assert!(survivor(&Found { pid: own, ..found }).is_none(), "nobody started it under a name");
    }
}
