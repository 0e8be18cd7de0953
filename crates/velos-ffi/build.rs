//! Builds the Zig library and links it. Zig is taken from `$ZIG`, from PATH or from `.tools/zig`, in exactly the version
//! of `zig/ZIG_VERSION`; when there is none, `scripts/zig-bootstrap` installs it from PyPI into `.tools/zig`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = manifest.join("../..");
    let zig_folder = root.join("zig");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for path in ["build.zig", "build.zig.zon", "include", "src", "ZIG_VERSION"] {
        println!("cargo::rerun-if-changed={}", zig_folder.join(path).display());
    }
    println!("cargo::rerun-if-env-changed=ZIG");

    let version = std::fs::read_to_string(zig_folder.join("ZIG_VERSION")).unwrap_or_default();
    let zig = find_zig(&root, version.trim());
    let prefix = out.join("zig");
    let status = Command::new(&zig)
        .arg("build")
        .arg("--prefix")
        .arg(&prefix)
        .arg("--cache-dir")
        .arg(out.join("zig-cache"))
        .arg("--global-cache-dir")
        .arg(root.join(".tools/zig-global-cache"))
        .args(target_arguments())
        .current_dir(&zig_folder)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => {
            fail(&format!("`{} build` in {} ended with {status}", zig.display(), zig_folder.display()))
        }
        Err(error) => fail(&format!("{} cannot be run: {error}", zig.display())),
    }
    println!("cargo::rustc-link-search=native={}", prefix.join("lib").display());
    println!("cargo::rustc-link-lib=static=velos_core");
}

/// Only a foreign target is named: for our own, Zig knows the machine best.
fn target_arguments() -> Vec<String> {
    let (target, host) = (env::var("TARGET").unwrap_or_default(), env::var("HOST").unwrap_or_default());
    let mut parts = target.split('-');
    let architecture = parts.next().unwrap_or_default();
    let cpu = if architecture == "x86_64" { vec!["-Dcpu=baseline".to_owned()] } else { Vec::new() };
    if target == host {
        return cpu;
    }
    let system = if target.contains("darwin") {
        "macos"
    } else if target.contains("musl") {
        "linux-musl"
    } else {
        "linux-gnu"
    };
    let mut arguments = vec![format!("-Dtarget={architecture}-{system}")];
    arguments.extend(cpu);
    arguments
}

fn find_zig(root: &Path, version: &str) -> PathBuf {
    if let Some(given) = env::var_os("ZIG").filter(|given| !given.is_empty()) {
        return PathBuf::from(given);
    }
    let local = root.join(".tools/zig/ziglang/zig");
    if let Some(found) =
        [PathBuf::from("zig"), local.clone()].into_iter().find(|zig| is_version(zig, version))
    {
        return found;
    }
    let bootstrapped = Command::new(root.join("scripts/zig-bootstrap")).status();
    if bootstrapped.is_ok_and(|status| status.success()) && is_version(&local, version) {
        return local;
    }
    fail(&format!(
        "Zig {version} is needed to build the core of Velos and could not be had: there is none of that version on \
         PATH or in .tools/zig, and scripts/zig-bootstrap could not install it from PyPI (package ziglang) with \
         `python3 -m pip`. Install Zig {version} from https://ziglang.org/download and set ZIG to its path, or make \
         pip and the network available and build again."
    ))
}

fn is_version(zig: &Path, version: &str) -> bool {
    let output = Command::new(zig).arg("version").output();
    output.is_ok_and(|output| {
        output.status.success() && String::from_utf8_lossy(&output.stdout).trim() == version
    })
}

fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    exit(1)
}
