"""What the user's code prints and displays, in the order in which it did."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from lambdamagic.protocol.bounds import OUTPUT_MAX_CHARS
from lambdamagic.worker.descriptors import LOG_COPIES, UTF8, BelowPython

_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Where ipywidgets begins and ends what an Output widget shows; it flushes the streams at both.
_OUTPUT_AREAS = "ipywidgets.widgets.widget_output"


class Outputs:
    """An ordered record of stdout, stderr and displays. Thread-safe.

    Attributes:
        entries: `{"stream": "stdout", "text": ...}` or `{"display": {mime: data}, "metadata": {...}}`, the latter with
            `transient` (its id), `update` (it takes the place of what an earlier cell showed) and `after` (it comes
            after the cell's value) where they are given.
        task: Which task of a chunk runs, to be noted with what is written; None in a cell.
    """

    def __init__(self, limit_chars: int = OUTPUT_MAX_CHARS) -> None:
        self.entries: list[dict[str, Any]] = []
        self.task: int | None = None
        self.below = BelowPython(self._add)
        self._lock = threading.Lock()
        self._left = limit_chars
        self._dropped = 0
        self._areas: list[int] = []  # the Output widgets whose `with` runs: there is no page that could show them
        self._clears: set[int | None] = set()  # what is cleared as soon as something is shown there; None: all
        #: Called when what is displayed has changed.
        self.on_display: Callable[[], None] | None = None

    def begin_task(self, number: int) -> None:
        """Note with what is written from now on that this task of the chunk wrote it."""
        self.below.drain()
        self.task = number

    def write(self, stream: str, text: str) -> None:
        """Add text to a stream; past the limit it is counted and left out."""
        self.below.drain()
        self._add(stream, text)

    def _add(self, stream: str, text: str) -> None:
        with self._lock:
            self._append(stream, text)

    def _append(self, stream: str, text: str) -> None:
        if len(text) > self._left:
            self._dropped += len(text) - self._left
            text = text[: self._left]
        self._left -= len(text)
        if not text:
            return
        self._clear_if_due()
        area, last = self._area, self.entries[-1] if self.entries else {}
        if last.get("stream") == stream and last["task"] == self.task and last["area"] == area:
            last["parts"].append(text)
        else:
            self.entries.append({"stream": stream, "parts": [text], "task": self.task, "area": area})

    def display(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any],
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """Add something displayed, as a MIME bundle, or put it in place of what was displayed under its id."""
        self.below.drain()
        bar = self._bar_of(data[_WIDGET]) if _WIDGET in data else None
        # A widget of this process has no page that it could be shown on.
        data = {mime: _text(content) for mime, content in data.items() if mime != _WIDGET or len(data) == 1}
        name = (transient or {}).get("display_id")
        with self._lock:
            self._clear_if_due()
            if update and name is not None:
                known = [entry for entry in self.entries if entry.get("transient", {}).get("display_id") == name]
                for entry in known:
                    entry.update(display=data, metadata=metadata)
                    entry.pop("bar", None)
            if not (update and name is not None and known):
                entry = {"display": data, "metadata": metadata} | ({} if bar is None else {"bar": bar})
                if self._area is not None:
                    entry["area"] = self._area
                if transient:
                    entry["transient"] = transient
                self.entries.append({**entry, "update": True} if update else entry)
        if self.on_display is not None:
            self.on_display()

    @contextlib.contextmanager
    def after_the_value(self) -> Iterator[None]:
        """Note that the kernel shows this after the value or the error of the cell, as it does open figures."""
        before = len(self.entries)
        yield
        for entry in self.entries[before:]:
            entry["after"] = True

    def _bar_of(self, view: Any) -> Any:
        from lambdamagic.worker.progress_widgets import ProgressWidget  # few cells have widgets

        bar = ProgressWidget.of(view)
        if bar is not None and self.on_display is not None:
            bar.follow(self.on_display)
        return bar

    def displayed(self) -> list[dict[str, Any]]:
        """Return the MIME bundles of what is displayed now, in order."""
        with self._lock:
            return [_as_now(entry)["display"] for entry in self.entries if "display" in entry]

    def clear(self, *, wait: bool) -> None:
        """Forget what the cell, or the task that runs, has shown so far; with `wait` as soon as it shows something.

        Where an Output widget takes what is shown, what was shown there is forgotten.
        """
        self.below.drain()
        with self._lock:
            self._clears.add(self._area)
            if not wait:
                self._clear_if_due()
        if self.on_display is not None:
            self.on_display()

    @property
    def _area(self) -> int | None:
        return self._areas[-1] if self._areas else None

    def _clear_if_due(self) -> None:
        area = self._area
        if area in self._clears:
            self._clears.discard(area)
            self.entries[:] = [
                entry
                for entry in self.entries
                if entry.get("task", self.task) != self.task or area not in (None, entry.get("area"))
            ]

    def flushed_by(self, name: str, scope: dict[str, Any]) -> None:
        """Note that an Output widget begins or ends to take what is shown: it flushes the streams, which says so."""
        area = id(scope.get("self"))
        with self._lock:
            if name == "__enter__":
                self._areas.append(area)
            elif self._area == area:
                self._areas.pop()

    def add_files(self, entries: list[dict[str, Any]]) -> None:
        """Add what was written in the working directory; see `files.Watched`."""
        self.entries += entries

    def finished(self) -> list[dict[str, Any]]:
        """Return the record for the envelope."""
        entries = [_joined(entry) if "stream" in entry else _as_now(entry) for entry in self.entries]
        if self._dropped:
            note = f"\n[lambdamagic: {self._dropped:,} more characters of output were left out]\n"
            entries.append({"stream": "stderr", "text": note})
        return entries


def _text(content: Any) -> Any:
    return base64.b64encode(content).decode("ascii") if isinstance(content, bytes) else content


def _as_now(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a display with the present state of a progress bar that is a widget."""
    rest = {key: value for key, value in entry.items() if key not in ("bar", "area")}
    return rest if "bar" not in entry else {**rest, "display": {"text/plain": entry["bar"].text()}}


def _joined(entry: dict[str, Any]) -> dict[str, Any]:
    joined = {"stream": entry["stream"], "text": "".join(entry["parts"])}
    return joined if entry["task"] is None else {**joined, "task": entry["task"]}


class _Sink(io.RawIOBase):
    """The bottom of a captured stream: takes bytes, keeps text, and lets the log have them too."""

    def __init__(self, outputs: Outputs, stream: str) -> None:
        self._outputs, self._stream, self._pid = outputs, stream, os.getpid()
        self.name = f"<{stream}>"
        self._decode = UTF8("replace").decode

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        super().flush()
        frame = sys._getframe(1)
        if frame.f_globals.get("__name__") == _OUTPUT_AREAS and self._stream == "stdout" and frame.f_back is not None:
            self._outputs.flushed_by(frame.f_back.f_code.co_name, frame.f_back.f_locals)

    def write(self, data: Any, /) -> int:
        raw = bytes(data)
        if os.getpid() != self._pid:  # a fork: the record is the parent's, which reads the descriptor
            return os.write(1 if self._stream == "stdout" else 2, raw)
        text = self._decode(raw)
        if text:
            self._outputs.write(self._stream, text)
            LOG_COPIES[self._stream].write(raw)
        return len(raw)


class CapturedStreams:
    """A context in which stdout and stderr are recorded, Python's and those below; the function's log gets a copy."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        _flush(*self._before)
        self._outputs.below.__enter__()
        sys.stdout, sys.stderr = self._stream("stdout"), self._stream("stderr")

    def _stream(self, name: str) -> io.TextIOWrapper:
        sink: Any = _Sink(self._outputs, name)
        return io.TextIOWrapper(sink, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)

    def __exit__(self, *_: object) -> None:
        captured = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self._before
        _flush(*captured, *self._before)
        self._outputs.below.__exit__()


def _flush(*streams: Any) -> None:
    for stream in streams:
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112  # the user's code closed it, or put anything at all in its place
            continue
