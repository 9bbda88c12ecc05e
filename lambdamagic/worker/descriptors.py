"""Capture output below Python: what child processes and C libraries write to the descriptors 1 and 2.

While user code runs, both lead into pipes; a thread reads them as it comes, and who prints reads them first, so that
all is recorded in its order. The function's log gets a copy. What a process that outlives the run writes later goes to
the log alone.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import select
import selectors
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

_STREAMS = ("stdout", "stderr")
#: Code that holds the interpreter's lock blocks when a pipe is full, as nothing can read it then: so it is as large as
#: Linux lets everybody have one (pipe(7), `/proc/sys/fs/pipe-max-size`).
_PIPE_BYTES = 1 << 20
#: A bar that is drawn more often is in the log so often only; a line without its end is there after this time.
_PROGRESS_EVERY_S = 0.5
#: A longer line is not written again for its end.
_MOST_OPEN_BYTES = 2_000
#: Finds where a character begins in text that comes in pieces.
UTF8 = codecs.getincrementaldecoder("utf-8")
#: fcntl's F_SETPIPE_SZ, without the import.
_F_SETPIPE_SZ = 1031


@functools.cache
def log_descriptors() -> dict[str, int]:
    """Return copies of the two descriptors as they were when the environment began: they lead to the function's log."""
    return {name: os.dup(number) for number, name in enumerate(_STREAMS, 1)}


def write_log(stream: str, data: bytes) -> None:
    """Write to the function's log."""
    descriptor = log_descriptors()[stream]
    while data:
        data = data[os.write(descriptor, data) :]


