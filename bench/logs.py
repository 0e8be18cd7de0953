"""Reading a log of half a gigabyte: the command against ripgrep, and the engine's own figures."""

import json
import os
import subprocess

import clock
import installs
from report import times

LOG_MIB = 480
# What is searched, how `velos logs` and `rg` are asked for it, and the least that the goal allows.
SEARCHES = [
    ("a literal", ["payment 17777 refused"], 0.95),
    ("a literal in any case", ["-i", "PAYMENT 17777"], 1.0),
    ("a regular expression", [r"payment \d+7777 refused"], 1.0),
    # Most lines go out: mostly a matter of copying them.
    ("all without a literal", ["-v", "refused by"], 1.0),
    # Few do: the lines that match are everywhere, and each has to be passed over.
    ("all without a common word", ["-v", "INFO"], 1.0),
]
# Figure of the engine, field, factor, words, unit, goal, and whether more is better.
FIGURES = [
    ("levels", "mb_per_s", 1e-3, "levels where they stand in a column", "GB/s", 2.5, True),
    ("summary", "mb_per_s", 1, "summary, bytes", "MB/s", 500, True),
    ("summary", "million_lines_per_s", 1, "summary, lines", "M/s", 4, True),
    ("redaction", "mb_per_s", 1, "secrets hidden in lines that have none", "MB/s", 400, True),
    ("last 100 lines", "ms", 1, "the last 100 lines", "ms", 5, False),
    ("seek to the middle, first block", "ms", 1, "seek to a time in the middle", "ms", 1, False),
]


def reading(bench):
    """One thread, the log in the page cache."""
    velos, engine = bench.velos, installs.engine_bench()
    log = velos.folder / "home" / "logs" / "reading-out.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run([engine, "write", log, str(LOG_MIB)])
        _searches(bench, log)
        _figures(bench, [json.loads(line) for line in _run([engine, "read", log, "--json"]).splitlines()])
    finally:
        for path in log.parent.glob("reading-*"):
            os.unlink(path)


def _searches(bench, log):
    velos = bench.velos
    try:
        rg = installs.ripgrep()
    except (RuntimeError, OSError) as error:
        bench.report.note(f"ripgrep is missing from this run: {error}")
        return
    for what, words, least in SEARCHES:
        mine = [velos.binary, "logs", "reading", "--nostream", "--raw", *words[:-1], "--grep", words[-1]]
        theirs = [rg, "--no-config", "-j1", *words, log]
        _agree(velos, mine, theirs)
        runs = bench.timer(velos).run(bench.rounds_slow, mine, theirs)
        of_velos, of_rg = map(clock.median_ms, runs)
        ratio = of_rg / of_velos
        bench.report.add(
            f"`logs --grep` of {what}, 0.5 GB", "ms", {"velos": of_velos},
            ratio=times(ratio, f"as fast as `rg -j1` ({of_rg:.0f} ms)"), goal=f">= {least}x", is_met=ratio >= least,
        )  # fmt: skip


def _agree(velos, mine, theirs):
    """Both must find the same lines, or their times say nothing."""
    found = [_run(words, velos.environment) for words in (mine, theirs)]
    if found[0] != found[1] or not found[0]:
        raise RuntimeError(f"{mine} and {theirs} found other lines")


def _figures(bench, figures):
    by_name = {figure["name"]: figure for figure in figures}
    for name, field, factor, what, unit, bound, is_more in FIGURES:
        value = by_name[name][field] * factor
        goal = f"{'>=' if is_more else '<'} {bound} {unit}"
        bench.report.add(
            f"{what}, 0.5 GB", unit, {"velos": value}, goal=goal, is_met=value >= bound if is_more else value < bound
        )


def _run(words, environment=None):
    words = [str(word) for word in words]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-500:]}")
    return done.stdout
