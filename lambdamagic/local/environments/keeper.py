"""The keeper: a small process that starts every execution environment and outlives the server by a moment.

It exists because only a parent can do two things surely: know that a process is gone (so a kill never
hits a recycled pid), and adopt what a dying function left running (`PR_SET_CHILD_SUBREAPER`). When its
socket to the server closes, for whatever reason (a clean stop, `kill -9`, a crash), it kills everything
that it ever started and removes the instance's folder. If the keeper itself is killed, the kernel kills
the environments (`PR_SET_PDEATHSIG`) and the server, seeing the socket close, ends too.

It runs as a plain script (`python -I -S keeper.py FD LOCK FOLDER`) and so imports no module of this package; it is
single-threaded, which is what makes fork and prctl safe here and not in the server.

The protocol is one JSON object a line: `{"spawn": id, "argv", "env", "cwd", "output", "surroundings"}`,
`{"kill": id}`, `{"freeze": id}`, `{"thaw": id}`,
answered by `{"started": id, "pid"}`, `{"failed": id, "reason"}` and `{"exited": id, "status", "peak_rss_kb"}`.
"""
# ruff: noqa: PTH123, PTH208 - pathlib would double the start of this script

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ID_VARIABLE = "LAMBDAMAGIC_ENVIRONMENT_ID"  # marks what an environment starts, also after a double fork
LAST_KILL_S = 3.0  # how long the keeper continues killing before it removes the folder and leaves


def _prctl() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl


