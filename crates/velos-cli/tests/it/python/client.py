"""A client written from docs/protocol.md alone: what that page promises is tried here, in another language.

Usage: client.py SOCKET PROGRAM
"""

import os
import socket
import struct
import sys
import time

import msgpack

FRAME_BYTES_MAX = 16 * 1024 * 1024


class Failed(Exception):
    """The daemon answered with an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.hint = error.get("hint")


class Connection:
    """Frames: a 4-byte big-endian length and one MessagePack value."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.notifications = []
        self.number = 0

    def send(self, value):
        body = msgpack.packb(value)
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the daemon hung up")
            data += part
        return data

    def receive(self):
        (length,) = struct.unpack(">I", self.exactly(4))
        assert 1 <= length <= FRAME_BYTES_MAX, length
        return msgpack.unpackb(self.exactly(length))

    def call(self, method, params=None):
        self.number += 1
        self.send([0, self.number, method, params or {}])
        while True:
            message = self.receive()
            if message[0] == 2:
                self.notifications.append(message[1:])
                continue
            kind, number, error, result = message
            assert (kind, number) == (1, self.number), message
            if error is not None:
                raise Failed(error)
            return result

    def notification(self):
        if self.notifications:
            return self.notifications.pop(0)
        message = self.receive()
        assert message[0] == 2, message
        return message[1:]


def refused(connection, code, method, params=None):
    try:
        connection.call(method, params)
    except Failed as failed:
        assert failed.code == code, (failed.code, code, str(failed))
        return failed
    raise AssertionError(f"{method} {params} was not refused")


def declaration(name, program, *words):
    return {
        "name": name,
        "script": program,
        "program": program,
        "argv": [program, *words],
        "cwd": "/",
        "env": {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "COLOUR": "red", "BYTES": b"\xff\xfe"},
        "restart": {"autorestart": False},
        "stop": {"kill_signal": 15, "kill_timeout_ms": 1000},
        "a field of the future": [1, 2, 3],
    }


def keys(document, *names):
    missing = [name for name in names if name not in document]
    assert not missing, f"{missing} not in {sorted(document)}"


def live_updates(path, daemon, program):
    """Samples, and the lines of a log from the positions that are told."""
    watcher = Connection(path)
    watcher.call("hello", {"version": 1, "oldest": 1, "client": "watcher"})
    refused(watcher, "usage", "subscribe", {"kinds": ["weather"]})
    refused(watcher, "usage", "subscribe", {"kinds": ["samples"], "interval_ms": 1})
    subscribed = watcher.call("subscribe", {"kinds": ["samples", "logs"], "interval_ms": 250})
    keys(subscribed, "kinds", "newest", "logs")
    assert subscribed["kinds"] == ["samples", "logs"]
    keys(subscribed["logs"][0], "id", "name", "slot", "stream", "path", "from", "to", "lines")

    writer = declaration("writer", program, "lines", "20", "--size", "30", "--rate", "100")
    assert daemon.call("start", {"apps": [writer]})["instances"][0]["ok"]
    samples, written, times = 0, b"", []
    while written.count(b"\n") < 21 or samples < 2:
        method, params = watcher.notification()
        assert method in ("samples", "logs"), method
        times.append(params["at_ms"])
        if method == "samples":
            samples += 1
            one = [one for one in params["instances"] if one["name"] == "two"][0]
            keys(one, "id", "name", "slot", "phase", "restarts", "pid", "uptime_ms", "cpu_centipercent", "rss_bytes")
            continue
        for log in params["logs"]:
            if log["name"] == "writer" and log["stream"] == "out":
                start, end = log["from"], log["to"]
                assert start["segment"] == end["segment"] and start["offset"] == len(written), log
                with open(log["path"], "rb") as file:
                    file.seek(start["offset"])
                    piece = file.read(end["offset"] - start["offset"])
                assert piece.count(b"\n") == log["lines"], (piece, log)
                written += piece
    lines = written.split(b"\n")
    assert [int(line[:10]) for line in lines[:20]] == list(range(1, 21)) and lines[20] == b"end 20", lines
    assert times == sorted(times)
    assert watcher.call("unsubscribe") == {}
    assert daemon.call("delete", {"targets": ["writer"]})["instances"][0]["ok"]


