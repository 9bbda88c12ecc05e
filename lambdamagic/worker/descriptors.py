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
from collections.abc import Callable
from typing import Any

_STREAMS = ("stdout", "stderr")
#: Code that holds the interpreter's lock blocks when a pipe is full, as nothing can read it then: so it is as large as
#: Linux lets everybody have one (pipe(7), `/proc/sys/fs/pipe-max-size`).
_PIPE_BYTES = 1 << 20
#: A bar that is drawn more often is in the log so often only; a line without its end is there after this time.
_PROGRESS_EVERY_S = 0.5
#: A longer line is not written again for its end.
_MOST_OPEN_BYTES = 2_000
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
        self._record = record
        self._lock = threading.Lock()
        self._pipes: list[_Pipe] = []
        self._waiting = select.poll()

    def __enter__(self) -> None:
        log_descriptors()
        for number, stream in enumerate(_STREAMS, 1):
            reads, writes = os.pipe()
            os.set_blocking(reads, False)
            _enlarge(writes)
            os.dup2(writes, number)
            os.close(writes)
            self._waiting.register(reads, select.POLLIN)
            self._pipes.append(_Pipe(reads, stream))
        for pipe in self._pipes:
            _selector().register(pipe.descriptor, selectors.EVENT_READ, self)

    def __exit__(self, *_: object) -> None:
        _flush_c()
        with self._lock:
            # Not before: the pipes' ends would wake the reading thread, which costs more than a trivial cell takes.
            for pipe in self._pipes:
                _selector().unregister(pipe.descriptor)
            for number, stream in enumerate(_STREAMS, 1):
                os.dup2(log_descriptors()[stream], number)
            self._read(at_end=True)
            self._record = _nothing
        for copy in LOG_COPIES.values():
            copy.end()

    def drain(self, *, flushes_c: bool = True) -> None:
        """Record what has been written so far."""
        if flushes_c:
            _flush_c()
        with self._lock:  # so that what the other thread has read is recorded
            if self._waiting.poll(0):  # a third of what it costs to try to read
                self._read()

    def _read(self, *, at_end: bool = False) -> None:
        for pipe in self._pipes:
            for data in pipe.pieces():
                LOG_COPIES[pipe.stream].write(data)
                if text := pipe.decode(data):
                    self._record(pipe.stream, text)
            if not pipe.is_open:
                if not at_end:
                    _selector().unregister(pipe.descriptor)
                os.close(pipe.descriptor)
            elif at_end:  # a process that outlives the run holds the other end
                _selector().register(pipe.descriptor, selectors.EVENT_READ, self)
        self._pipes = [pipe for pipe in self._pipes if pipe.is_open]


class _Pipe:
    """The reading end of one stream."""

    def __init__(self, descriptor: int, stream: str) -> None:
        self.descriptor, self.stream, self.is_open = descriptor, stream, True
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def pieces(self) -> Any:
        """Yield what can be read now; `is_open` is False once every writer is gone."""
        while self.is_open:
            try:
                data = os.read(self.descriptor, _PIPE_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.is_open = False
                return
            yield data


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
                    key.data.drain(flushes_c=False)
                else:
                    os.read(wakes, 4096)
                    due_at = due_at or time.monotonic() + _PROGRESS_EVERY_S
            if due_at is not None and time.monotonic() >= due_at:
                due_at = None
                for copy in LOG_COPIES.values():
                    copy.show_rest()

    threading.Thread(target=read, name="lambdamagic-output", daemon=True).start()
    return selector
