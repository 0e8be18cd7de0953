//! From what was typed to what is executed: find the file, find its interpreter.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use velos_core::error::{ErrorCode, ErrorReply};

/// What to execute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// As shown: absolute path or command line.
    pub(crate) script: PathBuf,
    /// Name of the interpreter, `None`: the file itself is executed.
    pub(crate) interpreter: Option<String>,
    /// Absolute path of what is executed.
    pub(crate) program: PathBuf,
    /// Words between argv[0] and the script's own arguments.
    pub(crate) leading: Vec<String>,
}

/// Interpreters by extension, in order of preference.
const BY_EXTENSION: &[(&str, &[&str])] = &[
    ("js", &["node"]),
    ("mjs", &["node"]),
    ("cjs", &["node"]),
    ("py", &["python3", "python"]),
    ("sh", &["bash", "sh"]),
    ("rb", &["ruby"]),
    ("pl", &["perl"]),
    ("php", &["php"]),
    ("ts", &["tsx", "bun", "ts-node"]),
    ("tsx", &["tsx", "bun", "ts-node"]),
];

/// Find out what `target` is. `search` is the PATH that counts.
pub(crate) fn resolve(
    target: &str,
    cwd: &Path,
    wanted: Option<&str>,
    arguments: &[String],
    search: &str,
) -> Result<Resolved, ErrorReply> {
    let path = cwd.join(target);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => {
            let message = format!("cannot start {}: it is a directory", path.display());
            Err(failed(message).hint("name a script or program in it"))
        }
        Ok(_) => resolve_file(&path, wanted, arguments, search),
        Err(_) if target.contains(char::is_whitespace) => shell_command(target, search),
        Err(_) if !target.contains('/') && find(target, search).is_some() => {
            let program = find(target, search).unwrap_or_default();
            resolve_file(&program, wanted.or(Some("none")), arguments, search)
        }
        Err(error) => {
            let reason = if error.kind() == std::io::ErrorKind::NotFound {
                "there is no such file, no such program in PATH, and no app of that name".to_owned()
            } else {
                error.to_string()
            };
            Err(failed(format!("cannot start {target}: {reason}"))
                .hint("give the path of a script, the name of a program, or see `velos list`"))
        }
    }
}

fn resolve_file(
    path: &Path,
    wanted: Option<&str>,
    arguments: &[String],
    search: &str,
) -> Result<Resolved, ErrorReply> {
    let name = match wanted {
        Some("none") => None,
        Some(name) => Some(named(name, search)?),
        None => guess(path, search)?,
    };
    let Some((name, program, mut leading)) = name else {
        return direct(path);
    };
    leading.extend(arguments.iter().cloned());
    leading.push(path.to_string_lossy().into_owned());
    Ok(Resolved { script: path.to_path_buf(), interpreter: Some(name), program, leading })
}

fn direct(path: &Path) -> Result<Resolved, ErrorReply> {
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode()).unwrap_or(0);
    if mode & 0o111 == 0 {
        let message = format!(
            "cannot start {}: it is not executable and its extension names no interpreter",
            path.display()
        );
        return Err(failed(message).hint(format!("run: chmod +x {}, or give --interpreter", path.display())));
    }
    Ok(Resolved {
        script: path.to_path_buf(),
        interpreter: None,
        program: path.to_path_buf(),
        leading: Vec::new(),
    })
}

type Found = (String, PathBuf, Vec<String>);

fn named(name: &str, search: &str) -> Result<Found, ErrorReply> {
    let given = Path::new(name);
    let program =
        if name.contains('/') { given.exists().then(|| absolute(given)) } else { find(name, search) };
    let Some(program) = program else {
        return Err(failed(format!("cannot start it: the interpreter {name:?} is not in PATH"))
            .hint("install it, or give its path with --interpreter"));
    };
    let shown = given.file_name().map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok((shown, program, Vec::new()))
}

