"""What processes cost: CPU clocks, memory and wake-ups from /proc, and commands timed by `timeit`."""

import os
import statistics
import subprocess
import time
from pathlib import Path


def now_ns():
    """CLOCK_MONOTONIC, the clock of the helpers."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def cpu_ns(pid):
    """User and system time of all threads of a process, also of those that ended, to the nanosecond."""
    # The kernel's number of a process's CPU clock: complement of the pid, shifted, kind 2 (MAKE_PROCESS_CPUCLOCK).
    return time.clock_gettime_ns((~pid << 3) | 2)


def memory(pid):
    """Resident and unshared bytes of a process."""
    resident = unshared = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key == "Rss":
            resident = int(rest.split()[0]) * 1024
        elif key in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"):
            unshared += int(rest.split()[0]) * 1024
    return resident, unshared


def wakeups(pid):
    """How often the threads of a process have stopped running, of their own will or not."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def wait_until(what, seconds, condition):
    """Look every 5 ms until it holds; gives back what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.005)


class Timer:
    """Commands timed in turn by the compiled helper, with the environment they are to have."""

    def __init__(self, binary, environment, folder):
        self.binary, self.environment, self.folder = binary, environment, folder

    def run(self, rounds, *commands, limit=120):
        """Each command is a list; one that begins with None is not measured. Gives a list of runs per measured command."""
        words = [str(self.binary), str(limit), str(rounds)]
        for command in commands:
            is_timed = command[0] is not None
            words += ["--time" if is_timed else "--quiet"] + [str(word) for word in command[not is_timed :]]
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=limit + 10, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"timeit: {done.stderr.strip()[-500:]}")
        runs = {}
        for line in done.stdout.splitlines():
            index, _, begin, end, status = map(int, line.split())
            if status != 0:
                raise RuntimeError(f"{commands[index]} ended with {status}: {done.stderr.strip()[-500:]}")
            runs.setdefault(index, []).append((begin, end))
        return [runs[index] for index in sorted(runs)]


def median_ms(runs):
    """Median length of runs, milliseconds."""
    return statistics.median(end - begin for begin, end in runs) / 1e6


class Stamps:
    """What the managed program wrote about itself."""

    def __init__(self, path):
        self.path = Path(path)

    def all(self, word):
        """(name, pid, time) of every such word, in the order in which they were written."""
        if not self.path.exists():
            return []
        lines = (line.rsplit(" ", 2) for line in self.path.read_text().splitlines())
        found = ((head.partition(" "), int(pid), int(ns)) for head, pid, ns in lines)
        return [(name, pid, ns) for (kind, _, name), pid, ns in found if kind == word]

    def clear(self):
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    def wait(self, word, count, seconds):
        """Wait until there are so many."""

        def enough():
            found = self.all(word)
            return found if len(found) >= count else None

        return wait_until(f"{count} times '{word}'", seconds, enough)


def marked_processes(marker):
    """Every process whose environment holds this entry: what a bench started and what that started."""
    entry = marker.encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if entry in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
            except OSError:
                continue  # It ended, or is somebody else's.
