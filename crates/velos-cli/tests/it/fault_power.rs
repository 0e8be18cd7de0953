//! The power fails: what the daemon does to its table is recorded by strace and replayed up to every step, with all that
//! was not synced lost. There must always be a whole table, and not an older one than the last that was told to be safe.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use velos_testkit::{SOON, TestEnv, processes, skipped, wait_until};

use crate::env;

const CALLS: &str = "trace=open,openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,close";

/// One thing that was done to the folder of the table.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A name for a fresh file.
    Create(String, usize),
    Write(usize),
    Sync(usize),
    Link(String, String),
    Rename(String, String),
    Exchange(String, String),
    Unlink(String),
    SyncFolder,
}

/// The arguments and the result of a call as strace writes it, with all texts in hexadecimal.
struct Call {
    name: String,
    words: Vec<String>,
    result: i64,
}

impl Call {
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let (inside, result) = rest.rsplit_once(") ")?;
        let result = result.trim_start().strip_prefix("= ")?.split(' ').next()?.parse().ok()?;
        let words = inside.split(", ").map(unhex).collect();
        Some(Self { name: name.trim().to_owned(), words, result })
    }

    fn texts(&self) -> Vec<&String> {
        self.words.iter().filter(|word| word.starts_with('/')).collect()
    }
}

/// `"\x2f\x74"` is `/t`; anything else is as it is.
fn unhex(word: &str) -> String {
    let Some(inside) = word.trim().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
        return word.trim().to_owned();
    };
    let bytes =
        inside.split("\\x").filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect::<Vec<_>>();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The calls of these threads in the order in which they ended.
fn calls(trace: &str, threads: &[String]) -> Vec<Call> {
    let mut begun: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, text)) = line.split_once(' ').filter(|(pid, _)| threads.iter().any(|one| one == pid))
        else {
            continue;
        };
        let text = text.trim_start();
        if let Some(first) = text.strip_suffix("<unfinished ...>") {
            begun.insert(pid, first.to_owned());
        } else if let Some((_, rest)) = text.split_once("resumed>").filter(|_| text.starts_with("<...")) {
            let whole = begun.remove(pid).unwrap_or_default() + rest;
            calls.extend(Call::parse(&whole));
        } else {
            calls.extend(Call::parse(text));
        }
    }
    calls.retain(|call| call.result >= 0);
    calls
}

/// What of this concerns the names that begin with `state.mp` in the folder.
fn steps(
    (trace, threads): &(String, Vec<String>),
    home: &Path,
    files: &mut BTreeMap<String, usize>,
) -> Vec<Step> {
    let folder = home.to_string_lossy().into_owned();
    let prefix = format!("{folder}/");
    let ours = |path: &String| -> Option<String> {
        path.strip_prefix(&prefix).filter(|name| name.starts_with("state.mp")).map(str::to_owned)
    };
    let mut open: BTreeMap<String, Option<usize>> = BTreeMap::new();
    let mut next = files.values().max().map_or(0, |last| last + 1);
    let mut steps = Vec::new();
    for call in calls(trace, threads) {
        let texts = call.texts();
        let names: Vec<String> = texts.iter().filter_map(|path| ours(path)).collect();
        let of_fd = call.words.first().and_then(|fd| open.get(fd)).copied();
        match (call.name.as_str(), &names[..]) {
            ("open" | "openat", [name]) => {
                let file = files.get(name).copied().unwrap_or_else(|| {
                    steps.push(Step::Create(name.clone(), next));
                    files.insert(name.clone(), next);
                    next += 1;
                    next - 1
                });
                open.insert(call.result.to_string(), Some(file));
            }
            ("open" | "openat", _)
                if texts.first().is_some_and(|path| path.trim_end_matches('/') == folder) =>
            {
                open.insert(call.result.to_string(), None);
            }
            ("open" | "openat", _) => drop(open.remove(&call.result.to_string())),
            ("close", _) => drop(call.words.first().and_then(|fd| open.remove(fd))),
            ("write" | "pwrite64" | "ftruncate", _) => {
                steps.extend(of_fd.flatten().map(Step::Write));
            }
            ("fsync" | "fdatasync", _) => {
                steps.extend(of_fd.map(|file| file.map_or(Step::SyncFolder, Step::Sync)))
            }
            ("link" | "linkat", [from, to]) => {
                files.insert(to.clone(), files[from]);
                steps.push(Step::Link(from.clone(), to.clone()));
            }
            ("rename" | "renameat" | "renameat2", [from, to]) => {
                let moved = files.remove(from).unwrap();
                let before = files.insert(to.clone(), moved);
                if call.words.iter().any(|word| word.contains("RENAME_EXCHANGE")) {
                    files.insert(from.clone(), before.unwrap());
                    steps.push(Step::Exchange(from.clone(), to.clone()));
                } else {
                    steps.push(Step::Rename(from.clone(), to.clone()));
                }
            }
            ("unlink" | "unlinkat", [name]) => {
                files.remove(name);
                steps.push(Step::Unlink(name.clone()));
            }
            _ => {}
        }
    }
    steps
}

