//! From what was typed to what is executed: a file, a program in PATH, or a shell command.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use velos_core::error::{ErrorCode, ErrorReply};

use crate::interpreter::{self, Choice, find};

/// Node's own flag for it.
pub(crate) const SOURCE_MAPS: &str = "--enable-source-maps";

/// What to execute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// As shown: absolute path or command line.
    pub(crate) script: PathBuf,
    /// Name of the interpreter, `None`: the file itself is executed.
    pub(crate) interpreter: Option<String>,
    /// The interpreter was looked for by its name.
    pub(crate) found_in_path: bool,
    /// It is a Python that nobody chose: a virtual environment near the script decides at each start.
    pub(crate) follows_venv: bool,
    /// Absolute path of what is executed.
    pub(crate) program: PathBuf,
    /// Words between argv[0] and the script's own arguments.
    pub(crate) leading: Vec<String>,
    /// The script is a command line for a shell.
    pub(crate) is_command_line: bool,
    /// Why it will hardly start; said when it does not.
    pub(crate) doubt: Option<String>,
}

/// What the flags say about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes<'a> {
    /// Relative paths begin here.
    pub(crate) cwd: &'a Path,
    /// `--interpreter`
    pub(crate) interpreter: Option<&'a str>,
    /// `--interpreter-args`
    pub(crate) arguments: &'a [String],
    /// PATH.
    pub(crate) search: &'a str,
    /// Node is to show places of sources.
    pub(crate) source_maps: bool,
}

/// Find out what `target` is. A file of that name comes first, also when it has a space in it.
pub(crate) fn resolve(target: &str, wishes: Wishes<'_>) -> Result<Resolved, ErrorReply> {
    let joined = wishes.cwd.join(target);
    let path = std::path::absolute(&joined).unwrap_or(joined);
    let in_path = || if target.contains('/') { None } else { find(target, wishes.search) };
    match std::fs::metadata(&path) {
        Ok(meta) if !meta.is_dir() => resolve_file(&path, wishes),
        Ok(_) => match in_path() {
            Some(program) => direct(&program, wishes.search),
            None => Err(failed(format!("cannot start {}: it is a directory", path.display()))
                .hint("name a script or program in it")),
        },
        Err(_) if target.contains(char::is_whitespace) && wishes.interpreter.is_none() => {
            shell_command(target, wishes)
        }
        Err(error) => match in_path() {
            Some(program) => direct(&program, wishes.search),
            None => Err(missing(target, &error)),
        },
    }
}

fn missing(target: &str, error: &std::io::Error) -> ErrorReply {
    if error.kind() != std::io::ErrorKind::NotFound {
        return failed(format!("cannot start {target}: {error}")).hint("give a path that you may read");
    }
    let reason = if target.contains('/') {
        "there is no such file"
    } else {
        "there is no such file, no such program in PATH, and no app of that name"
    };
    failed(format!("cannot start {target}: {reason}"))
        .hint("give the path of a script, the name of a program, or see `velos list`")
}

fn resolve_file(path: &Path, wishes: Wishes<'_>) -> Result<Resolved, ErrorReply> {
    let choice = match wishes.interpreter {
        Some("none") => None,
        Some(name) => Some(interpreter::named(name, wishes.search)?),
        None => interpreter::guess(path, wishes.search)?,
    };
    let Some(Choice { name, program, mut flags }) = choice else {
        return direct(path, wishes.search);
    };
    let follows_venv = wishes.interpreter.is_none() && interpreter::is_general_python(path, &name);
    flags.extend(wishes.arguments.iter().cloned());
    if wishes.source_maps && name == "node" && !flags.iter().any(|flag| flag == SOURCE_MAPS) {
        flags.insert(0, SOURCE_MAPS.to_owned());
    }
    flags.push(path.to_string_lossy().into_owned());
    let found_in_path = find(&name, wishes.search).as_ref() == Some(&program)
        && wishes.interpreter.is_none_or(|wanted| !wanted.contains('/'));
    Ok(Resolved {
        script: path.to_path_buf(),
        interpreter: Some(name),
        found_in_path,
        follows_venv,
        program,
        leading: flags,
        is_command_line: false,
        doubt: None,
    })
}

fn direct(path: &Path, search: &str) -> Result<Resolved, ErrorReply> {
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode()).unwrap_or(0);
    if mode & 0o111 == 0 {
        let shown = path.display();
        return Err(failed(format!(
            "cannot start {shown}: it is not executable, and nothing tells its interpreter"
        ))
        .hint(format!("run: chmod +x {shown}, or give --interpreter")));
    }
    Ok(Resolved {
        script: path.to_path_buf(),
        interpreter: None,
        found_in_path: false,
        follows_venv: false,
        program: path.to_path_buf(),
        leading: Vec::new(),
        is_command_line: false,
        doubt: interpreter::fault(path, search),
    })
}

