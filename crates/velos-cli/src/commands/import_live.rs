//! `velos import pm2 --live`: running apps change their supervisor.
//!
//! The apps pause for some tens of milliseconds, so that PM2 stores what it has read of them. Then it is held still, its
//! ends of the apps' sockets are taken, and it is killed, because asked to end it would end the apps. They go on and
//! notice none of it.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_core::protocol::{AdoptParams, AdoptProcess, HeldDescriptor, Outcomes, Start, method};

use super::from_file::{self, Wanted};
use super::{select, unix_peers};
use crate::args::ImportPm2;

/// One of PM2's apps.
struct Live {
    name: String,
    pids: Vec<i32>,
    is_cluster: bool,
}

pub(super) fn run(context: &super::Context, import: &ImportPm2) -> super::Result {
    let home = super::import::pm2_home();
    let god = daemon_of(&home)?;
    let table = table(god, &home)?;
    let apps = live(&table)?;
    if apps.is_empty() {
        return Err(super::failed("PM2 runs no apps").hint("its saved list is imported without --live"));
    }
    let clusters: Vec<&str> = apps.iter().filter(|app| app.is_cluster).map(|app| app.name.as_str()).collect();
    if !clusters.is_empty() && !import.restart_cluster {
        return Err(super::failed(format!(
            "{} of cluster mode cannot be taken over: PM2 itself holds the sockets they serve",
            clusters.join(", ")
        ))
        .hint("with --restart-cluster they are started anew; the others go on without a stop"));
    }
    let specs = declarations(context, &table, &home)?;
    if !import.yes && !confirmed(&apps)? {
        return Err(super::failed("nothing was done"));
    }
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let paused = Paused::pause(&apps);
    let held = Held::stop(god)?;
    let mut all = Outcomes::default();
    let result = take(&mut client, god, &apps, &specs, &mut all);
    if let Err(error) = result {
        // PM2 goes on with what was not taken; what was is left to it as well.
        drop(held);
        for outcome in &all.instances {
            super::note(&format!(
                "warning: {} is watched by both now; `velos delete` would stop it\n",
                outcome.name
            ));
        }
        return Err(error);
    }
    held.end();
    drop(paused);
    let again: Vec<AppSpec> = specs
        .into_iter()
        .filter(|spec| apps.iter().any(|app| app.is_cluster && app.name == spec.name.as_str()))
        .collect();
    if !again.is_empty() {
        end_workers(&apps);
        let started: Outcomes = client.call(method::START, &Start { apps: again, targets: Vec::new() })?;
        all.instances.extend(started.instances);
        all.refused.extend(started.refused);
    }
    select::tell(context, &all, begin, |outcome| {
        format!("taken over (PID: {})", outcome.pid.unwrap_or_default())
    })
}

fn take(
    client: &mut velos_client::Client,
    god: i32,
    apps: &[Live],
    specs: &[AppSpec],
    all: &mut Outcomes,
) -> Result<(), ErrorReply> {
    let ends = Ends::of(god)?;
    for app in apps.iter().filter(|app| !app.is_cluster) {
        let Some(spec) = specs.iter().find(|spec| spec.name.as_str() == app.name) else { continue };
        let app_spec =
            AppSpec { instances: app.pids.len() as u32, exec_mode: Default::default(), ..spec.clone() };
        let processes = app.pids.iter().map(|pid| ends.process(*pid)).collect();
        let outcomes: Outcomes = client.call(method::ADOPT, &AdoptParams { app: app_spec, processes })?;
        if let Some(refusal) = outcomes.refused.into_iter().next() {
            return Err(refusal.error);
        }
        all.instances.extend(outcomes.instances);
    }
    Ok(())
}

/// Apps that print nothing for a moment.
struct Paused(Vec<i32>);

impl Paused {
    fn pause(apps: &[Live]) -> Self {
        let pids: Vec<i32> =
            apps.iter().filter(|app| !app.is_cluster).flat_map(|app| app.pids.clone()).collect();
        Self(pids.into_iter().filter(|pid| kill(Pid::from_raw(-pid), Signal::SIGSTOP).is_ok()).collect())
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that ended meanwhile needs no word.
            let _ = kill(Pid::from_raw(-pid), Signal::SIGCONT);
        }
    }
}

