//! A home for one test: commands run in it see nothing of the machine's own, and nothing of it is left afterwards.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use velos_core::protocol::{HelloReply, InstanceSummary, ListReply, Targets, method};

use crate::wire::Wire;
use crate::{SOON, cgroups, processes, wait_for, wait_until};

/// No command takes this long.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(60);

/// What a command left.
#[derive(Debug)]
pub struct Output {
    /// Exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Output {
    /// Fail the test unless it went well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fail the test unless it ended with this code and these words in its standard error.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in standard error: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// A home of its own.
#[derive(Debug)]
pub struct TestEnv {
    root: PathBuf,
    velos: PathBuf,
    home: PathBuf,
    extra: Mutex<Vec<(OsString, OsString)>>,
}

impl TestEnv {
    /// For this `velos` binary.
    pub fn new(velos: impl Into<PathBuf>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short, or the socket's path does not fit.
        let root = PathBuf::from(format!("/tmp/vt-{}-{number}", std::process::id()));
        std::fs::create_dir_all(root.join("w")).expect("make the folder of the test");
        Self { home: root.join("h"), root, velos: velos.into(), extra: Mutex::default() }
    }

    /// `$VELOS_HOME`; not there before the first command.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Use another home in the folder of the test.
    pub fn set_home(&mut self, home: PathBuf) {
        self.home = home;
    }

    /// Where commands run; a place for the files of a test.
    pub fn work(&self) -> PathBuf {
        self.root.join("w")
    }

    /// Set a variable for the commands from now on.
    pub fn set_variable(&self, key: &str, value: impl AsRef<OsStr>) {
        let entry = (OsString::from(key), value.as_ref().to_owned());
        self.extra.lock().expect("nobody panicked with it").push(entry);
    }

    /// Write a file with this mode into the work folder.
    pub fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.work().join(name);
        std::fs::write(&path, content).expect("write a file of the test");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set its mode");
        path
    }

