"""A real IPython shell whose outputs are recorded as data: the notebook of most tests."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
import textwrap
from dataclasses import dataclass, field
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults


@dataclass
class Ran:
    """What one cell did.

    Attributes:
        value: What `Out[n]` holds; None when nothing was shown.
        out: The MIME bundle of the shown value; None when nothing was shown.
        displays: The MIME bundles of what was displayed, in order.
        error: The exception that ended the cell.
        traceback: The traceback as the shell showed it.
    """

    value: Any = None
    out: dict[str, Any] | None = None
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: BaseException | None = None
    traceback: str = ""

    @property
    def text(self) -> str:
        """The shown value as plain text."""
        assert self.out is not None, "the cell showed no value"
        return self.out["text/plain"]


class _Hook(DisplayHook):
    def write_output_prompt(self) -> None:
        """Write no prompt: the record says what was shown."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.ran.out = dict(format_dict)

    def finish_displayhook(self) -> None:
        """Write no end of line."""


class _Publisher(DisplayPublisher):
    def publish(
        self, data: Any, metadata: Any = None, *, transient: Any = None, update: bool = False, **_: Any
    ) -> None:
        if update:
            self.shell.ran.displays[-1] = dict(data)
        else:
            self.shell.ran.displays.append(dict(data))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.ran.displays.clear()
        sys.stdout.seek(0)
        sys.stdout.truncate()


class RecordingShell(InteractiveShell):
    """IPython's shell; only the last step, writing to a screen, is replaced by a record."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    ran = Ran()

    def enable_gui(self, gui: Any = None) -> None:
        """Take every answer: figures are shown inline or not at all."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.ran.traceback = self.InteractiveTB.stb2text(stb)


class Notebook:
    """One shell with the extension loaded, and what tests do with it."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        RecordingShell.clear_instance()
        InteractiveShell.clear_instance()  # whatever shell an earlier test of this process left
        self.shell: Any = RecordingShell.instance(config=config)
        self._streams = io.StringIO(), io.StringIO()  # the same for all cells, as in a kernel
        assert self.run("%load_ext lambdamagic").error is None
        self._fresh = dict(self.shell.user_ns)
        self._fresh_hidden = dict(self.shell.user_ns_hidden)

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's namespace."""
        return self.shell.user_ns

    @property
    def session(self) -> Any:
        """What the extension holds for this notebook."""
        return self.shell._lambdamagic.session

    @property
    def server(self) -> LocalServer:
        """The embedded Lambda behind the notebook, started if it is not there yet."""
        return self.session.target(self.session.settings({"target": "local"})).server

    @property
    def faults(self) -> Faults:
        """Scripts faults and reads counters at the server."""
        return Faults(self.server.connection)

    def run(self, code: str) -> Ran:
        """Run one cell as the notebook's user does."""
        code = textwrap.dedent(code).lstrip("\n")
        self.shell.ran = ran = Ran()
        out, err = self._streams
        for stream in self._streams:
            stream.seek(0)
            stream.truncate()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = self.shell.run_cell(code, store_history=True)
        ran.value, ran.stdout, ran.stderr = result.result, out.getvalue(), err.getvalue()
        ran.error = result.error_before_exec or result.error_in_exec
        return ran

    def ok(self, code: str) -> Ran:
        """Run one cell that must not fail."""
        ran = self.run(code)
        assert ran.error is None, ran.traceback
        return ran

    def remote(self, body: str, options: str = "") -> Ran:
        """Run a body with `%%lambda`; it must not fail."""
        return self.ok(f"%%lambda {options}\n" + textwrap.dedent(body).lstrip("\n"))

    def fails(self, body: str, options: str = "") -> Ran:
        """Run a body with `%%lambda`; it must fail."""
        ran = self.run(f"%%lambda {options}\n" + textwrap.dedent(body).lstrip("\n"))
        assert ran.error is not None, "the cell did not fail"
        return ran

    def agrees(self, setup: str, body: str) -> Ran:
        """Run a body in the kernel and with `%%lambda`, each after the setup; value and output must be equal.

        Returns:
            What it did on Lambda. The notebook is left as Lambda made it.
        """
        self.reset()
        self.ok(setup)
        here = self.ok(body)
        self.reset()
        self.ok(setup)
        there = self.remote(body)
        assert (there.stdout, there.out) == (here.stdout, here.out)
        return there

    def invocations(self) -> int:
        """How many invocations the server has got: counted as they come, since one of an earlier test may end late."""
        return int(self.faults.stats()["requests"].get("lambda", {}).get("Invoke", 0))

    def reset(self) -> None:
        """Make the namespace that of a new notebook."""
        self.shell.user_ns.clear()
        self.shell.user_ns.update(self._fresh)
        self.shell.user_ns_hidden.clear()
        self.shell.user_ns_hidden.update(self._fresh_hidden)
        for kept in ("_oh", "Out"):
            self.shell.user_ns[kept].clear()
        for last in ("_", "__", "___"):
            setattr(self.shell.displayhook, last, "")

    def close(self) -> None:
        """End the shell, and all that it started."""
        self.shell.run_line_magic("unload_ext", "lambdamagic")
        atexit.unregister(self.shell.atexit_operations)
        self.shell.atexit_operations()
        RecordingShell.clear_instance()
