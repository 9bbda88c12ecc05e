"""Outputs of a cell below its job's widget, for a page that was reloaded meanwhile and did not receive them.

A page asks for it when it finds the widget of a job that is over (`labextension/src/outputs.ts`). It is recorded from
the moment a blocking job opens its widget to the end of the cell, so that quick cells pay nothing for it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: The cells of so many jobs are kept, as long as their results are (`Shelf`).
_KEPT = 8
#: What ipykernel calls the threads that hear pages while a cell runs: their warnings are not the cell's.
_SUBSHELL = "subshell"
_MOST_CHARS = 20_000_000
#: It warns of messages from widgets of the page before the reload, in the middle of the cell's own output.
_COMMS = logging.getLogger("Comm")
_TOO_MUCH = "\n[lambdamagic: the rest is too large to be kept for a reloaded page; run the cell again]\n"


class CellOutputs:
    """Records what cells show, as nbformat has it. Records in the main thread; can be asked in any.

    Args:
        shell: The kernel's shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._recording: _Recording | None = None
        self._jobs: OrderedDict[str, tuple[_Recording, int]] = OrderedDict()

    def begin(self, job_id: str) -> None:
        """Record for a job from here to the end of the cell that runs."""
        if self._recording is None:
            self._recording = _Recording(self._shell)
        self._jobs[job_id] = self._recording, self._recording.mark()
        while len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)

    def end(self, error: BaseException | None) -> list[str]:
        """Note the end of the cell; return the jobs that were recorded for.

        Args:
            error: What the cell raised.
        """
        recording = self._recording
        if recording is None:
            return []
        recording.end(error)
        self._recording = None
        return [job_id for job_id, (each, _) in self._jobs.items() if each is recording]

    def is_recording(self, job_id: str) -> bool:
        """Whether the cell of a job still runs."""
        found = self._jobs.get(job_id)
        return found is not None and found[0] is self._recording

    def of(self, job_id: str) -> list[dict[str, Any]] | None:
        """Return what followed a job's widget; None while its cell runs, or where it is not known."""
        found = self._jobs.get(job_id)
        return None if found is None or found[0] is self._recording else found[0].since(found[1])


class _Recording:
    """Records the outputs of one cell, as the kernel sends them."""

    def __init__(self, shell: Any) -> None:
        self._shell, self._left, self._is_clear_due = shell, _MOST_CHARS, False
        self._outputs: list[dict[str, Any]] = []
        self._ids: list[str] = []  # the display id of each output; empty without one
        self._streams = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "echo")]
        self._before = [stream.echo for stream in self._streams]
        for stream in self._streams:
            stream.echo = _Echo(stream.name, self._write, stream.echo)
        _COMMS.addFilter(_is_of_the_cell)
        shell.display_pub.register_hook(self._published)
        shell.displayhook.write_format_data = self._resulted

    def mark(self) -> int:
        """Return how many outputs there are; text that follows is a separate one."""
        self._append({"output_type": "stream", "name": "", "text": ""})
        return len(self._outputs)

    def end(self, error: BaseException | None) -> None:
        """Record no more; an error comes last."""
        for stream, before in zip(self._streams, self._before, strict=True):
            stream.echo = before
        _COMMS.removeFilter(_is_of_the_cell)
        self._shell.display_pub.unregister_hook(self._published)
        del self._shell.displayhook.write_format_data  # the class's own is seen again
        if error is not None:
            lines = [*(self._shell._last_traceback or ())]  # as it was sent to the page
            self._append(
                {"output_type": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": lines}
            )

    def since(self, mark: int) -> list[dict[str, Any]]:
        """Return what came after a mark, without outputs that show nothing."""
        return [each for each in self._outputs[mark:] if each["output_type"] == "error" or _chars(each)]

    def _write(self, name: str, text: str) -> None:
        self._clear_if_due()
        last = self._outputs[-1] if self._outputs else {}
        if last.get("name") != name:
            last = {"output_type": "stream", "name": name, "text": ""}
            self._append(last)
        if self._has_room(len(text)):
            last["text"] += text

    def _published(self, message: dict[str, Any]) -> dict[str, Any]:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "clear_output":
            self._is_clear_due = True
            if not content["wait"]:
                self._clear_if_due()
            return message
        shown = {"data": content["data"], "metadata": content["metadata"]}
        name = content["transient"].get("display_id", "")
        if kind == "display_data":
            self._clear_if_due()
            if self._has_room(_chars(shown)):
                self._append({"output_type": "display_data", **shown}, name)
        elif name:
            for output, each in zip(self._outputs, self._ids, strict=True):
                if each == name:
                    output.update(shown)
        return message

    def _resulted(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        hook = self._shell.displayhook
        type(hook).write_format_data(hook, format_dict, md_dict)
        content = hook.msg["content"]
        output = {"output_type": "execute_result", "data": content["data"], "metadata": content["metadata"]}
        if self._has_room(_chars(output)):
            self._append({**output, "execution_count": content.get("execution_count")})

    def _append(self, output: dict[str, Any], display_id: str = "") -> None:
        self._outputs.append(output)
        self._ids.append(display_id)

    def _has_room(self, chars: int) -> bool:
        """Whether so much can still be kept; the first that cannot leaves a note."""
        if chars > self._left >= 0:
            self._append({"output_type": "stream", "name": "stderr", "text": _TOO_MUCH})
            self._left = -1
        if chars > self._left:
            return False
        self._left -= chars
        return True

    def _clear_if_due(self) -> None:
        if self._is_clear_due:
            self._is_clear_due = False
            for output in self._outputs:  # emptied, not removed: marks count them
                output["text" if "text" in output else "data"] = ""
                output.pop("name", None)


def _is_of_the_cell(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("No such comm:")


def _chars(output: dict[str, Any]) -> int:
    contents = output["data"].values() if output.get("data") else (output.get("text", ""),)
    return sum(len(each) if isinstance(each, str) else len(str(each)) for each in contents)


class _Echo:
    """Takes what is written to one of the kernel's streams, and passes it on to the former echo."""

    def __init__(self, name: str, take: Callable[[str, str], None], before: Any) -> None:
        self._name, self._take, self._before = name, take, before

    def write(self, text: str) -> None:
        if not threading.current_thread().name.startswith(_SUBSHELL):
            self._take(self._name, text)
        if self._before is not None:
            self._before.write(text)

    def flush(self) -> None:
        if self._before is not None:
            self._before.flush()