    /// `velos` with nothing in its environment but what a test needs.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.prepare(Command::new(&self.velos), args)
    }

    /// `velos` through another program: `setpriv --reuid 65534 velos ...`.
    pub fn command_through<S: AsRef<OsStr>>(&self, wrapper: &[&str], args: &[S]) -> Command {
        let (program, rest) = wrapper.split_first().expect("a program");
        let mut command = Command::new(crate::program(program).unwrap_or_else(|| program.into()));
        command.args(rest).arg(&self.velos);
        self.prepare(command, args)
    }

    fn prepare<S: AsRef<OsStr>>(&self, mut command: Command, args: &[S]) -> Command {
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .env("HOME", &self.root)
            .env("VELOS_HOME", &self.home)
            .env("COLUMNS", "100")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir(self.work())
            .stdin(Stdio::null());
        for (key, value) in self.extra.lock().expect("nobody panicked with it").iter() {
            command.env(key, value);
        }
        command
    }

    /// Run `velos` and see what it left.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        run(self.command(args))
    }

    /// The same, with something on its standard input.
    #[track_caller]
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: &[S], input: &str) -> Output {
        let file = self.root.join("input");
        std::fs::write(&file, input).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let file = std::fs::File::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut command = self.command(args);
        command.stdin(file);
        run(command)
    }

    /// Run it with `--json`, which must go well, and read its document.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self, args: &[&str]) -> T {
        let output = self.run(&[&["--json"], args].concat()).ok();
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stdout))
    }

    /// Path of the fixture program.
    pub fn fixture(&self) -> &'static str {
        fixture(&self.velos)
    }

    /// Start the fixture as app `name`: `flags` are for velos, `words` for the fixture. Must go well.
    #[track_caller]
    pub fn start(&self, name: &str, flags: &[&str], words: &[&str]) -> Output {
        self.try_start(name, flags, words).ok()
    }

    /// As [`TestEnv::start`], however it goes.
    #[track_caller]
    pub fn try_start(&self, name: &str, flags: &[&str], words: &[&str]) -> Output {
        self.run(&[&["start", self.fixture(), "--name", name], flags, &["--"], words].concat())
    }

    /// A connection to the running daemon.
    #[track_caller]
    pub fn wire(&self) -> Wire {
        Wire::greeted(&self.home)
    }

    /// What the daemon says of itself.
    #[track_caller]
    pub fn hello(&self) -> HelloReply {
        self.wire().hello
    }

    /// All instances.
    #[track_caller]
    pub fn list(&self) -> Vec<InstanceSummary> {
        let list: ListReply = self.wire().call(method::LIST, &Targets::default()).expect("list");
        list.instances
    }

    /// The first instance of an app.
    #[track_caller]
    pub fn instance(&self, name: &str) -> InstanceSummary {
        let found = self.list().into_iter().find(|one| one.name == name);
        found.unwrap_or_else(|| panic!("{name:?} is not in the list"))
    }

    /// Its process.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i32 {
        self.instance(name).pid.unwrap_or_else(|| panic!("{name:?} has no process"))
    }

    /// Wait until an instance is as `test` wants it.
    #[track_caller]
    pub fn wait_instance(
        &self,
        name: &str,
        what: &str,
        test: impl Fn(&InstanceSummary) -> bool,
    ) -> InstanceSummary {
        wait_for(&format!("{name} {what}"), SOON, || {
            let wire = Wire::try_greeted(&self.home)?;
            let list: ListReply = { wire }.call(method::LIST, &Targets::default()).ok()?;
            list.instances.into_iter().find(|one| one.name == name).filter(|one| test(one))
        })
    }

    /// Where the output of an app goes.
    pub fn out_log(&self, name: &str) -> PathBuf {
        self.home.join(format!("logs/{name}-out.log"))
    }

    /// Where its errors go.
    pub fn err_log(&self, name: &str) -> PathBuf {
        self.home.join(format!("logs/{name}-error.log"))
    }

    /// Wait until the log of an app holds `text`, and return it whole.
    #[track_caller]
    pub fn wait_log(&self, name: &str, text: &str) -> String {
        let path = self.out_log(name);
        wait_for(&format!("{text:?} in {}", path.display()), SOON, || {
            let log = String::from_utf8_lossy(&std::fs::read(&path).ok()?).into_owned();
            log.contains(text).then_some(log)
        })
    }

    /// Wait until the table on disk is as young as the last change: a command is answered a moment before that.
    #[track_caller]
    pub fn wait_saved(&self) {
        let table = self.home.join("state.mp");
        let pause = Duration::from_millis(60);
        let names: Vec<String> = self.list().into_iter().map(|one| one.name).collect();
        wait_until("all apps are in the table on disk", SOON, || {
            let text = std::fs::read(&table).unwrap_or_default();
            let holds = |name: &String| text.windows(name.len()).any(|part| part == name.as_bytes());
            names.iter().all(holds)
        });
        wait_until("the table on disk is at rest", SOON, || {
            let written = table.metadata().and_then(|meta| meta.modified()).ok();
            written.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > pause)
        });
    }

    /// SIGKILL the daemon alone, and wait until the guardian has started another.
    #[track_caller]
    pub fn kill_daemon(&self) -> HelloReply {
        let old = self.hello();
        processes::signal(old.pid, Signal::SIGKILL);
        self.wait_for_daemon_other_than(old.pid)
    }

    /// Wait until a daemon answers that has another pid.
    #[track_caller]
    pub fn wait_for_daemon_other_than(&self, pid: i32) -> HelloReply {
        wait_for("another daemon", SOON, || {
            Some(Wire::try_greeted(&self.home)?.hello).filter(|hello| hello.pid != pid)
        })
    }

    /// SIGKILL daemon and guardian, and wait until both are gone.
    #[track_caller]
    pub fn kill_daemon_and_guardian(&self) -> HelloReply {
        let old = self.hello();
        processes::signal(old.guardian_pid, Signal::SIGKILL);
        processes::signal(old.pid, Signal::SIGKILL);
        wait_until("daemon and guardian are gone", SOON, || {
            !processes::is_alive(old.pid) && !processes::is_alive(old.guardian_pid)
        });
        old
    }

    /// What the daemon wrote into its log.
    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.home.join("daemon.log")).unwrap_or_default()
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.daemon_log();
            let last: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("last lines of {}/daemon.log:", self.home.display());
            for line in last.into_iter().rev() {
                eprintln!("  {line}");
            }
        }
        processes::end_all_of(&self.home);
        cgroups::end_all_of(&self.home);
        if let Err(error) = std::fs::remove_dir_all(&self.root) {
            eprintln!("cannot remove {}: {error}", self.root.display());
        }
    }
}

/// Run a command to its end.
#[track_caller]
pub fn run(mut command: Command) -> Output {
    let begin = Instant::now();
    let shown = format!("{command:?}");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{shown}: {error}"));
    let pid = i32::try_from(child.id()).expect("a pid");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(COMMAND_TIME_MAX) else {
        processes::signal(pid, Signal::SIGKILL);
        panic!("not within {COMMAND_TIME_MAX:?}: {shown}");
    };
    let output = output.unwrap_or_else(|error| panic!("{shown}: {error}"));
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0);
    Output {
        code: output.status.code().unwrap_or(128 + signal),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        elapsed: begin.elapsed(),
    }
}

/// The fixture beside the `velos` binary, built when it is missing or older than its source.
fn fixture(velos: &Path) -> &'static str {
    static PATH: Mutex<Option<&'static str>> = Mutex::new(None);
    // A test that failed to build it poisons the lock; the next one tells the same.
    let mut known = PATH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(path) = *known {
        return path;
    }
    let folder = velos.parent().expect("a folder");
    let path = folder.join("fixture");
    if !is_current(&path) {
        build_fixture(folder);
    }
    let path: &'static str = Box::leak(path.to_string_lossy().into_owned().into_boxed_str());
    *known = Some(path);
    path
}

fn is_current(path: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = [source.clone(), source.join("bin/fixture")];
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let newest = files.filter_map(|entry| changed(&entry.path())).max();
    changed(path).is_some_and(|built| newest.is_none_or(|newest| built >= newest))
}

fn build_fixture(folder: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "-p", "velos-testkit", "--bin", "fixture"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", folder.parent().expect("a target folder"));
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("run cargo");
    assert!(status.success(), "the fixture does not build");
}
