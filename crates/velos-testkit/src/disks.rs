//! Disks that fill up or hang, mounted over a folder of a test.
//!
//! Whoever mounts also leaves a shell behind that waits for the end of its input: it thaws and unmounts when the test
//! drops the disk, and as well when the test is killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// A mounted disk; gone when dropped.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    undertaker: Child,
}

impl Disk {
    /// A file system in memory that holds `bytes`. The error says why this machine cannot.
    pub fn small(folder: &Path, bytes: u64) -> Result<Self, String> {
        must("mount", &["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "velos-test", &text(folder)])?;
        Ok(Self::guarded(folder, ""))
    }

    /// An ext4 in a file of 32 MiB, which can be frozen.
    pub fn freezable(folder: &Path, image: &Path) -> Result<Self, String> {
        if crate::program("fsfreeze").is_none() {
            return Err("no fsfreeze here".to_owned());
        }
        let file = std::fs::File::create(image).map_err(|error| error.to_string())?;
        file.set_len(32 << 20).map_err(|error| error.to_string())?;
        must("mkfs.ext4", &["-q", "-F", &text(image)])?;
        must("mount", &["-o", "loop", &text(image), &text(folder)])?;
        Ok(Self::guarded(folder, "fsfreeze -u \"$1\" 2>/dev/null;"))
    }

    fn guarded(folder: &Path, before: &str) -> Self {
        let script = format!("PATH=$PATH:/usr/sbin:/sbin; read -r _; {before} umount -l \"$1\"");
        let undertaker = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("start a shell");
        Self { folder: folder.to_path_buf(), undertaker }
    }

    /// From now on every write hangs.
    pub fn freeze(&self) -> Result<(), String> {
        must("fsfreeze", &["-f", &text(&self.folder)])
    }

    /// Writes go on.
    pub fn thaw(&self) -> Result<(), String> {
        must("fsfreeze", &["-u", &text(&self.folder)])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.undertaker.stdin.take());
        // It ends by itself; a failure leaves a mount in the folder of the test, and removing that folder tells.
        let _ = self.undertaker.wait();
    }
}

fn must(name: &str, args: &[&str]) -> Result<(), String> {
    let program = crate::program(name).ok_or_else(|| format!("no {name} here"))?;
    let output = Command::new(program).args(args).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