/// Wait until none of its threads has anything to do: what it read is written.
fn wait_until_idle(pid: i32) {
    let is_idle = || {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with('S'))
        })
    };
    let mut idle = 0;
    for _ in 0..IDLE_LOOKS_MAX {
        idle = if is_idle() { idle + 1 } else { 0 };
        if idle == IDLE_LOOKS {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// So many looks in a row, 2 ms apart, and at most so many in all.
const IDLE_LOOKS: u32 = 15;
const IDLE_LOOKS_MAX: u32 = 500;

/// PM2, standing still; it goes on unless it is ended.
struct Held(Option<i32>);

impl Held {
    fn stop(god: i32) -> Result<Self, ErrorReply> {
        wait_until_idle(god);
        kill(Pid::from_raw(god), Signal::SIGSTOP)
            .map_err(|error| super::failed(format!("cannot hold PM2 (process {god}) still: {error}")))?;
        Ok(Self(Some(god)))
    }

    /// Not asked to end: it would stop the apps first.
    fn end(mut self) {
        if let Some(god) = self.0.take() {
            let _ = kill(Pid::from_raw(god), Signal::SIGKILL);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(god) = self.0 {
            let _ = kill(Pid::from_raw(god), Signal::SIGCONT);
        }
    }
}

/// Workers of a cluster end with their master, but not at once.
fn end_workers(apps: &[Live]) {
    let pids = || apps.iter().filter(|app| app.is_cluster).flat_map(|app| &app.pids);
    for pid in pids() {
        // Those that are gone already are what we want.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
    }
    for _ in 0..200 {
        if pids().all(|pid| kill(Pid::from_raw(*pid), None).is_err()) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for pid in pids() {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
}

/// PM2's descriptors by what they are.
struct Ends {
    god: i32,
    /// Inode of a socket or pipe to its number in PM2.
    numbers: HashMap<u64, i32>,
    peers: HashMap<u64, u64>,
}

impl Ends {
    fn of(god: i32) -> Result<Self, ErrorReply> {
        let failed =
            |error: std::io::Error| super::failed(format!("cannot look at PM2's descriptors: {error}"));
        let mut numbers = HashMap::new();
        for entry in std::fs::read_dir(format!("/proc/{god}/fd")).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let (Some(number), Ok(meta)) = (number, std::fs::metadata(entry.path())) {
                numbers.insert(meta.ino(), number);
            }
        }
        Ok(Self { god, numbers, peers: unix_peers::all().map_err(failed)? })
    }

    fn process(&self, pid: i32) -> AdoptProcess {
        let end = |fd: i32| self.other_end(pid, fd);
        AdoptProcess { pid, input: end(0), out: end(1), err: end(2), channel: end(3) }
    }

    /// Of a socket the peer, of a pipe the pipe itself; a file needs no reader.
    fn other_end(&self, pid: i32, fd: i32) -> Option<HeldDescriptor> {
        let path = format!("/proc/{pid}/fd/{fd}");
        let kind = std::fs::read_link(&path).ok()?;
        let inode = std::fs::metadata(&path).ok()?.ino();
        let wanted = match kind.to_string_lossy().split(':').next()? {
            "socket" => *self.peers.get(&inode)?,
            "pipe" => inode,
            _ => return None,
        };
        Some(HeldDescriptor { pid: self.god, fd: *self.numbers.get(&wanted)? })
    }
}

fn daemon_of(home: &Path) -> Result<i32, ErrorReply> {
    let file = home.join("pm2.pid");
    let none = || {
        super::failed(format!("no PM2 daemon runs on {}", home.display()))
            .hint("set PM2_HOME to its folder, or import its saved list without --live")
    };
    let pid: i32 =
        std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(none)?;
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).map_err(|_| none())?;
    if String::from_utf8_lossy(&title).contains("PM2") { Ok(pid) } else { Err(none()) }
}

/// PM2's own list: of the `pm2` in PATH, else of the one that the daemon was started from.
fn table(god: i32, home: &Path) -> Result<Value, ErrorReply> {
    let beside = std::fs::read(format!("/proc/{god}/environ")).ok().and_then(|environ| {
        let entry = environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"_="))?.to_vec();
        let path = PathBuf::from(String::from_utf8(entry).ok()?);
        path.file_name().is_some_and(|name| name == "pm2").then_some(path)
    });
    let programs = [Some(PathBuf::from("pm2")), beside];
    for program in programs.into_iter().flatten() {
        let output = Command::new(&program).arg("jlist").env("PM2_HOME", home).output();
        let Ok(output) = output else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        // It may greet before it answers.
        let list = text
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_array));
        if let Some(list) = list {
            return Ok(list);
        }
    }
    Err(super::failed("PM2 does not tell what it runs").hint("put the folder of the `pm2` program into PATH"))
}

