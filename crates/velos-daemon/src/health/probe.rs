//! One probe, in a thread of its own: it may hang until its time is over and nobody else waits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use velos_core::app::Probe;

/// As much of an answer as is read; the status stands at its beginning.
const ANSWER_MAX: usize = 4 << 10;
/// As much of a log as is searched, from its end. Bytes.
const LOG_MAX: u64 = 4 << 20;
/// How often we look whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// All that a probe needs.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) probe: Probe,
    pub(crate) timeout: Duration,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<OsString, OsString>,
    /// Logs, and how much of each was written since the start of the run. Bytes.
    pub(crate) logs: Vec<(PathBuf, u64)>,
}

impl Task {
    /// Nothing when it is well, else why not.
    pub(crate) fn run(&self) -> Result<(), String> {
        let until = Instant::now() + self.timeout;
        match &self.probe {
            Probe::Http(address) => self.http(&self.filled_in(address), until),
            Probe::Tcp(address) => connect(&self.filled_in(address), until).map(|_| ()),
            Probe::Exec(line) => self.exec(line, until),
            Probe::Log(pattern) => self.log(pattern),
        }
    }

    /// `${NAME}` becomes the instance's variable.
    fn filled_in(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            out.push_str(before);
            match behind.split_once('}') {
                Some((name, after)) => {
                    let value = self.env.get(&OsString::from(name));
                    out.push_str(&value.map(|value| value.to_string_lossy()).unwrap_or_default());
                    rest = after;
                }
                None => {
                    out.push_str("${");
                    rest = behind;
                }
            }
        }
        out + rest
    }

    fn http(&self, address: &str, until: Instant) -> Result<(), String> {
        let rest =
            address.strip_prefix("http://").ok_or_else(|| format!("{address} is no http:// address"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let with_port = if host.rsplit(']').next().is_some_and(|tail| tail.contains(':')) {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let mut stream = connect(&with_port, until)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: velos-health\r\nConnection: close\r\n\r\n"
        );
        let failed = |error: std::io::Error| format!("{address}: {error}");
        stream.set_write_timeout(Some(left(until)?)).map_err(failed)?;
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        let mut buffer = [0u8; 512];
        while !answer.contains(&b'\n') && answer.len() < ANSWER_MAX {
            stream.set_read_timeout(Some(left(until)?)).map_err(failed)?;
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => answer.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Err(too_slow()),
                Err(error) => return Err(failed(error)),
            }
        }
        let line = String::from_utf8_lossy(&answer);
        let status: Option<u16> = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split_whitespace().nth(1))
            .and_then(|word| word.parse().ok());
        match status {
            Some(200..=399) => Ok(()),
            Some(status) => Err(format!("{address} answers {status}")),
            None => Err(format!("{address} does not answer in HTTP")),
        }
    }

    fn exec(&self, line: &str, until: Instant) -> Result<(), String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).env_clear().envs(&self.env).current_dir(&self.cwd).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("the command cannot run: {error}"))?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the command ended with {status}")),
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(None) => {
                    // The group, as the shell may have started others. It may end this instant.
                    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
                    let _ = child.wait();
                    return Err(too_slow());
                }
                Err(error) => return Err(format!("the command is lost: {error}")),
            }
        }
    }

    fn log(&self, pattern: &str) -> Result<(), String> {
        let pattern = regex_lite::RegexBuilder::new(pattern)
            .multi_line(true)
            .build()
            .map_err(|error| error.to_string())?;
        for (path, written) in &self.logs {
            let Ok(mut file) = std::fs::File::open(path) else { continue };
            let size = file.metadata().map_or(0, |meta| meta.len());
            let from = size.saturating_sub((*written).min(LOG_MAX));
            let mut text = Vec::new();
            let read =
                file.seek(SeekFrom::Start(from)).and_then(|_| file.take(LOG_MAX).read_to_end(&mut text));
            if read.is_ok() && pattern.is_match(&String::from_utf8_lossy(&text)) {
                return Ok(());
            }
        }
        Err("no line of its output matches yet".to_owned())
    }
}

fn too_slow() -> String {
    "no answer in time".to_owned()
}

fn left(until: Instant) -> Result<Duration, String> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_slow()) } else { Ok(left) }
}

fn connect(address: &str, until: Instant) -> Result<TcpStream, String> {
    let all = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?;
    let mut last = format!("{address} is no address");
    for one in all {
        match TcpStream::connect_timeout(&one, left(until)?) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => last = too_slow(),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn task(probe: Probe, timeout_ms: u64) -> Task {
        let env = [("PORT".into(), "1234".into()), ("PATH".into(), "/usr/bin:/bin".into())].into();
        let (cwd, logs) = (PathBuf::from("/"), Vec::new());
        Task { probe, timeout: Duration::from_millis(timeout_ms), cwd, env, logs }
    }

    fn answers(with: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer);
            stream.write_all(with).unwrap();
        });
        port
    }

    #[test]
    fn http_by_status() {
        let get = |with| task(Probe::Http(format!("http://127.0.0.1:{}/x", answers(with))), 2_000).run();
        assert_eq!(get(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(()));
        assert!(get(b"HTTP/1.0 503 Busy\r\n\r\n").unwrap_err().contains("503"));
        assert!(get(b"SSH-2.0\r\n").unwrap_err().contains("not answer in HTTP"));
        assert!(task(Probe::Http("https://x".into()), 100).run().is_err());
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(task(Probe::Tcp(address.to_string()), 1_000).run(), Ok(()));
        assert_eq!(task(Probe::Http(format!("http://{address}/")), 60).run(), Err(too_slow()));
        drop(listener);
        assert!(task(Probe::Tcp(address.to_string()), 200).run().is_err());
    }

    #[test]
    fn commands() {
        assert_eq!(task(Probe::Exec("test $PORT = 1234".into()), 2_000).run(), Ok(()));
        assert!(task(Probe::Exec("exit 3".into()), 2_000).run().unwrap_err().contains('3'));
        let begin = Instant::now();
        assert_eq!(task(Probe::Exec("sleep 100 & sleep 100".into()), 50).run(), Err(too_slow()));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn variables_are_filled_in() {
        let task = task(Probe::Tcp(String::new()), 1);
        assert_eq!(task.filled_in("a:${PORT}/${NONE}x${"), "a:1234/x${");
    }
}
