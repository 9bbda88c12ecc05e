"""Exceptions raised in the notebook: those raised on Lambda, and interrupts by the user."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from lambdamagic.codec.failures import ErrorRecord, reassemble
from lambdamagic.errors import LambdaMagicError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_E = TypeVar("_E", bound=BaseException)


def local_exception(shell: InteractiveShell, records: list[ErrorRecord], note: str = "") -> BaseException:
    """Return the exception to raise: its own type, with a traceback of the remote lines and no internal frames."""
    error = reassemble(records)
    if note:
        error.add_note(note)
    if any("BaseExceptionGroup" in kind for record in records for kind in record.kinds):
        _show_as_python(shell, error)
    return shown_as(error, _RemoteLines(shell, error, records[0].text))


def _show_as_python(shell: InteractiveShell, error: BaseException) -> None:
    """Leave a group the remote frames only: IPython prints it as Python does, and has no hook for that."""
    remote = error.__traceback__

    def once(*args: Any, **options: Any) -> Any:
        del shell.showtraceback
        if sys.exc_info()[1] is error:
            error.__traceback__ = remote
        return shell.showtraceback(*args, **options)

    shell.showtraceback = once


class _RemoteLines:
    """Shows an exception with the remote lines only: it would begin with frames of IPython and of this package.

    Args:
        shell: Whose colors and style they have.
        error: The exception.
        text: Its traceback as plain text: the exception shows that where it was pickled to, which no traceback is.
    """

    def __init__(self, shell: InteractiveShell, error: BaseException, text: str) -> None:
        self._shell, self._error, self._text = shell, error, text
        self.remote = error.__traceback__
        self._shown: Any = None

    def __call__(self) -> Any:
        if self._shown is None:  # IPython asks twice, and a deep recursion takes it seconds
            self._shown = self._as_its_class_shows_it() or self._as_ipython_shows_it()
        return self._shown

    def _as_its_class_shows_it(self) -> list[str]:
        own = getattr(type(self._error), "_render_traceback_", None)
        if own is LambdaMagicError._render_traceback_:  # which leaves the user's lines out
            return []
        with contextlib.suppress(Exception):  # the user's code: IPython too continues without it
            if own is not None and isinstance(lines := own(self._error), list):
                return [*lines, *getattr(self._error, "__notes__", ())]
        return []

    def _as_ipython_shows_it(self) -> Any:
        show = self._shell.InteractiveTB.structured_traceback
        return show(type(self._error), self._error, self.remote, tb_offset=0)

    def __reduce__(self) -> tuple[Any, ...]:
        # Of the standard library's parts: it may be read where there is no lambdamagic.
        return functools.partial, (str.splitlines, self._text)


def without_our_frames(error: BaseException) -> str:
    """Return the traceback of an exception as Python prints it, of one from Lambda with the remote lines only."""
    shown = getattr(error, "_render_traceback_", None)
    trace = shown.remote if isinstance(shown, _RemoteLines) else error.__traceback__
    return "".join(traceback.format_exception(type(error), error, trace))


def shown_as(error: _E, render: Callable[[], Any]) -> _E:
    """Let IPython show an exception by what `render`, which must be picklable, returns: a list of lines."""
    try:
        error._render_traceback_ = render  # type: ignore[attr-defined]  # IPython's hook for custom tracebacks
    except AttributeError:
        pass  # an exception without attributes shows our frames too
    return error


def shown_in_a_line(error: _E) -> _E:
    """Let IPython show an exception without frames: they would all be ours."""
    return shown_as(error, functools.partial(list, [f"{type(error).__name__}: {error}"]))


def shown_from(shell: InteractiveShell, error: _E, frames: int) -> _E:
    """Let IPython show an exception of the user's code without the frames that led to it, which are ours."""
    for _ in range(frames):
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
    if error.__traceback__ is None:
        return shown_in_a_line(error)
    return shown_as(error, _RemoteLines(shell, error, "".join(traceback.format_exception(error))))


def shown_as_syntax(shell: InteractiveShell, error: SyntaxError) -> SyntaxError:
    """Let IPython show a syntax error as for its own cells: the line and the place in it."""
    shown = shell.SyntaxTB
    lines = shown.structured_traceback(type(error), error.with_traceback(None), [])

    def once(kind: type[BaseException], value: BaseException, *args: Any, **options: Any) -> Any:
        # IPython has no hook for errors of syntax: it adds the frames of a running cell, which are its own and ours.
        del shown.structured_traceback
        return lines if value is error else shown.structured_traceback(kind, value, *args, **options)

    shown.structured_traceback = once
    return shown_as(error, functools.partial(list, lines))


def interrupted(message: str) -> KeyboardInterrupt:
    """Return the exception of a cell that the user has stopped; it is shown as one line."""
    return shown_in_a_line(KeyboardInterrupt(message))


@contextlib.contextmanager
def shown_short(shell: InteractiveShell) -> Iterator[None]:
    """Show no internal frames where the user stops a cell, or for a syntax error: they do not help the user."""
    try:
        yield
    except KeyboardInterrupt as error:
        if hasattr(error, "_render_traceback_"):
            raise
        raise interrupted("cancelled before it was done") from None
    except SyntaxError as error:
        if hasattr(error, "_render_traceback_"):
            raise
        raise shown_as_syntax(shell, error) from None