def conversation(path, program):
    stranger = Connection(path)
    refused(stranger, "usage", "list")
    refused(stranger, "version", "hello", {"version": 99, "oldest": 99, "client": "python"})

    daemon = Connection(path)
    hello = daemon.call("hello", {"version": 1, "oldest": 1, "client": "python"})
    keys(hello, "version", "product", "core_abi", "pid", "guardian_pid", "uptime_ms", "rss_bytes", "executable")
    assert hello["version"] == 1 and hello["pid"] > 0 and hello["rss_bytes"] > 0
    assert daemon.call("ping")["pid"] == hello["pid"]
    assert daemon.call("list") == {"instances": []}

    follower = Connection(path)
    follower.call("hello", {"version": 1, "oldest": 1, "client": "follower"})
    assert follower.call("subscribe", {}) == {}

    started = daemon.call("start", {"apps": [declaration("one", program, "sleep"), declaration("two", program, "sleep")]})
    assert [outcome["name"] for outcome in started["instances"]] == ["one", "two"], started
    for outcome in started["instances"]:
        keys(outcome, "id", "name", "slot", "phase", "pid", "ok")
        assert outcome["ok"] and outcome["phase"] == "online", outcome
    again = daemon.call("start", {"apps": [declaration("one", program, "sleep")]})
    assert again["refused"][0]["name"] == "one" and again["refused"][0]["error"]["code"] == "exists", again

    listed = daemon.call("list")["instances"]
    assert [one["name"] for one in listed] == ["one", "two"]
    keys(listed[0], "id", "namespace", "slot", "phase", "goal", "pid", "uptime_ms", "restarts", "user", "script")
    keys(listed[0], "dropped_lines", "out_log", "err_log")
    assert listed[0]["goal"] == "up" and listed[0]["pid"] == started["instances"][0]["pid"]

    (info,) = daemon.call("info", {"targets": ["one"]})["instances"]
    keys(info, "summary", "spec", "created_ms", "unstable", "processes", "threads", "captured_bytes")
    assert info["spec"]["env"]["BYTES"] == b"\xff\xfe" and info["spec"]["stop"]["kill_signal"] == 15
    (why,) = daemon.call("why", {"targets": ["one"]})["instances"]
    keys(why, "summary", "events", "restart", "unstable")

    before = daemon.call("list")["instances"][1]["pid"]
    restarted = daemon.call("restart", {"targets": ["two"]})["instances"][0]
    assert restarted["ok"] and restarted["pid"] != before, restarted

    seen = []
    while not any(event["kind"] == "transition" and event["app"] == "two" and event["from"] == "stopping" for event in seen):
        method, event = follower.notification()
        assert method == "event", method
        keys(event, "sequence", "at_ms", "kind")
        seen.append(event)
    sequences = [event["sequence"] for event in seen]
    assert sequences == list(range(sequences[0], sequences[0] + len(seen))), sequences
    assert {"added", "transition"} <= {event["kind"] for event in seen}
    assert abs(seen[-1]["at_ms"] / 1000 - time.time()) < 60
    assert follower.call("unsubscribe") == {}

    live_updates(path, daemon, program)

    events = daemon.call("events", {"since": sequences[0], "targets": ["two"], "limit": 2})
    keys(events, "events", "newest", "oldest")
    assert len(events["events"]) == 2 and all(event["app"] == "two" for event in events["events"])

    dead = daemon.call("start", {"apps": [declaration("dead", "/no/such/program")]})["instances"][0]
    assert not dead["ok"] and dead["phase"] == "errored" and "No such file" in dead["reason"], dead
    summary = [one for one in daemon.call("list")["instances"] if one["name"] == "dead"][0]
    assert summary["spawn_failure"] == {"stage": "exec", "errno": 2}, summary

    stopped = daemon.call("stop", {"targets": ["/^o/"]})["instances"]
    assert [outcome["name"] for outcome in stopped] == ["one"] and stopped[0]["exit"] == {"signal": 15}, stopped
    assert daemon.call("stop", {"targets": ["one"]})["instances"][0]["unchanged"]
    files = daemon.call("flush", {"targets": ["one"]})["files"]
    assert len(files) == 2, files

    refused(daemon, "not_found", "stop", {"targets": ["nothing"]})
    refused(daemon, "not_found", "no.such.method")
    refused(daemon, "usage", "stop", {"targets": []})
    refused(daemon, "usage", "start", {"apps": [declaration("a/b", program)]})
    refused(daemon, "usage", "upgrade", {"executable": "relative"})

    deleted = daemon.call("delete", {"targets": ["one", "dead"]})["instances"]
    assert len(deleted) == 2 and all(outcome["ok"] for outcome in deleted), deleted
    ended = daemon.call("shutdown")["instances"]
    assert [outcome["name"] for outcome in ended] == ["two"], ended
    try:
        daemon.receive()
    except ConnectionError:
        return
    raise AssertionError("the daemon did not hang up")


if __name__ == "__main__":
    conversation(sys.argv[1], sys.argv[2])
    print("well")
