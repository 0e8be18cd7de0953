"""The three managers behind one face: start, list, where is the daemon, where are the logs, end everything."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import clock


class Manager:
    """A manager with a home of its own. Commands are lists, so that `timeit` can run them too."""

    name = ""

    def __init__(self, environment, folder):
        self.folder = Path(folder) / self.name
        self.folder.mkdir()
        self.environment = environment | self.variables()

    def variables(self):
        """What it wants in its environment."""
        return {}

    def run(self, command, seconds=120):
        """Run one of its commands."""
        done = subprocess.run(
            [str(word) for word in command],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def pids(self):
        """(name, pid) of its own processes, the daemon first."""
        raise NotImplementedError

    def daemon_pid(self):
        """The one that does the work."""
        return self.pids()[0][1]

    def cpu_ns(self):
        """CPU time of its own processes."""
        return sum(clock.cpu_ns(pid) for _, pid in self.pids())


class Velos(Manager):
    """The product, as built."""

    name = "velos"

    def __init__(self, binary, environment, folder):
        self.binary = binary
        super().__init__(environment, folder)
        self._pids = None

    def variables(self):
        return {"VELOS_HOME": str(self.folder / "home")}

    def pids(self):
        if self._pids is None or not Path(f"/proc/{self._pids[0][1]}").exists():
            hello = json.loads(self.run([self.binary, "ping", "--machine"]))
            self._pids = [("daemon", hello["pid"]), ("guardian", hello["guardian_pid"])]
        return self._pids

    def start(self, program, *args, name):
        return [self.binary, "start", program, "--name", name] + (["--", *args] if args else [])

    def start_many(self, programs):
        return [self.binary, "start", *programs]

    def remove(self, name):
        return [self.binary, "delete", name]

    def list(self):
        return [self.binary, "list"]

    def kill(self):
        return [self.binary, "kill"]

    def log_bytes(self, name):
        return None  # The app itself sees when all is written: its FIFO is empty.


class Pm2(Manager):
    """PM2 from npm."""

    name = "pm2"

    def __init__(self, binary, environment, folder):
        self.binary = binary
        super().__init__(environment, folder)

    def variables(self):
        # No look-ups in the network, no statistics sent.
        return {"PM2_HOME": str(self.folder / "home"), "PM2_DISABLE_VERSION_CHECK": "true", "NO_UPDATE_NOTIFIER": "1"}

    def pids(self):
        return [("daemon", int((self.folder / "home" / "pm2.pid").read_text()))]

    def start(self, program, *args, name):
        words = [self.binary, "start", program, "--name", name, "--interpreter", "none"]
        return words + (["--", *args] if args else [])

    def start_many(self, programs):
        apps = [{"name": Path(program).name, "script": str(program), "interpreter": "none"} for program in programs]
        declaration = self.folder / "many.json"
        declaration.write_text(json.dumps({"apps": apps}))
        return [self.binary, "start", declaration]

    def remove(self, name):
        return [self.binary, "delete", name]

    def list(self):
        return [self.binary, "list"]

    def kill(self):
        return [self.binary, "kill"]

    def log_bytes(self, name):
        path = self.folder / "home" / "logs" / f"{name}-out.log"
        return path.stat().st_size if path.exists() else 0


class Supervisord(Manager):
    """supervisord from PyPI. It knows only what its file declares: `declare` first, then start it."""

    name = "supervisord"

    def __init__(self, packages, environment, folder):
        self.packages = packages
        super().__init__(environment, folder)
        self.configuration = self.folder / "supervisord.conf"
        self.declare({})

    def variables(self):
        return {"PYTHONPATH": str(self.packages)}

    def declare(self, programs):
        """Write its file; programs are name -> command line."""
        lines = [
            "[unix_http_server]", f"file={self.folder}/sock",
            "[supervisord]", f"logfile={self.folder}/daemon.log", f"pidfile={self.folder}/pid", f"childlogdir={self.folder}",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisorctl]", f"serverurl=unix://{self.folder}/sock",
        ]  # fmt: skip
        for name, command in programs.items():
            lines += [f"[program:{name}]", f"command={command}", "autostart=false", "autorestart=true", "startsecs=0"]
            lines += [f"stdout_logfile={self.folder}/{name}-out.log", "stdout_logfile_maxbytes=0"]
        self.configuration.write_text("\n".join(lines) + "\n")

    def _tool(self, module, *words):
        return [sys.executable, "-m", f"supervisor.{module}", "-c", self.configuration, *words]

    def daemon(self):
        """Starts it; it listens when the command ends."""
        return self._tool("supervisord")

    def pids(self):
        return [("daemon", int((self.folder / "pid").read_text()))]

    def control(self, *words):
        return self._tool("supervisorctl", *words)

    def list(self):
        return self.control("status")

    def kill(self):
        return self.control("shutdown")

    def log_bytes(self, name):
        path = self.folder / f"{name}-out.log"
        return path.stat().st_size if path.exists() else 0

    def restart(self):
        """End it if it runs, and start it with what is declared now."""
        if (self.folder / "pid").exists():
            pid = self.daemon_pid()
            self.run(self.kill())
            clock.wait_until("supervisord to end", 30, lambda: not Path(f"/proc/{pid}").exists())
        self.run(self.daemon())
        clock.wait_until("supervisord to begin", 30, (self.folder / "pid").exists)


def clean_up(marker, folder):
    """End whatever this bench started, by process id, and remove its files."""
    deadline = time.monotonic() + 20
    while pids := list(clock.marked_processes(marker)):
        for pid in pids:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue  # Ended meanwhile.
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {pids} do not end")
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)
