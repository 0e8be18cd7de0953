"""What the bench needs beside the product: other programs from their registries, and helpers that are compiled."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools" / "bench"
PM2_VERSION = "7.0.4"
SUPERVISOR_VERSION = "4.3.0"
RIPGREP_VERSION = "15.1.0"


def _run(*words, seconds=600):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def helpers():
    """Compile the helpers that are older than their sources; gives the folder they are in."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent
    recipes = {
        "timeit": (here / "timeit.c", ["cc", "-O2", "-o"]),
        # Static, so that the program that is managed costs next to nothing itself.
        "app": (here / "app.c", ["cc", "-O2", "-static", "-o"]),
        "hello": (here / "hello.rs", ["rustc", "-O", "--edition", "2024", "-o"]),
    }
    for name, (source, compiler) in recipes.items():
        binary = TOOLS / name
        if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
            _run(*compiler, binary, source)
    return TOOLS


def pm2():
    """Path of PM2's command, installed if needed."""
    command = TOOLS / "node_modules" / ".bin" / "pm2"
    if not command.exists():
        if shutil.which("npm") is None:
            raise RuntimeError("npm is not installed")
        _run("npm", "install", "--no-audit", "--no-fund", "--prefix", TOOLS, f"pm2@{PM2_VERSION}")
    return command


def supervisor():
    """Folder with supervisord's Python packages, installed if needed."""
    folder = TOOLS / "py"
    if not (folder / "supervisor").is_dir():
        _run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, f"supervisor=={SUPERVISOR_VERSION}")
    return folder


def ripgrep():
    """Path of rg, installed if there is none."""
    found = shutil.which("rg")
    if found:
        return Path(found)
    root = TOOLS.parent / "rg"
    command = root / "bin" / "rg"
    if not command.exists():
        _run("cargo", "install", "ripgrep", "--version", RIPGREP_VERSION, "--locked", "--quiet", "--root", root, seconds=1200)
    return command


def engine_bench():
    """The log engine's own bench; `make bench` builds it."""
    command = ROOT / "target" / "release" / "examples" / "bench"
    if not command.exists():
        raise RuntimeError(f"{command} is not there; run `cargo build --release -p velos-log-engine --example bench`")
    return command


def versions():
    """Names and versions of compilers and interpreters, for the record."""
    found = [_run("rustc", "--version").strip(), f"Python {sys.version.split()[0]}"]
    if shutil.which("node"):
        found.append(f"Node {_run('node', '--version').strip()}")
    return found
