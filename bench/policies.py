"""What Velos does by its policies: only its own figures, as the others have none of it or look every half minute."""

import os
import signal
import socket
import statistics
import threading
import time

import clock

MS = 1e6
LEVELS = 10
READY_MS = 100
DEBOUNCE_MS = 100
LIMIT_BYTES = 64 << 20


def _declare(bench, text):
    """A velos.toml."""
    path = bench.folder / "velos.toml"
    path.write_text(text)
    return path


def _end(bench):
    bench.velos.run(bench.velos.remove("all"))


def apply_unchanged(bench):
    """`apply` of 100 apps that are as declared."""
    velos = bench.velos
    apps = "".join(f'[apps.{p.name}]\nscript = "{p}"\n' for p in bench.programs[:100])
    path = _declare(bench, apps)
    velos.run([velos.binary, "apply", path, "--yes"])
    (runs,) = bench.timer(velos).run(bench.rounds_slow, [velos.binary, "apply", path, "--yes"])
    value = clock.median_ms(runs)
    bench.report.add("`apply` on 100 unchanged apps", "ms", {"velos": value}, goal="<= 20 ms", is_met=value <= 20)
    _end(bench)


def watch(bench):
    """From a change of a file to the next start, less the quiet time that was asked for."""
    velos, program = bench.velos, bench.programs[0]
    folder = bench.folder / "watched"
    folder.mkdir()
    words = [f"--watch={folder}", "--watch-delay", f"{DEBOUNCE_MS}ms", "--kill-timeout", "1s"]
    bench.stamps.clear()
    velos.run([*velos.start(program, name="watched"), *words])
    delays = []
    for number in range(bench.rounds_slow):
        before = len(bench.stamps.wait("start", 1, 10))
        time.sleep(1.2)
        begin = clock.now_ns()
        (folder / "file").write_text(str(number))
        delays.append(bench.stamps.wait("start", before + 1, 10)[-1][2] - begin)
    value = statistics.median(delays) / MS
    bench.report.add(
        "change of a watched file until the app runs again", "ms", {"velos": value},
        goal=f"<= {DEBOUNCE_MS} + 20 ms", is_met=value <= DEBOUNCE_MS + 20,
    )  # fmt: skip
    _end(bench)


def memory_limit(bench):
    """From passing the limit to the end of the process."""
    velos, program = bench.velos, bench.programs[0]
    delays = []
    for _ in range(5):
        bench.stamps.clear()
        velos.run([*velos.start(program, name="grows"), "--max-memory-restart", str(LIMIT_BYTES), "--", "grow", str(2 * LIMIT_BYTES)])
        pid = bench.stamps.wait("start", 1, 10)[-1][1]
        time.sleep(0.1 + 0.2 * len(delays))
        begin = clock.now_ns()
        os.kill(pid, signal.SIGUSR1)
        bench.stamps.wait("start", 2, 20)
        delays.append(bench.stamps.all("start")[1][2] - begin)
        _end(bench)
    value = max(delays) / MS
    bench.report.add(
        "memory over the limit until the app runs again, longest of 5", "ms", {"velos": value},
        goal="<= 1500 ms", is_met=value <= 1500,
    )  # fmt: skip


def graph(bench):
    """100 apps on ten levels; each is ready 100 ms after its start and waits for all of the level before."""
    velos, text = bench.velos, ""
    width = 100 // LEVELS
    for number, program in enumerate(bench.programs[:100]):
        level = number // width
        text += f'[apps.{program.name}]\nscript = "{program}"\nargs = ["ready", "{READY_MS}"]\nsd_notify = true\nlisten_timeout = "20s"\n'
        if level:
            needs = ", ".join(f'{p.name} = "started"' for p in bench.programs[(level - 1) * width : level * width])
            text += f"depends_on = {{ {needs} }}\n"
    path = _declare(bench, text)
    (runs,) = bench.timer(velos).run(3, [velos.binary, "start", path], [None, *velos.remove("all")])
    value, critical = clock.median_ms(runs), LEVELS * READY_MS
    ratio = value / critical
    bench.report.add(
        "100 apps on 10 levels of dependencies until all are ready", "ms", {"velos": value},
        ratio=f"{ratio:.3g}x the critical path", goal="<= 1.2x", is_met=ratio <= 1.2,
    )  # fmt: skip


def health(bench):
    """Unshared memory with 100 apps, each asked every ten seconds whether it accepts connections."""
    velos = bench.velos
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept():
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    address = "127.0.0.1:%d" % listener.getsockname()[1]
    text = "".join(
        f'[apps.{p.name}]\nscript = "{p}"\nhealth = {{ tcp = "{address}", interval = "10s" }}\n' for p in bench.programs[:100]
    )
    velos.run([velos.binary, "start", _declare(bench, text)])
    pid = velos.pids()[0][1]
    time.sleep(25)
    resident, unshared = (size / 1e6 for size in clock.memory(pid))
    bench.report.add(
        "daemon with 100 apps and their health checks, RSS", "MB", {"velos": resident}
    )
    bench.report.add(
        "daemon with 100 apps and their health checks, USS", "MB", {"velos": unshared}, goal="<= 3 MB", is_met=unshared <= 3
    )
    _end(bench)
    listener.close()