fn live(table: &Value) -> Result<Vec<Live>, ErrorReply> {
    let mut apps: Vec<Live> = Vec::new();
    for process in table.as_array().into_iter().flatten() {
        let env = &process["pm2_env"];
        let pid = process["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1);
        let (Some(name), Some(pid)) = (process["name"].as_str(), pid) else { continue };
        if env["status"] != "online" || env["pmx_module"] == true {
            continue;
        }
        let is_cluster = env["exec_mode"] == "cluster_mode";
        match apps.iter_mut().find(|app| app.name == name) {
            Some(app) if app.is_cluster == is_cluster => app.pids.push(pid),
            Some(_) => return Err(super::failed(format!("two of PM2's apps are called {name:?}"))),
            None => apps.push(Live { name: name.to_owned(), pids: vec![pid], is_cluster }),
        }
    }
    Ok(apps)
}

/// As `import` makes them of the saved list, which has the same fields.
fn declarations(context: &super::Context, table: &Value, home: &Path) -> Result<Vec<AppSpec>, ErrorReply> {
    let processes: Vec<&Value> =
        table.as_array().into_iter().flatten().map(|process| &process["pm2_env"]).collect();
    let folder = tempfile_in(&std::env::temp_dir())?;
    let list = folder.join("dump");
    let cannot = |error: std::io::Error| super::failed(format!("cannot write {}: {error}", list.display()));
    std::fs::write(&list, serde_json::json!(processes).to_string()).map_err(cannot)?;
    let text = velos_config::import(&list).map_err(|error| from_file::reply(&error));
    let (text, warnings) = text.inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))?;
    let file = folder.join("pm2.toml");
    std::fs::write(&file, text).map_err(cannot)?;
    let prepared = from_file::prepare(context, &file, &Wanted::default());
    // Only a way to hand it over.
    let _ = std::fs::remove_dir_all(&folder);
    for warning in warnings.iter().filter(|_| !context.machine) {
        super::note(&format!("warning: {}\n", warning.message));
    }
    let prepared = prepared?;
    if let Some(refusal) = prepared.refused.into_iter().next() {
        return Err(refusal.error);
    }
    let of_nobody = |mut spec: AppSpec| {
        spec.declared_in = None;
        spec.declared_ms = None;
        // PM2's standard logs are not an own choice.
        for log in [&mut spec.logs.out, &mut spec.logs.err] {
            log.take_if(|path| path.as_path().starts_with(home));
        }
        spec
    };
    Ok(prepared.apps.into_iter().map(of_nobody).collect())
}

/// A folder for this process only.
fn tempfile_in(parent: &Path) -> Result<PathBuf, ErrorReply> {
    let folder = parent.join(format!("velos-import-{}", std::process::id()));
    let made = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder);
    made.map_err(|error| super::failed(format!("cannot make {}: {error}", folder.display())))?;
    Ok(folder)
}

fn confirmed(apps: &[Live]) -> Result<bool, ErrorReply> {
    use std::io::{BufRead, IsTerminal};
    if !std::io::stdin().is_terminal() {
        return Err(super::usage("nobody is there to agree").hint("say --yes"));
    }
    for app in apps {
        let what = if app.is_cluster { "is started anew" } else { "goes on" };
        super::note(&format!("{} ({} processes) {what}\n", app.name, app.pids.len()));
    }
    super::note("PM2 ends. Go on? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim().eq_ignore_ascii_case("y"))
}
