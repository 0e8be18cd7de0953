"""The measurements, each a function that adds rows to the report. Each leaves no app behind."""

import os
import statistics
import subprocess
import time

import clock
from report import times

MB = 1_000_000
GB = 1_000_000_000
LINE_BYTES = 100
CHUNK_BYTES = 65_536
# A daemon gives back what a command needed before this is over.
QUIET_S = 5
# `start` may return before the program has run its first instruction: `delete` must not come before that either.
PAUSE = [None, "sleep", "0.02"]


def cold_start(bench):
    """The first `list` of all, which starts the daemon, against a later one."""
    velos, values = bench.velos, {}
    first, later = bench.timer(velos).run(bench.rounds, velos.list(), velos.list(), [None, *velos.kill()])
    values["velos"] = clock.median_ms(first)
    ratio = values["velos"] / clock.median_ms(later)
    if bench.pm2:
        (first,) = bench.timer(bench.pm2).run(bench.rounds_slow, bench.pm2.list(), [None, *bench.pm2.kill()])
        values["pm2"] = clock.median_ms(first)
    if bench.supervisord:
        other = bench.supervisord
        daemon, status = bench.timer(other).run(1, other.daemon(), other.list())
        values["supervisord"] = clock.median_ms(daemon) + clock.median_ms(status)
    bench.report.add(
        "cold start to first `list`", "ms", values, ratio=times(ratio, "`list`"), goal="<= 3x `list`", is_met=ratio <= 3
    )


def memory(bench, when, goals):
    """Resident and unshared memory of daemon and guardian; goals are (RSS, USS) of the daemon or None."""
    # Who asks a daemon for its number wakes it, so that comes before the quiet time.
    for manager in bench.managers():
        manager.pids()
    time.sleep(bench.settle_s + 1)
    daemon, together = {}, {}
    for manager in bench.managers():
        sizes = {name: clock.memory(pid) for name, pid in manager.pids()}
        daemon[manager.name] = sizes["daemon"]
        together[manager.name] = tuple(sum(size[i] for size in sizes.values()) for i in (0, 1))
    guardian = dict(bench.velos.pids())["guardian"]
    rows = [("daemon", daemon, goals), ("guardian", {"velos": clock.memory(guardian)}, (None, None))]
    rows.append(("daemon and guardian", together, (None, None)))
    for who, sizes, bounds in rows:
        for i, kind in ((0, "RSS"), (1, "USS")):
            values = {name: size[i] / MB for name, size in sizes.items()}
            goal = bounds[i]
            bench.report.add(
                f"{who} {when}, {kind}", "MB", values,
                goal=f"<= {goal} MB" if goal else "", is_met=values["velos"] <= goal if goal else None,
            )  # fmt: skip


def memory_idle(bench):
    """Nothing to manage."""
    bench.ensure_daemons()
    memory(bench, "idle", (2.5, 1.2))


def start(bench):
    """From the command to the program's first instruction, and to the command's end."""
    program = bench.programs[0]

    def measure(manager, rounds, begin, end):
        bench.stamps.clear()
        started, hello = bench.timer(manager).run(rounds, begin, [bench.hello], PAUSE, [None, *end])
        began = [ns for _, _, ns in bench.stamps.wait("start", rounds, 10)]
        until_run = statistics.median(ns - begin for ns, (begin, _) in zip(began, started, strict=True)) / 1e6
        return until_run, clock.median_ms(started), clock.median_ms(hello)

    velos = bench.velos
    run, back = {}, {}
    run["velos"], back["velos"], hello = measure(
        velos, bench.rounds, velos.start(program, name="one-{}"), velos.remove("one-{}")
    )
    if pm2 := bench.pm2:
        words = pm2.start(program, name="one-{}"), pm2.remove("one-{}")
        run["pm2"], back["pm2"], _ = measure(pm2, bench.rounds_slow, *words)
    if other := bench.supervisord:
        other.declare({"one": program})
        other.restart()
        words = other.control("start", "one"), other.control("stop", "one")
        run["supervisord"], back["supervisord"], _ = measure(other, bench.rounds_slow, *words)
    for what, values in (("the program runs", run), ("the command returns", back)):
        ratio = values["velos"] / hello
        bench.report.add(
            f"`start` until {what}", "ms", values,
            ratio=times(ratio, f"hello world ({hello:.2f} ms)"), goal="<= 2x hello world", is_met=ratio <= 2,
        )  # fmt: skip


def with_ten_apps(bench):
    """`list`, a crash, and a minute in which nothing happens."""
    bench.stamps.clear()
    bench.start_apps(10)
    _list_of_ten(bench)
    _until_it_runs_again(bench)
    _wakeups(bench)
    bench.remove_apps(10)


