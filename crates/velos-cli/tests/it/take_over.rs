//! Processes that somebody else started: adopted one by one, or all of a PM2 daemon.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

/// Ended also by a test that fails.
struct Stranger(std::process::Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        // It may have ended, and been waited for, already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn any_process_can_be_adopted() {
    let env = env();
    let child = Command::new(env.fixture())
        .args(["sleep"])
        .env("MARK", "a=b")
        .current_dir(env.work())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Stranger(child);
    let pid = i32::try_from(child.0.id()).unwrap();
    env.run(&["adopt", &pid.to_string(), "--name", "api", "--restart-delay", "10ms"]).ok();
    let one = env.instance("api");
    assert_eq!((one.phase, one.pid, one.restarts), (Phase::Online, Some(pid), 0));
    env.run(&["adopt", &pid.to_string(), "--name", "again"]).fails(1, &["already"]);
    // A daemon after this one knows it as well.
    env.kill_daemon();
    assert_eq!(env.instance("api").pid, Some(pid));
    processes::signal(pid, Signal::SIGKILL);
    child.0.wait().unwrap();
    let now =
        env.wait_instance("api", "runs again", |one| one.phase == Phase::Online && one.pid != Some(pid));
    assert_eq!(now.restarts, 1);
    // The kernel shows it when the program is loaded, which is a moment after it was started.
    wait_until("its variable", SOON, || processes::has_variable(now.pid.unwrap(), b"MARK=a=b"));
    assert_eq!(std::fs::read_link(format!("/proc/{}/cwd", now.pid.unwrap())).unwrap(), env.work());
    env.run(&["stop", "api"]).ok();
    env.run(&["adopt", "2147483647"]).fails(3, &["there is no process 2147483647"]);
    env.run(&["adopt", "1"]).fails(2, &["1"]);
}

/// PM2 from the folder of `make bench`, or from PATH.
fn pm2() -> Option<PathBuf> {
    let local =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bench/node_modules/.bin/pm2"));
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&in_path).map(|folder| folder.join("pm2"));
    std::iter::once(local).chain(found).find(|path| path.is_file())
}

/// A PM2 daemon of this test, gone with it.
struct Pm2<'a> {
    program: PathBuf,
    env: &'a TestEnv,
}

impl Pm2<'_> {
    fn home(&self) -> PathBuf {
        self.env.work().join("pm2")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.env.work()).env("PM2_HOME", self.home()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) {
        velos_testkit::run(self.command(args)).ok();
    }

    fn pid(&self, name: &str, id: u32) -> i32 {
        let file = self.home().join(format!("pids/{name}-{id}.pid"));
        std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    fn daemon(&self) -> i32 {
        std::fs::read_to_string(self.home().join("pm2.pid")).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Pm2<'_> {
    fn drop(&mut self) {
        // It ends its apps too, if it still has any.
        let _ = self.command(&["kill"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[test]
fn running_apps_are_taken_over_from_pm2_without_a_stop() {
    let Some(program) = pm2() else {
        eprintln!("skipped: there is no pm2 (make bench installs it)");
        return;
    };
    let env = env();
    let pm2 = Pm2 { program, env: &env };
    let text = "let n = 0;\nsetInterval(() => console.log('line ' + ++n), 5);\n\
                process.on('disconnect', () => console.log('DISCONNECTED'));\n\
                process.on('message', m => console.log('heard ' + JSON.stringify(m)));\n\
                process.stdin.on('end', () => console.log('INPUT ENDED')).resume();\n";
    env.file("app.js", text, 0o644);
    env.file(
        "worker.py",
        "import time\nwhile True:\n    print('py', flush=True)\n    time.sleep(0.01)\n",
        0o644,
    );
    env.file("eco.config.js", "module.exports = { apps: [{ name: 'two', script: 'worker.py', instances: 2, exec_mode: 'fork', interpreter: 'python3' }] }\n", 0o644);
    pm2.run(&["start", "app.js", "--name", "web", "--max-memory-restart", "500M"]);
    pm2.run(&["start", "eco.config.js"]);
    let before = [pm2.pid("web", 0), pm2.pid("two", 1), pm2.pid("two", 2)];
    let god = pm2.daemon();
    let mut import = env.command(&["import", "pm2", "--live", "--yes"]);
    import.env("PM2_HOME", pm2.home());
    let folder = pm2.program.parent().unwrap().display().to_string();
    import.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap()));
    velos_testkit::run(import).ok();
    let now: Vec<Option<i32>> = env.list().into_iter().map(|one| one.pid).collect();
    assert_eq!(now, before.map(Some), "the same processes");
    assert!(env.list().iter().all(|one| one.phase == Phase::Online && one.restarts == 0));
    wait_until("the end of PM2", SOON, || !processes::is_alive(god));
    // What it printed before stands in PM2's log, what it prints now in ours, and not a line between is lost.
    let number = |line: &str| line.rsplit(' ').next().and_then(|word| word.parse::<u64>().ok());
    wait_until("lines", SOON, || {
        env.out_log("web").exists()
            && std::fs::read_to_string(env.out_log("web")).unwrap().lines().count() > 20
    });
    let old = std::fs::read_to_string(pm2.home().join("logs/web-out.log")).unwrap();
    let ours = std::fs::read_to_string(env.out_log("web")).unwrap();
    let all: Vec<u64> = old.lines().chain(ours.lines()).filter_map(number).collect();
    let last = *all.last().unwrap();
    // The last line of all may be half written.
    let expected: Vec<u64> = (1..=last).collect();
    assert_eq!(all, expected);
    assert!(!ours.contains("DISCONNECTED") && !ours.contains("INPUT ENDED"), "{ours}");
    for one in env.list().into_iter().filter(|one| one.name == "two") {
        let log = one.out_log.as_path().to_path_buf();
        wait_until("its lines", SOON, || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains("py\n"))
        });
    }
    env.run(&["send", "web", "hello"]).ok();
    env.wait_log("web", "heard \"hello\"");
    // A daemon after this one reads on.
    env.kill_daemon();
    assert_eq!(env.instance("web").pid, Some(before[0]));
    let lines = || std::fs::read_to_string(env.out_log("web")).unwrap().lines().count();
    let count = lines();
    wait_until("more lines", SOON, || lines() > count + 20);
    assert!(!std::fs::read_to_string(env.out_log("web")).unwrap().contains("DISCONNECTED"));
    let info = env.json::<Vec<velos_core::protocol::InstanceInfo>>(&["info", "web"]).swap_remove(0);
    assert_eq!(info.spec.restart.max_memory_bytes, Some(500 << 20));
    // From here on it is an app like any other.
    env.run(&["restart", "web"]).ok();
    assert_ne!(env.instance("web").pid, Some(before[0]));
    env.run(&["delete", "all"]).ok();
    assert!(before.iter().all(|pid| !processes::is_alive(*pid)));
}
