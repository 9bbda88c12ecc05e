"""What the user's code prints and displays, in the order in which it did."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Any

from lambdamagic.protocol.bounds import OUTPUT_MAX_CHARS


class Outputs:
    """An ordered record of stdout, stderr and displays.

    Attributes:
        entries: `{"stream": "stdout", "text": ...}` or `{"display": {mime: data}, "metadata": {...}}`.
        task: Which task of a chunk runs, to be noted with what is written; None in a cell.
    """

    def __init__(self, limit_chars: int = OUTPUT_MAX_CHARS) -> None:
        self.entries: list[dict[str, Any]] = []
        self.task: int | None = None
        self._left = limit_chars
        self._dropped = 0

    def write(self, stream: str, text: str) -> None:
        """Add text to a stream; past the limit it is counted and left out."""
        if len(text) > self._left:
            self._dropped += len(text) - self._left
            text = text[: self._left]
        self._left -= len(text)
        if not text:
            return
        last = self.entries[-1] if self.entries else None
        if last is not None and last.get("stream") == stream and last["task"] == self.task:
            last["parts"].append(text)
        else:
            self.entries.append({"stream": stream, "parts": [text], "task": self.task})

    def display(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Add something displayed, as a MIME bundle."""
        self.entries.append({"display": data, "metadata": metadata})

    def finished(self) -> list[dict[str, Any]]:
        """Return the record for the envelope."""
        entries = [_joined(entry) if "stream" in entry else entry for entry in self.entries]
        if self._dropped:
            note = f"\n[lambdamagic: {self._dropped:,} more characters of output were left out]\n"
            entries.append({"stream": "stderr", "text": note})
        return entries


def _joined(entry: dict[str, Any]) -> dict[str, Any]:
    joined = {"stream": entry["stream"], "text": "".join(entry["parts"])}
    return joined if entry["task"] is None else {**joined, "task": entry["task"]}


class _Sink(io.RawIOBase):
    """The bottom of a captured stream: takes bytes, keeps text, and lets the log have them too."""

    def __init__(self, outputs: Outputs, stream: str, log: Any) -> None:
        self._outputs, self._stream, self._log = outputs, stream, log
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        raw = bytes(data)
        text = self._decode(raw)
        if text:
            self._outputs.write(self._stream, text)
            if self._log is not None:
                self._log.write(text)
        return len(raw)


class CapturedStreams:
    """A context in which sys.stdout and sys.stderr are recorded; the function's log gets a copy."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        sys.stdout = self._stream("stdout", self._before[0])
        sys.stderr = self._stream("stderr", self._before[1])

    def _stream(self, name: str, log: Any) -> io.TextIOWrapper:
        sink: Any = _Sink(self._outputs, name, log)
        return io.TextIOWrapper(sink, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)

    def __exit__(self, *_: object) -> None:
        captured = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self._before
        for stream in (*captured, *self._before):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001, S112  # the user's code closed it, or put anything at all in its place
                continue