def _load_sibling(name: str) -> Any:
    """Return a module that is next to this script, which knows no packages."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py"))  # noqa: PTH100, PTH118, PTH120
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Keeper:
    """Starts, kills and reaps processes by the server's ids."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._prctl = _prctl()
        self._surroundings, self._write_rules = _load_sibling("surroundings"), _load_sibling("write_rules")
        self._pids: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._places: dict[int, str] = {}
        self._place = mount_namespace(os.getpid())
        self._unread = b""
        if self._prctl is not None:
            self._prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def serve(self, wake_fd: int) -> None:
        """Answer the server until its end of the channel closes."""
        while True:
            channel_fd = self._channel.fileno()
            readable, _, _ = select.select([channel_fd, wake_fd], [], [])
            if wake_fd in readable:
                os.read(wake_fd, 4096)
                self._reap()
            if channel_fd in readable and not self._read():
                return

    def _read(self) -> bool:
        try:
            data = self._channel.recv(1 << 20)
        except ConnectionError:
            return False
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "spawn" in message:
                self._spawn(message)
            elif "kill" in message and message["kill"] in self._pids:
                self._kill_group(self._pids[message["kill"]])
            elif "freeze" in message and message["freeze"] in self._pids:
                self._signal_group(self._pids[message["freeze"]], signal.SIGSTOP)
            elif "thaw" in message and message["thaw"] in self._pids:
                self._signal_group(self._pids[message["thaw"]], signal.SIGCONT)
        return bool(data)

    def _send(self, **message: Any) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the server is gone; serve() sees the closed channel next and cleans up

    def _spawn(self, message: dict[str, Any]) -> None:
        keeper_pid = os.getpid()
        problem_read, problem_write = os.pipe()  # closed by a successful exec, else says what went wrong
        pid = os.fork()
        if pid == 0:
            try:
                self._become(message, keeper_pid)
            except BaseException as error:  # noqa: BLE001 - a forked child must report and never return
                os.write(problem_write, str(error).encode(errors="replace")[:4000])
            finally:
                os._exit(127)  # returning, it would clean up as if it were the keeper
        os.close(problem_write)
        self._pids[message["spawn"]] = pid
        self._ids[pid] = message["spawn"]
        problem = os.read(problem_read, 4096)
        os.close(problem_read)
        if problem:
            self._send(failed=message["spawn"], reason=problem.decode(errors="replace"))
        else:
            self._places[pid] = mount_namespace(pid)
            self._send(started=message["spawn"], pid=pid)

    def _become(self, message: dict[str, Any], keeper_pid: int) -> None:
        signal.set_wakeup_fd(-1)
        if message["surroundings"] is not None:
            # Before prctl: new credentials would undo that.
            self._surroundings.enter(message["surroundings"], self._write_rules.forbid_writes)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        if self._prctl is not None:
            self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != keeper_pid:  # the keeper died before prctl took effect
                os._exit(127)
        # Without waiting: when the server has just died, no process reads, and the keeper must not hang with us.
        output = os.open(message["output"], os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(output, True)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(message["cwd"])
        os.execve(message["argv"][0], message["argv"], message["env"])

    def _kill_group(self, pid: int) -> None:
        self._signal_group(pid, signal.SIGKILL)

    def _signal_group(self, pid: int, number: int) -> None:
        # `pid` is not yet reaped, so neither it nor its group can have been recycled.
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            _kill(pid, number)  # between fork and setsid there is no such group yet

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            identity = self._ids.pop(pid, None)
            if identity is None:
                continue  # an orphan that a function left behind
            del self._pids[identity]
            self._kill_strays(pid, identity)
            peak_kb = usage.ru_maxrss if sys.platform.startswith("linux") else usage.ru_maxrss // 1024
            self._send(exited=identity, status=status, peak_rss_kb=peak_kb)

    def _kill_strays(self, session: int, identity: str) -> None:
        """Kill what the environment started and left: its group, session and mount namespace, and what has its mark."""
        try:
            os.killpg(session, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # nothing is left in the group
        mark = f"{ID_VARIABLE}={identity}".encode()
        place = self._places.pop(session, "")
        for pid in children_of(os.getpid()):
            is_in_place = place not in ("", self._place) and mount_namespace(pid) == place
            if pid not in self._ids and (is_in_place or _session_of(pid) == session or mark in _environ_of(pid)):
                for descendant in [pid, *descendants_of(pid)]:
                    _kill(descendant)

    def end(self) -> None:
        """Kill everything below the keeper; bounded, because an unkillable process must not hold the folder."""
        deadline = time.monotonic() + LAST_KILL_S
        while time.monotonic() < deadline:
            for pid in list(self._ids):
                self._kill_group(pid)
            for pid in descendants_of(os.getpid()):
                _kill(pid)
            try:
                pid, _, _ = os.wait4(-1, 0)  # returns at once: everything was just killed
            except ChildProcessError:
                return
            self._ids.pop(pid, None)


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process, as Linux lists them (elsewhere: none are known)."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # each thread lists those that it started
            with open(f"/proc/{pid}/task/{thread}/children") as listing:
                found.extend(int(child) for child in listing.read().split())
    except OSError:
        pass  # the process or the thread has just ended
    return found


def descendants_of(pid: int) -> list[int]:
    """Return all processes below one, parents before children."""
    found: list[int] = []
    for child in children_of(pid):
        found.append(child)
        found.extend(descendants_of(child))
    return found


def mount_namespace(pid: int) -> str:
    """Return what identifies the mount namespace that a process is in; empty where the system does not say so."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")  # noqa: PTH115 - it is no path
    except OSError:
        return ""


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _environ_of(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return environ.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # it has just ended, or runs as another user (a set-user-ID program)


def remove(folder: str) -> None:
    """Remove the folder; again where threads of the server that is ending have written into it meanwhile."""
    import shutil

    deadline = time.monotonic() + LAST_KILL_S
    while os.path.isdir(folder) and time.monotonic() < deadline:  # noqa: PTH112
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.001)


def main() -> None:
    """Serve until the server is gone, then leave nothing behind."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)  # no function may hold, or write to, the line to the server
    # Held as long as the keeper lives: the next start removes folders whose lock is free.
    os.set_inheritable(int(sys.argv[2]), False)
    folder = sys.argv[3]
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the keeper ends when the server ends, and only then
    keeper = Keeper(channel)
    try:
        keeper.serve(wake_read)
    finally:
        keeper.end()
        remove(folder)


if __name__ == "__main__":
    main()
