//! Words that tell a level wherever they stand: what runtimes, systemd, the kernel, Kubernetes, compose, shells and
//! compilers say of processes that ended and of what will not start.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::Level;

/// One look at a line for all of them; what each means is told by its number.
const SAID: [&str; 25] = [
    " process exited, code=",
    " invoked oom-killer",
    "oom-kill:",
    "by the OOM killer",
    " repeated too quickly",
    "Warning  ",
    " exited with code ",
    ": bad option: ",
    ": illegal option -- ",
    ": unrecognized option ",
    "unknown option '",
    ".go:",
    "[GC (",
    "[Full GC (",
    "' panicked at ",
    "core dumped",
    "ut of memory",
    ": panic serving ",
    " UnhandledPromiseRejectionWarning: ",
    "Traceback (most recent call last)",
    "Sanitizer: ",
    "] BUG: ",
    "] Oops: ",
    "npm ERR!",
    ".lua:",
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(SAID).ok());

/// Of a line without a level.
pub(super) fn of(text: &[u8]) -> Option<Level> {
    // A shell says that of a process that got SIGKILL.
    if text == b"Killed" {
        return Some(Level::Error);
    }
    FINDER.as_ref()?.find_iter(text).find_map(|found| {
        let (before, after) = (text.get(..found.start())?, text.get(found.end()..)?);
        match found.pattern().as_usize() {
            0 => Some(of_exit(after)),
            1..=3 | 7..=10 => Some(Level::Error),
            4 => Some(Level::Warn),
            // Columns of events: `Warning  BackOff  2m`.
            5 => (before.is_empty() || before.ends_with(b"  ")).then_some(Level::Warn),
            6 => is_code(after).then_some(Level::Warn),
            // What the Go compiler says begins with a place: `./main.go:5:2: undefined: x`.
            // A collector that allocates again after it could not is what it is there for.
            12 | 13 => Some(Level::Info),
            14..=23 => Some(Level::Error),
            24 => memchr::memmem::find(after, b": attempt to ").map(|_| Level::Error),
            _ => (before.starts_with(b"./") && !before.contains(&b' ') && is_place(after))
                .then_some(Level::Error),
        }
    })
}

/// `exited, status=1/FAILURE`; what was asked to end may do so.
fn of_exit(after: &[u8]) -> Level {
    let is_wanted = [&b"status=0/"[..], b"status=15/TERM"]
        .iter()
        .any(|status| memchr::memmem::find(after, status).is_some());
    if is_wanted { Level::Info } else { Level::Error }
}

/// A number that is not zero.
fn is_code(after: &[u8]) -> bool {
    let code = after.split(|byte| *byte == b' ').next().unwrap_or_default();
    !code.is_empty() && code != b"0" && code.iter().all(u8::is_ascii_digit)
}

/// `5:2: text`
fn is_place(after: &[u8]) -> bool {
    after.first().is_some_and(u8::is_ascii_digit) && memchr::memmem::find(after, b": ").is_some()
}