/// A command line, whatever files there are.
pub(crate) fn shell_command(line: &str, wishes: Wishes<'_>) -> Result<Resolved, ErrorReply> {
    let shell = ["bash", "sh"].into_iter().find_map(|name| Some((name, find(name, wishes.search)?)));
    let Some((name, program)) = shell else {
        return Err(failed("cannot start a shell command: neither bash nor sh is in PATH")
            .hint("set PATH, or give the path of a program"));
    };
    let own = ["-c".to_owned(), line.to_owned()];
    Ok(Resolved {
        script: PathBuf::from(line),
        interpreter: Some(name.to_owned()),
        found_in_path: true,
        follows_venv: false,
        program,
        leading: wishes.arguments.iter().cloned().chain(own).collect(),
        is_command_line: true,
        doubt: None,
    })
}

fn failed(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::{file, folder_with};

    struct World {
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = folder_with(&["node", "bash"]);
            std::fs::create_dir(folder.path().join("work")).unwrap();
            Self { folder }
        }

        fn file(&self, name: &str, text: &str, mode: u32) {
            file(&self.folder.path().join("work").join(name), text, mode);
        }

        fn resolve(
            &self,
            target: &str,
            interpreter: Option<&str>,
            arguments: &[&str],
        ) -> Result<Resolved, ErrorReply> {
            let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
            let cwd = self.folder.path().join("work");
            let search = self.folder.path().to_string_lossy().into_owned();
            let source_maps = false;
            resolve(
                target,
                Wishes { cwd: &cwd, interpreter, arguments: &arguments, search: &search, source_maps },
            )
        }

        /// Program and words, with the temporary folder as `/`.
        #[track_caller]
        fn expect(&self, target: &str, interpreter: Option<&str>, arguments: &[&str], expected: &str) {
            let resolved = self.resolve(target, interpreter, arguments).unwrap();
            let words = [resolved.program.to_string_lossy().into_owned()].into_iter().chain(resolved.leading);
            let text = words.collect::<Vec<_>>().join(" ");
            assert_eq!(text.replace(&*self.folder.path().to_string_lossy(), ""), expected, "{target}");
        }

        #[track_caller]
        fn refused(&self, target: &str, interpreter: Option<&str>, expected: &str) {
            let error = self.resolve(target, interpreter, &[]).unwrap_err();
            assert!(error.message.contains(expected), "{target}: {}", error.message);
            assert!(error.hint.is_some(), "{target} has no hint");
        }
    }

    #[test]
    fn node_shows_places_of_sources() {
        let folder = folder_with(&["node", "python3"]);
        let search = folder.path().to_string_lossy().into_owned();
        file(&folder.path().join("a.js"), "", 0o644);
        file(&folder.path().join("a.py"), "", 0o644);
        let leading = |target: &str, arguments: &[String]| {
            let wishes = Wishes {
                cwd: folder.path(),
                interpreter: None,
                arguments,
                search: &search,
                source_maps: true,
            };
            let mut leading = resolve(target, wishes).unwrap().leading;
            leading.pop();
            leading
        };
        assert_eq!(leading("a.js", &[]), [SOURCE_MAPS]);
        assert_eq!(leading("a.js", &[SOURCE_MAPS.to_owned()]), [SOURCE_MAPS], "once");
        assert!(leading("a.py", &[]).is_empty());
    }

    #[test]
    fn files_programs_and_command_lines() {
        let world = World::new();
        world.file("app.js", "", 0o644);
        world.file("two words.js", "", 0o644);
        world.file("tool", "\x7fELF\0", 0o755);
        std::fs::create_dir(world.folder.path().join("work/node")).unwrap();
        world.expect("app.js", None, &[], "/node /work/app.js");
        world.expect("./app.js", None, &["--inspect", "-r"], "/node --inspect -r /work/app.js");
        world.expect("two words.js", None, &[], "/node /work/two words.js");
        world.expect("tool", None, &[], "/work/tool");
        world.expect("tool", Some("node"), &[], "/node /work/tool");
        world.expect("node", None, &[], "/node");
        world.expect("bash", None, &[], "/bash");
        world.expect("sleep 10; date", None, &[], "/bash -c sleep 10; date");
        world.expect("sleep 10", None, &["-e"], "/bash -e -c sleep 10");
        assert!(world.resolve("sleep 10", None, &[]).unwrap().is_command_line);
    }

    #[test]
    fn what_cannot_be_started_says_why_and_what_to_do() {
        let world = World::new();
        world.file("data", "x", 0o644);
        world.file("app.js", "", 0o644);
        std::fs::create_dir(world.folder.path().join("work/dir")).unwrap();
        world.refused("missing.js", None, "no such file, no such program in PATH, and no app");
        world.refused("./missing.js", None, "there is no such file");
        world.refused("app.js/x", None, "Not a directory");
        world.refused("dir", None, "is a directory");
        world.refused("data", None, "is not executable");
        world.refused("app.js", Some("none"), "is not executable");
        world.refused("app.js", Some("deno"), "\"deno\" is not in PATH");
        world.refused("app.js", Some("/nonexistent/node"), "/nonexistent/node");
        world.refused("two words.js", Some("node"), "no such file");
        world.refused("", None, "is a directory");
    }
}
