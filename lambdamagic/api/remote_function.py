"""`@remote`: a function whose calls run on Lambda."""

from __future__ import annotations

import asyncio
import functools
import operator
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, ParamSpec, TypeVar, overload

from lambdamagic.api.executor import LambdaExecutor

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RemoteFunction(Generic[_P, _T]):
    """A function that runs on Lambda when it is called. Thread-safe.

    Inside Lambda it is the plain function: one that calls itself, or another of its kind, runs on in its invocation.

    Args:
        fn: The function.
        options: What `LambdaExecutor` takes.
    """

    def __init__(self, fn: Callable[_P, _T], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, fn)
        self.__wrapped__ = fn
        self._options = options
        self._lock = threading.Lock()
        self._opened: LambdaExecutor | None = None

    @property
    def _executor(self) -> LambdaExecutor:
        with self._lock:
            if self._opened is None:
                self._opened = LambdaExecutor(**self._options)
            return self._opened

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run on Lambda and return the result."""
        return self.submit(*args, **kwargs).result()

    def local(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run here."""
        return self.__wrapped__(*args, **kwargs)

    def submit(self, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Begin a call on Lambda and return its future."""
        return self._executor.submit(self.__wrapped__, *args, **kwargs)

    async def aio(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run on Lambda and await the result."""
        return await asyncio.wrap_future(self.submit(*args, **kwargs))

    def map(
        self,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> Iterator[_T]:
        """Call it with the items of the iterables side by side; see `LambdaExecutor.map`."""
        return self._executor.map(
            self.__wrapped__, *iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize
        )

    def cache_clear(self) -> int:
        """Forget what was kept of it with `cache=True`; see `LambdaExecutor.cache_clear`."""
        return self._executor.cache_clear(self.__wrapped__)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.itemgetter(0), ((self.__wrapped__,),)


@overload
def remote(fn: Callable[_P, _T], /) -> RemoteFunction[_P, _T]: ...


@overload
def remote(**options: Any) -> Callable[[Callable[_P, _T]], RemoteFunction[_P, _T]]: ...


def remote(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function run on Lambda: `@remote`, or with options `@remote(memory_mb=4096)`.

    Args:
        fn: The function.
        **options: What `LambdaExecutor` takes.
    """
    if fn is not None:
        return RemoteFunction(fn, options)
    return lambda wrapped: RemoteFunction(wrapped, options)