fn apply(names: &mut BTreeMap<String, usize>, step: &Step) {
    match step {
        Step::Create(name, file) => drop(names.insert(name.clone(), *file)),
        Step::Link(from, to) => {
            if let Some(file) = names.get(from).copied() {
                names.insert(to.clone(), file);
            }
        }
        Step::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Step::Exchange(one, other) => {
            let (first, second) = (names.remove(one), names.remove(other));
            names.extend(first.map(|file| (other.clone(), file)));
            names.extend(second.map(|file| (one.clone(), file)));
        }
        Step::Unlink(name) => drop(names.remove(name)),
        Step::Write(_) | Step::Sync(_) | Step::SyncFolder => {}
    }
}

/// Replay up to every step, with the power gone there. `before`: the files that were on disk when the trace began.
fn survives(steps: &[Step], before: &BTreeMap<String, usize>) -> Result<usize, String> {
    let mut moments = 0;
    // How old what is safe in each file is, and whether it was written to since.
    let mut versions: BTreeMap<usize, (usize, bool)> =
        before.values().map(|file| (*file, (0, true))).collect();
    let (mut synced, mut since): (_, Vec<&Step>) = (before.clone(), Vec::new());
    let mut safe = if before.contains_key("state.mp") { Some(0) } else { None };
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Write(file) => versions.entry(*file).or_insert((0, false)).1 = false,
            Step::Create(_, file) => drop(versions.insert(*file, (0, false))),
            Step::Sync(file) => drop(versions.insert(*file, (at, true))),
            Step::SyncFolder => {
                since.drain(..).for_each(|step| apply(&mut synced, step));
                let told = synced.get("state.mp").and_then(|file| versions.get(file));
                safe = told.filter(|(_, is_whole)| *is_whole).map(|(version, _)| *version).or(safe);
            }
            _ => {}
        }
        since.push(step);
        let Some(safe) = safe else { continue };
        // The folder's changes since its last sync reach the disk in order, but nobody knows how many.
        let mut names = synced.clone();
        for reached in 0..=since.len() {
            if let Some(step) = reached.checked_sub(1).and_then(|last| since.get(last)) {
                apply(&mut names, step);
            }
            let readable = ["state.mp", "state.mp.1"].into_iter().find_map(|name| {
                versions.get(names.get(name)?).filter(|(_, is_whole)| *is_whole).map(|(version, _)| *version)
            });
            moments += 1;
            match readable {
                Some(version) if version >= safe => {}
                Some(version) => {
                    return Err(format!(
                        "at step {at} ({step:?}) only version {version} is there, {safe} was safe"
                    ));
                }
                None => {
                    return Err(format!(
                        "at step {at} ({step:?}), {reached} changes of the folder there: no table"
                    ));
                }
            }
        }
    }
    Ok(moments)
}