/// By extension first (a `.js` file that is executable is still node's), then by `#!`, then by what is in it.
fn guess(path: &Path, search: &str) -> Result<Option<Found>, ErrorReply> {
    let extension =
        path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let candidates = BY_EXTENSION.iter().find(|(known, _)| *known == extension).map(|(_, names)| *names);
    if let Some(names) = candidates {
        if extension == "py"
            && let Some(python) = virtual_environment(path)
        {
            return Ok(Some(("python".to_owned(), python, Vec::new())));
        }
        let found = names.iter().find_map(|name| Some(((*name).to_owned(), find(name, search)?, Vec::new())));
        return match found {
            Some(found) => Ok(Some(found)),
            None => {
                let message =
                    format!("cannot start {}: none of {} is in PATH", path.display(), names.join(", "));
                Err(failed(message).hint("install one of them, or give --interpreter"))
            }
        };
    }
    match shebang(path) {
        // The kernel follows it, if it may.
        Some(_) if std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0) => {
            Ok(None)
        }
        Some(words) => from_shebang(&words, search).map(Some),
        None => Ok(None),
    }
}

fn from_shebang(words: &[String], search: &str) -> Result<Found, ErrorReply> {
    let mut words = words.iter().cloned();
    let first = words.next().unwrap_or_default();
    let (name, rest): (String, Vec<String>) = if first.ends_with("/env") {
        let mut rest = words.skip_while(|word| word.starts_with('-'));
        (rest.next().unwrap_or_default(), rest.collect())
    } else {
        (first, words.collect())
    };
    let (shown, program, _) = named(&name, search)?;
    Ok((shown, program, rest))
}

/// The words behind `#!` in the first line.
fn shebang(path: &Path) -> Option<Vec<String>> {
    let mut head = [0u8; 256];
    let length = File::open(path).ok()?.read(&mut head).ok()?;
    let line = head.get(..length)?.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let words: Vec<String> = String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

fn virtual_environment(script: &Path) -> Option<PathBuf> {
    let folder = script.parent()?;
    let python = folder
        .ancestors()
        .take(3)
        .map(|folder| folder.join(".venv/bin/python"))
        .find(|python| python.exists())?;
    Some(python)
}

fn shell_command(line: &str, search: &str) -> Result<Resolved, ErrorReply> {
    let shell = ["bash", "sh"].into_iter().find_map(|name| Some((name, find(name, search)?)));
    let Some((name, program)) = shell else {
        return Err(failed("cannot start a shell command: neither bash nor sh is in PATH"));
    };
    let leading = vec!["-c".to_owned(), line.to_owned()];
    Ok(Resolved { script: PathBuf::from(line), interpreter: Some(name.to_owned()), program, leading })
}

/// An executable file of this name in the folders of a PATH.
fn find(name: &str, search: &str) -> Option<PathBuf> {
    search
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join(name))
        .find(|path| {
            std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn failed(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("velos-interpreter-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn file(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn by_extension_shebang_and_mode() {
        let folder = folder();
        let path = folder.to_string_lossy().into_owned();
        file(&folder.join("node"), "", 0o755);
        file(&folder.join("app.js"), "", 0o644);
        file(&folder.join("tool"), "#!/usr/bin/env -S node --flag\n", 0o644);
        file(&folder.join("run"), "#!/bin/sh\n", 0o755);
        file(&folder.join("data"), "x", 0o644);
        let resolve = |name: &str| resolve(name, &folder, None, &[], &path);
        let js = resolve("app.js").unwrap();
        assert_eq!((js.interpreter.as_deref(), js.program), (Some("node"), folder.join("node")));
        let tool = resolve("tool").unwrap();
        assert_eq!(tool.leading, ["--flag".to_owned(), folder.join("tool").to_string_lossy().into_owned()]);
        assert_eq!(resolve("run").unwrap().interpreter, None);
        assert!(resolve("data").unwrap_err().message.contains("not executable"));
        assert!(resolve("missing.js").unwrap_err().message.contains("no such file"));
        assert!(resolve(".").unwrap_err().message.contains("directory"));
        file(&folder.join("x.py"), "", 0o644);
        assert!(resolve("x.py").unwrap_err().message.contains("python3, python"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
