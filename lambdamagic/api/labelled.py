"""How futures and pending results are displayed at the end of a cell: as text and as HTML."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from lambdamagic.appearance import html_line

_T = TypeVar("_T")
_A = TypeVar("_A")
_LOGGER = logging.getLogger("concurrent.futures")  # where the standard library's futures log this


def outcome_text(value: object, error: BaseException | None) -> str:
    """Return the kind of an outcome in words; values themselves may be of any size."""
    return f"raised {type(error).__name__}" if error is not None else f"returned {type(value).__name__}"


class Labelled:
    """A mixin whose repr is the callable's name and its state.

    Attributes:
        label: The callable's name, for display.
    """

    label: str
    _kind = ""

    def _seen(self) -> tuple[str, str]:
        """Return the state, and details if there are any."""
        raise NotImplementedError

    def __repr__(self) -> str:
        state, detail = self._seen()
        return f"<{self._kind or type(self).__name__} of {self.label}: {state}{f', {detail}' if detail else ''}>"

    def _repr_html_(self) -> str:
        return html_line(self.label, *self._seen())


def call_back(fn: Callable[[_A], object], argument: _A) -> None:
    """Call a callback of the program's. Others wait for the thread that does so: what it raises is logged."""
    try:
        fn(argument)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        _LOGGER.exception("exception calling callback for %r", argument)


class CallFuture(Labelled, Future[_T]):
    """The future of one call: a `concurrent.futures.Future` whose repr names the call.

    Args:
        label: The callable's name, for display.
    """

    _kind = "Future"

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def add_done_callback(self, fn: Callable[[Future[_T]], object]) -> None:
        """Have `fn` called with this future when it is done; what it raises is logged, also `SystemExit`."""
        super().add_done_callback(functools.partial(call_back, fn))

    def _seen(self) -> tuple[str, str]:
        # `done` is final: what is asked after it cannot wait.
        if not self.done():
            return ("running" if self.running() else "pending"), ""
        if self.cancelled():
            return "cancelled", ""
        error = self.exception()
        return ("done" if error is None else "failed"), outcome_text(None if error else self.result(), error)
