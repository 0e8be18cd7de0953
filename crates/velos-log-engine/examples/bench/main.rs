//! How fast logs are read: `cargo run --release -p velos-log-engine --example bench [FOLDER] [MIB | FILE]`.
//!
//! Writes a log of so many MiB (256), or a copy of a file, with its index into a folder of its own, reads it in several ways,
//! and removes it. `write FILE MIB` only writes, `read FILE` only reads; `read FILE --json` prints a document per figure.
//! Each figure is the best of five runs, one thread, with the file in the page cache. Where `rg` or `grep` is installed, it
//! searches the same file for the same words.

mod figures;
mod log;

use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let is_json = words.iter().any(|word| word == "--json");
    words.retain(|word| word != "--json");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["write", file, mib] => {
            let mib: u64 =
                mib.parse().map_err(|_| io::Error::other(format!("\"{mib}\" is no number of MiB")))?;
            log::write(Path::new(file), log::service(mib << 20))
        }
        ["read", file] => figures::measure(Path::new(file), is_json),
        _ => {
            let folder = words.first().map_or_else(std::env::temp_dir, PathBuf::from);
            let folder = folder.join(format!("velos-bench-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            let measured =
                write_and_read(&folder.join("bench-out.log"), words.get(1).unwrap_or(&"256"), is_json);
            std::fs::remove_dir_all(&folder)?;
            measured
        }
    }
}

fn write_and_read(log: &Path, what: &str, is_json: bool) -> io::Result<()> {
    match what.parse::<u64>() {
        Ok(mib) => log::write(log, log::service(mib << 20))?,
        Err(_) => {
            let text = String::from_utf8_lossy(&std::fs::read(what)?).into_owned();
            log::write(log, text.lines().map(|line| format!("{line}\n")))?;
        }
    }
    figures::measure(log, is_json)
}
