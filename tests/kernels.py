"""A real Jupyter kernel in a separate process, used to as a notebook does."""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.manager import KernelManager

_DEADLINE_S = 150.0


@dataclass
class Replied:
    """What the kernel sent for one cell.

    Attributes:
        messages: Everything of IOPub that belongs to the cell, as (type, content), in order.
        status: `ok`, `error` or `aborted`.
    """

    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: str = ""
    seconds: float = 0.0

    def stream(self, name: str) -> str:
        """Return all text of a stream."""
        return "".join(c["text"] for kind, c in self.messages if kind == "stream" and c["name"] == name)

    def bundles(self, kind: str) -> list[dict[str, Any]]:
        """Return the MIME bundles of `execute_result`, `display_data` or `update_display_data`."""
        return [content["data"] for found, content in self.messages if found == kind]

    @property
    def value(self) -> str:
        """The shown value as plain text."""
        (bundle,) = self.bundles("execute_result")
        return bundle["text/plain"]

    @property
    def error(self) -> dict[str, Any]:
        """The error message's content."""
        (found,) = [content for kind, content in self.messages if kind == "error"]
        return found


class Kernel:
    """A kernel and a client of it."""

    def __init__(self) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_DEADLINE_S)
        self._updates: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return self._manager.provisioner.pid  # type: ignore[union-attr]

    def send(self, code: str) -> str:
        """Send a cell and return its message id."""
        self._updates = []
        return self._client.execute(textwrap.dedent(code).lstrip("\n"))

    def run_asked(self, code: str, answer: str | None) -> tuple[Replied, str]:
        """Run a cell that asks something; return what it did, and the question.

        Args:
            code: The cell.
            answer: What the user types; None where no user is, as with nbconvert.
        """
        message = self._client.execute(textwrap.dedent(code).lstrip("\n"), allow_stdin=answer is not None)
        question = ""
        if answer is not None:
            question = self._client.get_stdin_msg(timeout=_DEADLINE_S)["content"]["prompt"]
            self._client.input(answer)
        return self.finish(message), question

    def wait_for_text(self, message: str, text: str) -> None:
        """Wait until the cell has printed or shown a text."""
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            found = self._client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            if found["parent_header"].get("msg_id") == message and text in str(found["content"]):
                return

    def wait_for_update(self, text: str) -> dict[str, Any]:
        """Wait until a display is updated to something with a text, whichever cell runs; return its MIME bundle.

        What the latest cell itself brought counts too.
        """
        for bundle in self._updates:
            if text in str(bundle):
                return bundle
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            found = self._client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            if found["msg_type"] == "update_display_data" and text in str(found["content"]["data"]):
                found_now: dict[str, Any] = found["content"]["data"]
                return found_now

    def interrupt(self) -> None:
        """Interrupt as the stop button does."""
        self._manager.interrupt_kernel()

    def finish(self, message: str) -> Replied:
        """Take everything of a cell until the kernel is idle again."""
        replied, began = Replied(), time.monotonic()
        deadline = began + _DEADLINE_S
        while True:
            found = self._client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            content = found["content"]
            if found["msg_type"] == "update_display_data":
                self._updates.append(content["data"])
            if found["parent_header"].get("msg_id") != message:
                continue
            if found["msg_type"] == "status" and content["execution_state"] == "idle":
                break
            replied.messages.append((found["msg_type"], content))
        while True:
            reply = self._client.get_shell_msg(timeout=_DEADLINE_S)
            if reply["parent_header"].get("msg_id") == message:
                replied.status = reply["content"]["status"]
                break
        replied.seconds = time.monotonic() - began
        return replied

    def run(self, code: str) -> Replied:
        """Run a cell."""
        return self.finish(self.send(code))

    def completed(self, code: str) -> list[str]:
        """Return what Tab offers at the end of some code."""
        reply = self._client.complete(code, len(code), reply=True, timeout=_DEADLINE_S)
        return reply["content"]["matches"]

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)
        self._manager.cleanup_resources()
