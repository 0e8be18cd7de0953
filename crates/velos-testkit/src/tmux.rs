//! A terminal to type into and to look at: a tmux server of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{SOON, wait_for};

/// One terminal with a shell behind the program in it. It is gone when this is dropped.
#[derive(Debug)]
pub struct Tmux {
    program: PathBuf,
    socket: PathBuf,
}

impl Tmux {
    /// Run a command line in a terminal of this size; when it ends, its exit code is printed as `ended <code>` and a shell
    /// goes on. Environment and working directory are those of `prepared`. `None`: there is no tmux.
    pub fn start(folder: &Path, size: (u16, u16), command: &str, prepared: &Command) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Never the socket of a server that is just ending.
        let socket = folder.join(format!("tmux-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let tmux = Self { program: crate::program("tmux")?, socket };
        let (columns, rows) = (size.0.to_string(), size.1.to_string());
        let line = format!("{command}; echo ended $?; PS1='$ ' exec sh");
        let mut start = tmux.command(&["new-session", "-d", "-x", &columns, "-y", &rows, &line]);
        start.env_clear();
        for (key, value) in prepared.get_envs() {
            if let Some(value) = value {
                start.env(key, value);
            }
        }
        if let Some(folder) = prepared.get_current_dir() {
            start.current_dir(folder);
        }
        let status = start.status().expect("run tmux");
        assert!(status.success(), "tmux: {status}");
        Some(tmux)
    }

    fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(args);
        command
    }

    fn ask(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("run tmux");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Press keys, as tmux names them: `j`, `Enter`, `C-c`.
    pub fn keys(&self, keys: &[&str]) {
        self.ask(&[&["send-keys"], keys].concat());
    }

    /// Click with the left button at a column and a row, from 0, as terminals report it (SGR).
    pub fn click(&self, column: u16, row: u16) {
        let (column, row) = (column + 1, row + 1);
        self.ask(&["send-keys", "-l", &format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m")]);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// Wait until the screen holds all of these, and none of those that begin with `!`.
    #[track_caller]
    pub fn wait(&self, words: &[&str]) -> String {
        let mut last = String::new();
        let holds = |screen: &str| {
            words.iter().all(|word| match word.strip_prefix('!') {
                Some(word) => !screen.contains(word),
                None => screen.contains(word),
            })
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(&format!("{words:?} on the screen"), SOON, || {
                last = self.screen();
                holds(&last).then(|| last.clone())
            })
        }));
        result.unwrap_or_else(|_| panic!("{words:?} are not on the screen:\n{last}"))
    }

    /// A variable of the terminal: `alternate_on`, `cursor_flag`, `mouse_any_flag`, `pane_pid`.
    pub fn variable(&self, name: &str) -> String {
        self.ask(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    /// Another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.ask(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// The process that the shell runs in the foreground.
    #[track_caller]
    pub fn foreground(&self) -> i32 {
        let shell: i32 = self.variable("pane_pid").parse().expect("the pid of the shell");
        let path = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(&path).expect("children of the shell");
        children.split_whitespace().next().expect("a child of the shell").parse().expect("its pid")
    }

    /// The terminal is as a shell wants it: main screen, cursor, no mouse, lines are edited and echoed.
    #[track_caller]
    pub fn expect_restored(&self) {
        for (name, expected) in [("alternate_on", "0"), ("cursor_flag", "1"), ("mouse_any_flag", "0")] {
            assert_eq!(self.variable(name), expected, "{name}");
        }
        let terminal = std::fs::File::open(self.variable("pane_tty")).expect("open the terminal");
        let output = Command::new("stty").arg("-a").stdin(terminal).output().expect("run stty");
        let settings = String::from_utf8_lossy(&output.stdout).into_owned();
        for wanted in ["echo", "icanon", "isig", "opost"] {
            assert!(settings.split([' ', ';', '\n']).any(|word| word == wanted), "no {wanted}: {settings}");
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let screen = self.command(&["capture-pane", "-p"]).output();
            let screen = screen.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            eprintln!("last screen:\n{}", screen.unwrap_or_default());
        }
        // It ends by itself when the program in it did.
        let _ = self.command(&["kill-server"]).output();
    }
}
