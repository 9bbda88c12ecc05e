"""The server's side of the keeper: start, kill and learn of exits, without blocking the event loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lambdamagic.errors import LocalServerError

_KEEPER_SCRIPT = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended.

    Attributes:
        status: The wait status as the operating system gave it, or None when it never started.
        peak_rss_kb: The largest resident set that it or a child it waited for had.
        reason: Why it never started.
    """

    status: int | None
    peak_rss_kb: int = 0
    reason: str = ""

    def describe(self) -> str:
        """Return how Lambda words it: `exit status 1`, `signal: killed`, or "" for an exit with 0."""
        if self.status is None:
            return self.reason
        if os.WIFSIGNALED(self.status):
            number = os.WTERMSIG(self.status)
            return f"signal: {_SIGNAL_WORDS.get(number) or signal.strsignal(number)}"
        code = os.waitstatus_to_exitcode(self.status)
        return f"exit status {code}" if code else ""


# As Go's syscall package spells them, which is what Lambda's own agent prints.
_SIGNAL_WORDS: dict[int, str] = {
    signal.SIGKILL: "killed",
    signal.SIGTERM: "terminated",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
}


@dataclass(slots=True)
class _Watched:
    started: asyncio.Future[int]
    on_exit: Callable[[ProcessExit], None]


class Processes(asyncio.Protocol):
    """Starts processes through the keeper. Lives in the event loop."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._watched: dict[str, _Watched] = {}
        self._unread = b""
        self._keeper: subprocess.Popen[bytes] | None = None

    @classmethod
    async def start(cls, folder: Path, lock: int, *, on_lost: Callable[[], None]) -> Processes:
        """Start the keeper for a folder, which it removes when this process is gone; it takes over the lock."""
        ours, theirs = socket.socketpair()
        processes = cls(on_lost)
        with theirs:
            # Not through asyncio: its child watcher would want a thread. Only close() waits for this one.
            processes._keeper = subprocess.Popen(  # noqa: ASYNC220 - returns in ~1 ms
                [sys.executable, "-I", "-S", str(_KEEPER_SCRIPT), str(theirs.fileno()), str(lock), str(folder)],
                pass_fds=[theirs.fileno(), lock],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        os.close(lock)  # the keeper has it
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: processes, sock=ours)
        return processes

    @property
    def keeper_pid(self) -> int:
        """The keeper's process id."""
        assert self._keeper is not None
        return self._keeper.pid

    async def spawn(
        self,
        identity: str,
        *,
        argv: list[str],
        env: dict[str, str],
        cwd: Path,
        output: Path,
        surroundings: dict[str, Any] | None,
        on_exit: Callable[[ProcessExit], None],
    ) -> int:
        """Start a process in a separate session and return its pid.

        Args:
            identity: A name of ours for it, never used twice.
            argv: Program (an absolute path) and arguments.
            env: Its whole environment.
            cwd: Its working directory.
            output: A FIFO that becomes its standard output and error.
            surroundings: See `surroundings.enter`; None leaves everything as it is here.
            on_exit: Called once, from the event loop, also when it could not be started.

        Raises:
            LocalServerError: It could not be started.
        """
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._watched[identity] = _Watched(started, on_exit)
        message = {
            "spawn": identity,
            "argv": argv,
            "env": env,
            "cwd": str(cwd),
            "output": str(output),
            "surroundings": surroundings,
        }
        self._send(message)
        return await started

    def kill(self, identity: str) -> None:
        """Kill a process and its group; nothing happens when it has already ended."""
        self._send({"kill": identity})

    def freeze(self, identity: str) -> None:
        """Stop a process and its group, as Lambda does between two invocations."""
        self._send({"freeze": identity})

    def thaw(self, identity: str) -> None:
        """Let it continue."""
        self._send({"thaw": identity})

    async def close(self, timeout_s: float) -> None:
        """Let the keeper kill what is left and remove the folder, and wait for it."""
        if self._transport is not None:
            self._transport.close()
        if self._keeper is not None:
            keeper = self._keeper
            await asyncio.get_running_loop().run_in_executor(None, lambda: keeper.wait(timeout_s))

    def _send(self, message: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.write(json.dumps(message).encode() + b"\n")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the channel."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read the keeper's news."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "started" in message:
                self._watched[message["started"]].started.set_result(message["pid"])
            elif "exited" in message:
                watched = self._watched.pop(message["exited"])
                watched.on_exit(ProcessExit(message["status"], message["peak_rss_kb"]))
            elif "failed" in message:
                # Its "exited" follows: the forked child ends too.
                reason = f"a process could not be started: {message['reason']}"
                self._watched[message["failed"]].started.set_exception(LocalServerError(reason))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the server: without its keeper it must end."""
        self._transport = None
        for watched in self._watched.values():
            if not watched.started.done():
                watched.started.set_exception(LocalServerError("the keeper of the embedded Lambda has died"))
        self._on_lost()
