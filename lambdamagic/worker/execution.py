"""Running user code as a kernel would: its streams, displays, figures, warnings and logging."""

from __future__ import annotations

import builtins
import contextlib
import logging
import os
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lambdamagic.codec.failures import ErrorRecord, describe, render
from lambdamagic.codec.interruption import Interruption
from lambdamagic.worker import displays
from lambdamagic.worker.descriptors import LOG_COPIES
from lambdamagic.worker.displays import make_display
from lambdamagic.worker.ipython import IPythonSupport
from lambdamagic.worker.live_displays import LiveDisplays
from lambdamagic.worker.program import LoadedProgram, builtins_of_a_cell
from lambdamagic.worker.recorder import CapturedStreams, Outputs
from lambdamagic.worker.setup_code import SetupCode
from lambdamagic.worker.shell import RemoteShell
from lambdamagic.worker.this_environment import raw_environment

#: Frames of these files at the top of a traceback are ours.
INTERNAL = (
    str(Path(__file__).parent),
    str(Path(__file__).resolve().parent),
    str(Path(os.__file__).resolve().parent / "asyncio"),
    "<frozen importlib",
)

#: `inspect.CO_COROUTINE`, without what `inspect` imports.
_CO_COROUTINE = 128

os.environ.setdefault("MPLBACKEND", "module://lambdamagic.worker.inline_figures")


def run_code(code: types.CodeType, namespace: dict[str, Any]) -> None:
    """Run compiled code in a namespace; top-level await runs in a separate event loop."""
    if code.co_flags & _CO_COROUTINE:
        import asyncio  # a sixth of our cold start, for the few cells that await

        asyncio.run(eval(code, namespace))  # noqa: S307  # the user's code is what is run here
    else:
        exec(code, namespace)


@contextlib.contextmanager
def _interpreter_kept() -> Iterator[None]:
    """Undo what would break the next job in this environment: user code may replace any part of the interpreter.

    What a job leaves inside installed modules (an attribute, a log level, a seed) stays with the process.
    """
    pid = os.getpid()
    scope, depth = vars(builtins), sys.getrecursionlimit()
    names, modules = dict(scope), sys.modules
    # Lists of the same objects are compared in a tenth of the time that tables take.
    imported, them = [*modules], [*modules.values()]
    try:
        yield
    finally:
        if os.getpid() != pid:
            os._exit(0)  # a fork that the user's code let return; two processes must not answer one invocation
        if scope != names:
            scope.clear()
            scope.update(names)
        if imported != [*sys.modules] or them != [*sys.modules.values()]:
            sys.modules.update(zip(imported, them, strict=True))
        if sys.getrecursionlimit() != depth:
            sys.setrecursionlimit(depth)


def _restore_environ(before: dict[bytes, bytes]) -> None:
    os.environb.clear()
    os.environb.update(before)


class CellSurroundings:
    """Everything around user code, for the time of one invocation."""

    def __init__(self, program: LoadedProgram, setup: SetupCode | None = None) -> None:
        self._program, self._setup = program, setup or SetupCode()
        self.outputs = Outputs()
        self.shown_value: Any = None
        self._display = make_display(self.outputs)
        shell = RemoteShell(program.main, self._run_source)
        self._ipython = IPythonSupport(shell, self.outputs, displays.figure_as)

    def _run_source(self, source: str) -> Any:
        """Run source given as text (the body of %%time) and return the last expression's value."""
        import ast

        tree = ast.parse(source)
        namespace = self._program.main.__dict__
        if not tree.body or not isinstance(tree.body[-1], ast.Expr):
            exec(compile(tree, "<magic>", "exec"), namespace)
            return None
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]  # it is an ast.Expr, seen above
        exec(compile(tree, "<magic>", "exec"), namespace)
        return eval(compile(last, "<magic>", "eval"), namespace)  # noqa: S307  # as above

    def show_live(self) -> LiveDisplays:
        """Leave in the log from now on what is displayed, until the returned object is stopped."""
        live = LiveDisplays(LOG_COPIES["stdout"].line, self.outputs.displayed)
        self.outputs.on_display = live.changed
        return live

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Capture what the code prints, displays and draws while the context is open."""
        root = logging.getLogger()
        # The runtime's own handler writes to the function's log; a notebook shows warnings in the cell.
        handlers, root.handlers, level = root.handlers, [], root.level
        environ, path = raw_environment().copy(), list(sys.path)
        try:
            with (
                self._program.current(),
                CapturedStreams(self.outputs),
                self._ipython,
                builtins_of_a_cell(lambda: self._ipython.shell, self._display, self._program.builtins),
                warnings.catch_warnings(),
            ):
                warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
                displays.on_figure = self._on_figure
                try:
                    with _interpreter_kept():  # innermost: what follows the user's code needs its builtins
                        yield
                finally:
                    self._show_figures()
                    displays.on_figure = self.shown_value = None  # no part of the job is held
        finally:
            root.handlers = handlers
            root.setLevel(level)
            os.chdir("/")  # no file of the job is held; the next one enters its own folder
            sys.path[:] = path
            if raw_environment() != environ:
                _restore_environ(environ)

    def set_up(self) -> list[ErrorRecord] | None:
        """Have in force what the notebook's set-up cell sets; return what it raised, taken apart.

        Raises:
            Interrupted: The deadline came, or the client stopped.
        """
        found = self._program.header.get("setup")
        if found is None:
            return None
        digest, code = found
        shown = len(self.outputs.entries)
        try:
            self._setup.apply(digest, lambda: run_code(code, dict(self._program.main.__dict__)))
        except Interruption:
            raise
        except BaseException as raised:  # noqa: BLE001  # as of a cell
            return self.failure(raised)
        del self.outputs.entries[shown:]  # the notebook has shown it once, from its own run
        return None

    def _show_figures(self) -> None:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        from lambdamagic.worker import inline_figures

        with self.outputs.after_the_value():
            inline_figures.show_after(self.shown_value)

    def _on_figure(self, figure: Any) -> None:
        data, metadata = displays.figure_bundle(figure)
        self.outputs.display({"text/plain": repr(figure), **data}, metadata)

    def failure(self, error: BaseException) -> list[ErrorRecord]:
        """Take an exception of the user's code apart, with the user's own paths in it."""
        records = describe(error, internal=INTERNAL)
        for record in records:
            # The records say what came from what; one that cannot be sent must not keep the others here.
            if record.exception is not None:
                record.exception.__cause__ = record.exception.__context__ = None
        aliases = self._program.aliases
        if aliases:
            for record in records:
                record.rename(aliases)
            records[0].text = render(records)
        for record in records:
            if record.exception is not None:  # its frames would keep all that the code had in hand
                record.exception.__traceback__ = None
        return records