/// The trace, and which threads are the daemon's; its children are in it as well.
fn record(env: &TestEnv, work: impl FnOnce()) -> Option<(String, Vec<String>)> {
    let (daemon, file) = (env.hello().pid, env.work().join("trace"));
    let mut strace = Command::new(velos_testkit::program("strace")?)
        .args(["-f", "-xx", "-s", "256", "-e", CALLS, "-p", &daemon.to_string(), "-o"])
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let is_traced = || {
        let tasks = std::fs::read_dir(format!("/proc/{daemon}/task")).into_iter().flatten().flatten();
        tasks
            .map(|task| std::fs::read_to_string(task.path().join("status")).unwrap_or_default())
            .all(|status| !status.contains("TracerPid:\t0\n"))
    };
    let mut ended = false;
    wait_until("strace is attached, or cannot be", SOON, || {
        ended = strace.try_wait().unwrap().is_some();
        ended || is_traced()
    });
    if ended {
        return None;
    }
    let tasks = std::fs::read_dir(format!("/proc/{daemon}/task")).ok()?.flatten();
    let threads = tasks.map(|task| task.file_name().to_string_lossy().into_owned()).collect();
    work();
    processes::signal(i32::try_from(strace.id()).unwrap(), Signal::SIGINT);
    strace.wait().unwrap();
    Some((std::fs::read_to_string(&file).ok()?, threads))
}

/// The file that is kept as the table before.
fn older_table(env: &TestEnv) -> Option<u64> {
    let meta = env.home().join("state.mp.1").metadata().ok()?;
    Some(std::os::unix::fs::MetadataExt::ino(&meta))
}

#[test]
fn at_every_moment_there_is_a_whole_table() {
    let env = env();
    env.start("api", &["--kill-timeout", "200ms"], &["sleep"]);
    // Let the table become safe, so that it is known what there is.
    let rests = || env.home().join("state.mp.1").exists() && !env.home().join("state.mp.1.tmp").exists();
    wait_until("the first table is safe", SOON, rests);
    env.wait_saved();
    let mut before: BTreeMap<String, usize> = BTreeMap::new();
    let mut inodes: Vec<u64> = Vec::new();
    for name in ["state.mp", "state.mp.1", "state.mp.tmp"] {
        if let Ok(meta) = env.home().join(name).metadata() {
            let inode = std::os::unix::fs::MetadataExt::ino(&meta);
            let at = inodes.iter().position(|known| *known == inode).unwrap_or_else(|| {
                inodes.push(inode);
                inodes.len() - 1
            });
            before.insert(name.to_owned(), at);
        }
    }
    let trace = record(&env, || {
        for round in 0..3 {
            for number in 0..4 {
                env.start(&format!("app{round}-{number}"), &[], &["sleep"]);
                env.run(&["restart", "api"]).ok();
            }
            // One that is safe keeps the one before it, under a name that was another file's.
            let older = older_table(&env);
            wait_until("the table is safe", SOON, || older_table(&env) != older);
        }
        env.run(&["delete", "all"]).ok();
    });
    let Some(trace) = trace else { return skipped("recording what the daemon does: strace cannot") };
    let steps = steps(&trace, env.home(), &mut before.clone());
    let folders = steps.iter().filter(|step| **step == Step::SyncFolder).count();
    assert!(folders >= 3 && steps.len() > 40, "{folders} of {}: {steps:?}", steps.len());
    let moments = survives(&steps, &before).unwrap_or_else(|why| panic!("{why}\n{steps:#?}"));
    assert!(moments > 100, "{moments}");
    // The one who checks is checked: without syncs there are moments without a table.
    let files_only: Vec<Step> = steps.iter().filter(|step| !matches!(step, Step::Sync(_))).cloned().collect();
    survives(&files_only, &before).unwrap_err();
    let in_place: Vec<Step> = steps.iter().filter(|step| !matches!(step, Step::Link(..))).cloned().collect();
    survives(&in_place, &before).unwrap_err();
}