def _list_of_ten(bench):
    values = {}
    mine, hello = map(clock.median_ms, bench.timer(bench.velos).run(bench.rounds, bench.velos.list(), [bench.hello]))
    values["velos"] = mine
    for manager in bench.managers()[1:]:
        (runs,) = bench.timer(manager).run(bench.rounds_slow, manager.list())
        values[manager.name] = clock.median_ms(runs)
    ratio = mine / hello
    bench.report.add(
        "`list` with 10 apps", "ms", values,
        ratio=times(ratio, f"hello world ({hello:.2f} ms)"), goal="<= 1.3x hello world", is_met=ratio <= 1.3,
    )  # fmt: skip


def _until_it_runs_again(bench):
    """SIGKILL to each of ten apps in turn; the next process of the app says when it runs."""
    values = {}
    for manager in bench.managers():
        delays = []
        for _ in range(bench.rounds_kill):
            time.sleep(1.3)  # Long enough that the runs that end were stable ones: no back-off.
            newest = {name: pid for name, pid, _ in bench.stamps.all("start") if name in bench.owned[manager.name]}
            for name, pid in newest.items():
                before = len(bench.stamps.all("start"))
                killed = clock.now_ns()
                os.kill(pid, 9)
                # Look late, so that looking takes no processor from what is measured.
                time.sleep(0.02)
                again = bench.stamps.wait("start", before + 1, 30)[before:]
                delays += [ns - killed for other, _, ns in again if other == name]
        values[manager.name] = statistics.median(delays) / 1e6
    bench.report.add(
        "SIGKILL of the app until it runs again", "ms", values, goal="<= 1 ms", is_met=values["velos"] <= 1
    )


def _wakeups(bench):
    """All managers at once, each with its ten sleeping apps; nobody asks them anything."""
    time.sleep(bench.settle_s)
    count = {m.name: (lambda pids: sum(clock.wakeups(pid) for _, pid in pids)) for m in bench.managers()}
    pids = {manager.name: manager.pids() for manager in bench.managers()}
    before = {name: count[name](pids[name]) for name in pids}
    time.sleep(bench.idle_s)
    values = {name: (count[name](pids[name]) - before[name]) * 60 / bench.idle_s for name in pids}
    bench.report.add(
        "wake-ups a minute, 10 apps, daemon and guardian", "", values, goal="<= 12", is_met=values["velos"] <= 12
    )


def hundred_apps(bench):
    """100 apps from one command until the last of them runs; then the memory."""
    delays = {manager.name: [] for manager in bench.managers()}
    for round_number in range(bench.rounds_hundred):
        for manager in bench.managers():
            programs = bench.programs[:100]
            if manager is bench.supervisord:
                manager.declare({program.name: program for program in programs})
                manager.restart()
                command = manager.control("start", "all")
            else:
                command = manager.start_many(programs)
            bench.stamps.clear()
            begin = clock.now_ns()
            manager.run(command)
            began = bench.stamps.wait("start", 100, 60)
            delays[manager.name].append(max(ns for _, _, ns in began) - begin)
            if round_number + 1 < bench.rounds_hundred:
                _remove_hundred(bench, manager)
    values = {name: statistics.median(ns) / 1e6 for name, ns in delays.items()}
    bench.report.add(
        "100 apps from one command until all run", "ms", values, goal="<= 60 ms", is_met=values["velos"] <= 60
    )
    memory(bench, "with 100 apps", (None, 2.5))
    for manager in bench.managers():
        _remove_hundred(bench, manager)


def _remove_hundred(bench, manager):
    manager.run(manager.control("stop", "all") if manager is bench.supervisord else manager.remove("all"))


def capture(bench):
    """Output of one app to its log: per CPU-second of the manager, and against `cat > file`."""
    bench.ensure_daemons()
    for what, chunk, goal in (("64 KB writes", CHUNK_BYTES, 1.0), ("a write per line", LINE_BYTES, 0.4)):
        mine = bench.flood_bytes if chunk == CHUNK_BYTES else bench.flood_bytes // 4
        rates, walls, cats = [], [], []
        for _ in range(bench.rounds_flood):
            cpu, wall = _flood(bench, bench.velos, mine, chunk)
            rates.append(mine / cpu)
            walls.append(wall)
            cats.append(_cat(bench, mine, chunk))
        values = {"velos": statistics.median(rates)}
        for manager in bench.managers()[1:]:
            theirs = mine // 8
            values[manager.name] = theirs / _flood(bench, manager, theirs, chunk)[0]
        ratio = f"{values['velos'] / values['pm2']:.3g}x PM2" if "pm2" in values else ""
        bench.report.add(
            f"capture, {what}, per CPU-second", "GB", values, ratio=ratio,
            goal=f">= {goal} GB", is_met=values["velos"] >= goal,
        )  # fmt: skip
        ratio = statistics.median(walls) / statistics.median(cats)
        bench.report.add(
            f"capture, {what}, {mine / GB:.2g} GB on the clock", "ms", {"velos": statistics.median(walls) / 1e6},
            ratio=times(ratio, f"`cat > file` ({statistics.median(cats) / 1e6:.0f} ms)"),
            goal="<= 1.1x `cat > file`", is_met=ratio <= 1.1,
        )  # fmt: skip


