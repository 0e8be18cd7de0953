//! Configuration that is a program: `node` evaluates it, and its answer is data like any other.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::FILE_BYTES_MAX;
use crate::problem::Problem;

/// An evaluation that takes longer is ended.
const TIME_MAX: Duration = Duration::from_secs(10);
/// So long its last words are waited for.
const AFTERWARDS: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);
/// Of what it says on stderr so much is shown.
const COMPLAINT_BYTES_MAX: usize = 2_000;

/// `import` reads both kinds of modules. The result goes to descriptor 3, since a file may print.
const PROGRAM: &str = r#"
const { pathToFileURL } = require('url');
const text = () => require('fs').readFileSync(process.argv[1], 'utf8');
const load = async () => process.argv[3] === 'expression'
  ? { default: new Function('require', 'return (' + text() + '\n)')(require) }
  : import(pathToFileURL(process.argv[1]).href);
load().then(async (module) => {
  let value = module.default === undefined ? { ...module } : module.default;
  if (typeof value === 'function') value = value();
  value = await value;
  const text = JSON.stringify(value, (key, item) => typeof item === 'bigint' ? Number(item) : item);
  require('fs').writeFileSync(process.argv[2], text === undefined ? 'null' : text);
  process.exit(0);
}).catch((error) => { console.error(error && error.stack || error); process.exit(1); });
"#;

/// What a file is to node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It exports the value.
    Module,
    /// It is the value, as PM2 reads what is called JSON.
    Expression,
}

/// The value of the file, as JSON.
pub(super) fn run(path: &Path, source: Source) -> Result<String, Problem> {
    let wrong = |message: String| Problem::of_file(path, message);
    let answer =
        Answer::new().map_err(|error| wrong(format!("cannot make a file for its result: {error}")))?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut command = Command::new("node");
    command.args(["-e", PROGRAM, "--"]).arg(&absolute).arg(answer.path());
    if source == Source::Expression {
        command.arg("expression");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(folder) = absolute.parent() {
        command.current_dir(folder);
    }
    let child = command.spawn().map_err(|error| {
        wrong(format!("cannot evaluate it with node: {error}")).hint("install node, or write a velos.toml")
    })?;
    let complaint = finish(child).map_err(wrong)?;
    if let Some(complaint) = complaint {
        return Err(wrong(format!("node cannot evaluate it: {complaint}")));
    }
    answer.read().map_err(wrong)
}

/// Wait, but not for ever; what it complained of when it failed.
fn finish(mut child: Child) -> Result<Option<String>, String> {
    let stderr = child.stderr.take();
    // Read beside, or a full pipe would hold it up.
    let (send, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stderr) = stderr {
            let mut chunk = [0u8; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                let room = COMPLAINT_BYTES_MAX.saturating_sub(kept.len());
                kept.extend(chunk.iter().take(count.min(room)));
            }
        }
        // Nobody waits when node went well.
        let _ = send.send(kept);
    });
    let deadline = Instant::now() + TIME_MAX;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) => {
                // It may have ended meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it was not evaluated within {} s", TIME_MAX.as_secs()));
            }
            Err(error) => return Err(format!("cannot wait for node: {error}")),
        }
    };
    if status.success() {
        return Ok(None);
    }
    // Something that it started may still hold the pipe.
    let kept = said.recv_timeout(AFTERWARDS).unwrap_or_default();
    let text = String::from_utf8_lossy(&kept).into_owned();
    let wanted =
        text.lines().map(str::trim).find(|line| line.contains("Error")).or_else(|| text.lines().next());
    Ok(Some(wanted.unwrap_or("it said nothing").to_owned()))
}

/// A private file, gone when this is.
struct Answer(std::path::PathBuf);

impl Answer {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("velos-config-{}-{}", std::process::id(), unique.as_nanos());
        let folder = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.join("answer.json")
    }

    fn read(&self) -> Result<String, String> {
        let size = std::fs::metadata(self.path()).map_err(|_| "it gave no result".to_owned())?.len();
        if size > FILE_BYTES_MAX {
            return Err(format!("its result has {size} bytes; at most {FILE_BYTES_MAX} are read"));
        }
        std::fs::read_to_string(self.path()).map_err(|error| format!("cannot read its result: {error}"))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A left-over in the folder for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
