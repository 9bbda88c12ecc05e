"""What is raised in the notebook: what was raised on Lambda, and that the user has stopped something."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lambdamagic.codec.failures import ErrorRecord, reassemble

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def local_exception(shell: InteractiveShell, records: list[ErrorRecord], note: str = "") -> BaseException:
    """Return the exception to raise: its own type, with a traceback of the remote lines and nothing of ours."""
    error = reassemble(records)
    if note:
        error.add_note(note)
    remote = error.__traceback__

    @functools.cache  # IPython asks twice, and a deep recursion takes it seconds
    def render() -> Any:
        # Without this the traceback would begin with the frames of IPython and of this package.
        return shell.InteractiveTB.structured_traceback(type(error), error, remote, tb_offset=0)

    try:
        error._render_traceback_ = render  # type: ignore[attr-defined]  # IPython's hook for custom tracebacks
    except AttributeError:
        pass  # an exception without attributes shows our frames too
    return error


def interrupted(message: str) -> KeyboardInterrupt:
    """Return the exception of a cell that the user has stopped; it is shown as one line."""
    error = KeyboardInterrupt(message)
    error._render_traceback_ = lambda: [f"KeyboardInterrupt: {message}"]  # type: ignore[attr-defined]  # IPython's hook
    return error


@contextlib.contextmanager
def shown_short_when_stopped() -> Iterator[None]:
    """Show no frames of ours where the user stops a cell: they say nothing about the user's code."""
    try:
        yield
    except KeyboardInterrupt as error:
        if hasattr(error, "_render_traceback_"):
            raise
        raise interrupted("stopped before it was done") from None