def memory_flooding(bench):
    """Highest resident memory of the daemon while an app writes as fast as it can, above what it was while it was quiet."""
    bench.ensure_daemons()
    values = {}
    for manager in bench.managers():
        size = bench.flood_bytes // (1 if manager is bench.velos else 8)
        seen = []
        look = lambda m=manager, s=seen: s.append(clock.memory(m.daemon_pid())[0])  # noqa: E731
        # The first look comes before the app has written anything, and when the work of starting it is over.
        _flood(bench, manager, size, CHUNK_BYTES, look, quiet_s=QUIET_S)
        values[manager.name] = (max(seen) - seen[0]) / MB
    bench.report.add(
        "daemon RSS while one app floods, above idle", "MB", values, goal="<= 1 MB", is_met=values["velos"] <= 1
    )


def memory_flooded_apps(bench):
    """Highest resident memory of the daemon while ten apps write as fast as they can, for each of them, above idle."""
    bench.ensure_daemons()
    velos, count = bench.velos, 10
    size = bench.flood_bytes // count
    programs = bench.programs[:count]
    bench.stamps.clear()
    begun = time.monotonic()
    for program in programs:
        velos.run(velos.start(program, "flood", size, CHUNK_BYTES, 2 * QUIET_S * 1000, name=program.name))
    daemon = velos.daemon_pid()
    bench.stamps.wait("start", count, 60)
    # The first has not begun to write yet, and what the work of starting the last took is given back.
    time.sleep(max(0, begun + QUIET_S * 1.8 - time.monotonic()))
    seen = [clock.memory(daemon)[0]]

    def are_done():
        seen.append(clock.memory(daemon)[0])
        return len(bench.stamps.all("done")) >= count

    clock.wait_until("ten apps to write", bench.flood_limit_s, are_done)
    each = (max(seen) - seen[0]) / count / 1024
    for program in programs:
        velos.run([velos.binary, "flush", program.name])
        velos.run(velos.remove(program.name))
    bench.report.add(
        "daemon RSS while ten apps flood, above idle, for each", "KiB", {"velos": each}, goal="<= 256 KiB",
        is_met=each <= 256,
    )  # fmt: skip


def _flood(bench, manager, size, chunk, look=lambda: time.sleep(0.02), quiet_s=0):
    """Let one app write, once it has been quiet for so long; CPU time and length until its last byte is in the log, ns.
    Meanwhile it looks again and again."""
    program = bench.programs[0]
    name = program.name
    words = ["flood", size, chunk, quiet_s * 1000]
    if manager is bench.supervisord:
        manager.declare({name: " ".join(map(str, [program, *words]))})
        manager.restart()
        begin, end = manager.control("start", name), manager.control("stop", name)
    else:
        begin, end = manager.start(program, *words, name=name), manager.remove(name)
    already = manager.log_bytes(name)
    bench.stamps.clear()
    cpu_before = manager.cpu_ns()
    manager.run(begin)
    time.sleep(quiet_s * 0.8)

    def is_done():
        look()
        written = manager.log_bytes(name)
        return bench.stamps.all("done") and (written is None or written - already >= size)

    clock.wait_until(f"{manager.name} to write {size} bytes", bench.flood_limit_s, is_done)
    cpu = manager.cpu_ns() - cpu_before
    wall = bench.stamps.all("done")[0][2] - bench.stamps.all("start")[0][2]
    if manager is bench.velos:
        manager.run([manager.binary, "flush", name])
    manager.run(end)
    return cpu, wall


def _cat(bench, size, chunk):
    """The same app, its output through a pipe into `cat > file`; ns until the pipe is empty."""
    target = bench.folder / "cat.log"
    bench.stamps.clear()
    reader, writer = os.pipe()
    with target.open("wb") as file:
        cat = subprocess.Popen(["cat"], stdin=reader, stdout=file, env=bench.environment)
    os.close(reader)
    words = [bench.programs[0], "flood", str(size), str(chunk)]
    app = subprocess.Popen(words, stdout=writer, env=bench.environment)
    os.close(writer)
    try:
        bench.stamps.wait("done", 1, bench.flood_limit_s)
    finally:
        app.kill()
        app.wait(timeout=30)
        cat.wait(timeout=30)
    wall = bench.stamps.all("done")[0][2] - bench.stamps.all("start")[0][2]
    target.unlink()
    return wall
