#!/usr/bin/env python3
"""Measures Velos beside PM2, supervisord and ripgrep and writes docs/benchmarks.md. `make bench` calls it.

    BENCH_ROUNDS        rounds of what takes milliseconds, 100; slower things get a tenth of them or less
    BENCH_IDLE_SECONDS  length of the idle window, 60
    BENCH_FLOOD_MB      what one flood writes in 64 KB writes, 1024; a quarter of it line by line
    BENCH_DIR           where homes and logs are put, the system's temporary folder
    BENCH_ONLY          names of measurements, with commas
"""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import clock
import installs
import logs
import managers
import policies
import rows
from report import Report

MEASUREMENTS = [
    rows.cold_start, rows.memory_idle, rows.start, rows.with_ten_apps, rows.hundred_apps, rows.memory_flooding,
    rows.memory_flooded_apps, rows.capture,
    policies.apply_unchanged, policies.watch, policies.memory_limit, policies.graph, policies.health, logs.reading,
]  # fmt: skip
PROGRAMS = 100


def setting(name, default):
    """A whole number from the environment."""
    return int(os.environ.get(name, default))


class Bench:
    """What the measurements share."""

    def __init__(self, binary, folder, marker, report):
        self.folder, self.report = Path(folder), report
        self.rounds = setting("BENCH_ROUNDS", 100)
        self.rounds_slow = max(1, self.rounds // 10)
        self.rounds_kill = max(1, self.rounds // 20)
        self.rounds_hundred = max(1, self.rounds // 20)
        self.rounds_flood = max(1, self.rounds // 20)
        self.idle_s = setting("BENCH_IDLE_SECONDS", 60)
        self.settle_s = min(5, self.idle_s)
        self.flood_bytes = setting("BENCH_FLOOD_MB", 1024) * 1_000_000
        self.flood_limit_s = 120
        self.owned = {}

        helpers = installs.helpers()
        self.hello = helpers / "hello"
        self.timeit = helpers / "timeit"
        self.stamps = clock.Stamps(self.folder / "stamps")
        # Short and the same for all: the environment of whoever runs this should not be measured.
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8",
            "BENCH_STAMPS": str(self.stamps.path), "BENCH_RUN": marker.partition("=")[2],
        }  # fmt: skip
        self.programs = self._programs(helpers / "app")
        self.velos = managers.Velos(binary, self.environment, folder)
        self.pm2 = self._optional("PM2", installs.pm2, managers.Pm2)
        self.supervisord = self._optional("supervisord", installs.supervisor, managers.Supervisord)

    def _programs(self, app):
        """As many names of one program."""
        place = self.folder / "programs"
        place.mkdir()
        names = [place / f"app{number}" for number in range(PROGRAMS)]
        shutil.copy2(app, names[0])
        for name in names[1:]:
            os.link(names[0], name)
        return names

    def _optional(self, name, install, manager):
        try:
            return manager(install(), self.environment, self.folder)
        except (RuntimeError, OSError) as error:
            self.report.note(f"{name} is missing from this run: {error}")
            return None

    def managers(self):
        """Those that are there, the product first."""
        return [manager for manager in (self.velos, self.pm2, self.supervisord) if manager]

    def timer(self, manager):
        """Times commands of this manager."""
        return clock.Timer(self.timeit, manager.environment, manager.folder)

    def ensure_daemons(self):
        """All run, and were asked for their list once."""
        for manager in self.managers():
            if manager is self.supervisord:
                manager.declare({})
                manager.restart()
            manager.run(manager.list())

    def start_apps(self, count):
        """So many apps under each manager, with names of their own."""
        for number, manager in enumerate(self.managers()):
            programs = self.programs[number * count : (number + 1) * count]
            self.owned[manager.name] = {program.name for program in programs}
            before = len(self.stamps.all("start"))
            if manager is self.supervisord:
                manager.declare({program.name: program for program in programs})
                manager.restart()
                manager.run(manager.control("start", "all"))
            else:
                manager.run(manager.start_many(programs))
            self.stamps.wait("start", before + count, 60)

    def remove_apps(self, _count):
        """All of them."""
        for manager in self.managers():
            manager.run(manager.control("stop", "all") if manager is self.supervisord else manager.remove("all"))


def main():
    """Measure, print, write. 1 when something could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--velos", type=Path, default=installs.ROOT / "target" / "release" / "velos")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    arguments = parser.parse_args()
    if not arguments.velos.exists():
        sys.exit(f"{arguments.velos} is not there; run `make build` first")
    wanted = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
    marker = f"BENCH_RUN={secrets.token_hex(8)}"
    folder = tempfile.mkdtemp(prefix="velos-bench-", dir=os.environ.get("BENCH_DIR"))
    report = Report()
    failed = False
    try:
        bench = Bench(arguments.velos.resolve(), folder, marker, report)
        for measure in MEASUREMENTS:
            if wanted and measure.__name__ not in wanted:
                continue
            try:
                measure(bench)
            except Exception as error:
                failed = True
                traceback.print_exc()
                report.note(f"{measure.__name__} could not be measured: {error}")
    finally:
        managers.clean_up(marker, folder)
    if arguments.write:
        arguments.write.write_text(report.page(installs.versions()))
        print(f"written: {arguments.write}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