class LogCopy:
    """A stream's copy in the function's log. Thread-safe.

    The log has lines only. Of a line that replaces itself, as a progress bar does, or is not ended yet, it has now and
    then what it is, as a line that ends in a carriage return; and its end.

    Args:
        stream: `stdout` or `stderr`.
        monotonic: The clock that says when it is time for the next such line.
    """

    def __init__(self, stream: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._monotonic = stream, monotonic
        self._lock = threading.Lock()
        self._held = self._open = b""
        self._is_open = self._is_due = False
        self._shown_at = float("-inf")

    def write(self, data: bytes) -> None:
        """Add bytes as they come."""
        with self._lock:
            if not self._held and b"\r" not in data:
                self._take_plain(data)
                return
            if self._open:  # `print` writes its end separately: what the log has of the line is replaced
                data = self._open + data
                self._release()
            *lines, rest = (self._held + data).split(b"\n")
            for line in lines:
                self._put(_last(line), b"\n")
            self._held = b"\r" + _last(rest) if rest else b""
            if self._held and self._monotonic() - self._shown_at >= _PROGRESS_EVERY_S:
                self._shown_at = self._monotonic()
                self._put(_last(rest), b"\r\n")
            elif self._held:
                self._show_later()

    def _take_plain(self, data: bytes) -> None:
        self._is_open = not data.endswith(b"\n")
        write_log(self._stream, data)
        if self._is_open:
            self._open = data.rpartition(b"\n")[2] if b"\n" in data else self._open + data
            if len(self._open) > _MOST_OPEN_BYTES:
                self._open = b""
            self._show_later()
        else:
            self._open = b""

    def _show_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            _wake()

    def show_rest(self) -> None:
        """Have the log show a line that is not ended, or has replaced itself since it was shown."""
        with self._lock:
            self._is_due = False
            if self._open:
                self._held = b"\r" + self._open
                self._release()
            elif last := _last(self._held):
                self._put(last, b"\r\n")
            self._shown_at = self._monotonic()

    def _release(self) -> None:
        """Make the open line of the log one that the next replaces."""
        self._open, self._is_open = b"", False
        write_log(self._stream, b"\r\n")

    def line(self, data: bytes) -> None:
        """Add a whole line that is not of the stream, without breaking one of it."""
        with self._lock:
            self._put(data, b"")

    def end(self) -> None:
        """Write what is left: the run is over."""
        with self._lock:
            if held := _last(self._held):
                self._put(held, b"\n")
            self._held, self._open, self._is_open, self._shown_at = b"", b"", False, float("-inf")

    def _put(self, line: bytes, end: bytes) -> None:
        before = b"\n" if self._is_open else b""
        self._is_open, self._open = False, b""
        write_log(self._stream, before + line + end)


def _last(line: bytes) -> bytes:
    """Return what a line is that began again at each carriage return."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


LOG_COPIES = {stream: LogCopy(stream) for stream in _STREAMS}


class BelowPython:
    """A context in which descriptors 1 and 2 are recorded.

    Args:
        record: Takes a stream's name and text; called by any thread, for one piece at a time.
    """

    def __init__(self, record: Callable[[str, str], None]) -> None:
        self.record = record
        self._pipes = _Pipes.none
        self._last_process, self._began = b"", 0.0

    def __enter__(self) -> None:
        log_descriptors()
        self._pipes = _Pipes.taken(self)
        self._last_process, self._began = _last_process(), time.monotonic()
        self._pipes.lead_to()

    def __exit__(self, *_: object) -> None:
        _flush_c()
        with _READING:
            for number, stream in enumerate(_STREAMS, 1):
                os.dup2(log_descriptors()[stream], number)
            is_short = time.monotonic() - self._began < _NO_WRAP_S
            is_alone = is_short and self._last_process != b"" and _last_process() == self._last_process
            self._pipes.end(is_kept=is_alone)
            self.record = _nothing
        for copy in LOG_COPIES.values():
            copy.end()

    def drain(self) -> None:
        """Record what has been written so far."""
        _flush_c()
        with _READING:  # so that what the other thread has read is recorded
            self._pipes.read()


#: Held by whoever reads the pipes.
_READING = threading.Lock()


class _Pipes:
    """The pipes of both streams.

    To make them takes a tenth of what a trivial cell does, so that the next run uses them again where no process can
    have inherited them meanwhile: it would write into the output of another cell.
    """

    none: _Pipes
    _kept: _Pipes | None = None

    def __init__(self, owner: BelowPython | None, pipes: Sequence[_Pipe]) -> None:
        self.owner, self._pipes = owner, list(pipes)
        self._waiting = select.poll()
        for pipe in pipes:
            self._waiting.register(pipe.reads, select.POLLIN)

    @classmethod
    def taken(cls, owner: BelowPython) -> _Pipes:
        """Return those that the last run has left, or new ones."""
        found, cls._kept = cls._kept, None
        if found is None:
            found = cls(owner, [_Pipe(stream) for stream in _STREAMS])
            for pipe in found._pipes:
                _selector().register(pipe.reads, selectors.EVENT_READ, found)
        found.owner = owner
        return found

    def lead_to(self) -> None:
        """Have the descriptors 1 and 2 lead into the pipes."""
        for number, pipe in enumerate(self._pipes, 1):
            os.dup2(pipe.writes, number)

    def read(self) -> None:
        """Record what is in the pipes."""
        if not self._waiting.poll(0):  # a third of what it costs to try to read
            return
        for pipe in self._pipes:
            for data in pipe.pieces():
                LOG_COPIES[pipe.stream].write(data)
                if self.owner is not None and (text := pipe.decode(data)):
                    self.owner.record(pipe.stream, text)
            if not pipe.is_open:
                self._waiting.unregister(pipe.reads)
                with contextlib.suppress(KeyError):
                    _selector().unregister(pipe.reads)
                os.close(pipe.reads)
        self._pipes = [pipe for pipe in self._pipes if pipe.is_open]

    def end(self, *, is_kept: bool) -> None:
        """Record the rest, and give the pipes to the next run or close them."""
        if is_kept:
            self.read()
            for pipe in self._pipes:
                pipe.forget_half_characters()
            self.owner, _Pipes._kept = None, self
            return
        for pipe in self._pipes:
            # Not before: the pipes' ends would wake the reading thread, which costs more than a trivial cell takes.
            _selector().unregister(pipe.reads)
            os.close(pipe.writes)
        self.read()
        self.owner = None
        for pipe in self._pipes:  # a process that outlives the run holds the other end
            _selector().register(pipe.reads, selectors.EVENT_READ, self)


_Pipes.none = _Pipes(None, ())


class _Pipe:
    """One stream's."""

    def __init__(self, stream: str) -> None:
        self.stream, self.is_open = stream, True
        self.reads, self.writes = os.pipe()
        os.set_blocking(self.reads, False)
        _enlarge(self.writes)
        self.forget_half_characters()

    def forget_half_characters(self) -> None:
        """Begin to decode again."""
        self.decode = UTF8("replace").decode

    def pieces(self) -> Any:
        """Yield what can be read now; `is_open` is False once every writer is gone."""
        while self.is_open:
            try:
                data = os.read(self.reads, _PIPE_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.is_open = False
                return
            yield data


#: In a shorter time no system starts as many processes as it has numbers for.
_NO_WRAP_S = 1.0


def _last_process() -> bytes:
    """Return the number of the system's newest process or thread; empty where it is not known.

    It is the last field of `/proc/loadavg` (proc_loadavg(5)). Where it is still the same, no other has begun since.
    """
    try:
        return os.pread(_load_average(), 128, 0).rpartition(b" ")[2]
    except OSError:
        return b""


@functools.cache
def _load_average() -> int:
    try:
        return os.open("/proc/loadavg", os.O_RDONLY)
    except OSError:
        return -1


def _nothing(stream: str, text: str) -> None:
    """Record nothing: the run is over."""


def _enlarge(descriptor: int) -> None:
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return  # more than this user may have in all


def _flush_c() -> None:
    """Write out what C code has in its buffers; code that has some has loaded ctypes, as NumPy does."""
    if "ctypes" in sys.modules:
        _c_library().fflush(None)


@functools.cache
def _c_library() -> Any:
    import ctypes

    return ctypes.CDLL(None)


@functools.cache
def _wakes() -> tuple[int, int]:
    """Return the ends of a pipe by which the reading thread is woken."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    return reads, writes


def _wake() -> None:
    """Have the reading thread show soon what the log does not show yet."""
    _selector()
    with contextlib.suppress(BlockingIOError):
        os.write(_wakes()[1], b".")


@functools.cache
def _selector() -> selectors.BaseSelector:
    """Return what the reading thread waits at; one in an environment, asleep while nothing is written."""
    selector = selectors.DefaultSelector()
    wakes = _wakes()[0]
    selector.register(wakes, selectors.EVENT_READ, None)

    def read() -> None:
        due_at: float | None = None
        while True:
            for key, _ in selector.select(None if due_at is None else max(0.0, due_at - time.monotonic())):
                if key.data is not None:
                    with _READING:
                        key.data.read()
                else:
                    os.read(wakes, 4096)
                    due_at = due_at or time.monotonic() + _PROGRESS_EVERY_S
            if due_at is not None and time.monotonic() >= due_at:
                due_at = None
                for copy in LOG_COPIES.values():
                    copy.show_rest()

    threading.Thread(target=read, name="lambdamagic-output", daemon=True).start()
    return selector
