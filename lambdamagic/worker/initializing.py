"""Calls behind an initializer, as in the standard library's pools: it runs once in each execution environment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import Any


class InitializerError(BrokenExecutor):
    """The initializer raised in an environment, so that no call can run there; its exception is the cause."""


class Initialized:
    """Calls callables, the first time after an initializer.

    Args:
        initializer: The function to run once.
        initargs: Its arguments.
    """

    def __init__(self, initializer: Callable[..., Any], initargs: tuple[Any, ...]) -> None:
        self._initializer, self._initargs = initializer, initargs
        self._has_run = False
        self._error: BaseException | None = None

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Return fn(*args, **kwargs).

        Raises:
            InitializerError: The initializer has raised.
        """
        if not self._has_run:
            self._has_run = True
            try:
                self._initializer(*self._initargs)
            except Exception as error:  # noqa: BLE001  # code of the user's: no call can run after it
                self._error = error
        if self._error is not None:
            raise InitializerError(
                f"the initializer raised {type(self._error).__name__}; the executor takes no more calls"
            ) from self._error
        return fn(*args, **kwargs)
