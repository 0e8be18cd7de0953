"""The table that comes out, as Markdown."""

import datetime
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

MANAGERS = ["velos", "pm2", "supervisord"]

PAGE = """# Benchmarks

Written by `make bench` (`bench/run.py`); do not edit. Velos, PM2 and supervisord are measured in one run on one machine, taking
turns within each round, so what counts are the ratios. Medians.

{date}: {machine}

Command: `{command}`

{table}
{notes}
How each row is measured stands in `bench/rows.py` beside the code. MB and GB are powers of ten. *USS* is memory that no other process
shares. *Hello world* is a Rust program that prints one line, started the same way. *GB per CPU-second* is what the app wrote,
divided by the user and system time of the manager's processes, all threads, logs rotated as by default. What reads logs uses one
thread and the page cache; `rg` and `velos logs` are whole commands that found the same lines.
"""


@dataclass
class Row:
    """One line of the table."""

    what: str
    unit: str
    values: dict
    ratio: str = ""
    goal: str = ""
    is_met: bool | None = None

    def markdown(self):
        """As a line of Markdown."""
        cells = [number(self.values.get(name), self.unit) for name in MANAGERS]
        met = {True: "yes", False: "**no**", None: ""}[self.is_met]
        return f"| {' | '.join([self.what, *cells, self.ratio, self.goal, met])} |"


def number(value, unit):
    """Three significant digits."""
    if value is None:
        return "–"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()


def times(value, of):
    """A ratio for people."""
    return f"{value:.2f}x {of}"


def against_pm2(values):
    """How many times more PM2 needs."""
    mine, theirs = values.get("velos"), values.get("pm2")
    return f"PM2 {theirs / mine:.3g}x" if mine and theirs else ""


@dataclass
class Report:
    """Rows as they come, and what went wrong."""

    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def add(self, what, unit, values, *, ratio=None, goal="", is_met=None):
        """Add a row and show it at once."""
        row = Row(what, unit, values, against_pm2(values) if ratio is None else ratio, goal, is_met)
        self.rows.append(row)
        print(row.markdown(), flush=True)

    def note(self, text):
        """Say what is missing."""
        self.notes.append(text)
        print(f"note: {text}", flush=True)

    def page(self, versions):
        """The whole page."""
        table = ["| what | Velos | PM2 | supervisord | ratio | goal | met |", "|---|---|---|---|---|---|---|"]
        table += [row.markdown() for row in self.rows]
        notes = "".join(f"\n- {note}" for note in self.notes)
        settings = [f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("BENCH_")]
        return PAGE.format(
            date=datetime.date.today().isoformat(),
            machine="; ".join([machine(), *versions]),
            command=" ".join([*settings, "make bench"]),
            table="\n".join(table),
            notes=f"\nNotes:\n{notes}\n" if notes else "",
        )


def machine():
    """Processor, memory and kernel in a line."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.partition(":")[2].strip() for line in info if line.startswith("model name")}
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    cores = len(os.sched_getaffinity(0))
    return f"{cores} x {', '.join(models) or platform.machine()}, {memory_kib / 1e6:.0f} GB, Linux {platform.release()}"
