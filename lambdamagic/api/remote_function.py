"""`@remote`: a function whose calls run on Lambda."""

from __future__ import annotations

import asyncio
import functools
import operator
import sys
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
        """Delete its outcomes that were cached with `cache=True`; see `LambdaExecutor.cache_clear`."""
        return self._executor.cache_clear(self.__wrapped__)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else BoundRemote(self, instance)

    def __reduce__(self) -> Any:
        module, found = sys.modules.get(self.__wrapped__.__module__), None
        for name in self.__wrapped__.__qualname__.split("."):
            found = getattr(module if found is None else found, name, None)
        if found is self:
            return self.__wrapped__.__qualname__  # pickle looks for it under this name
        return operator.itemgetter(0), ((self.__wrapped__,),)


class BoundRemote:
    """A method that runs on Lambda when it is called; made when it is looked up on an instance.

    Args:
        function: The function of the class.
        instance: The instance.
    """

    def __init__(self, function: RemoteFunction[Any, Any], instance: object) -> None:
        self.__func__, self.__self__ = function, instance
        functools.update_wrapper(self, function.__wrapped__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on Lambda and return the result."""
        return self.__func__(self.__self__, *args, **kwargs)

    def local(self, *args: Any, **kwargs: Any) -> Any:
        """Run here."""
        return self.__func__.local(self.__self__, *args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin a call on Lambda and return its future."""
        return self.__func__.submit(self.__self__, *args, **kwargs)

    async def aio(self, *args: Any, **kwargs: Any) -> Any:
        """Run on Lambda and await the result."""
        return await asyncio.wrap_future(self.submit(*args, **kwargs))

    def map(self, *iterables: Iterable[Any], **options: Any) -> Iterator[Any]:
        """Call it with the items of the iterables side by side; see `LambdaExecutor.map`."""
        bound = functools.partial(self.__func__.__wrapped__, self.__self__)
        return self.__func__._executor.map(bound, *iterables, **options)

    def __reduce__(self) -> Any:
        return getattr, (self.__self__, self.__name__)  # type: ignore[attr-defined]  # of update_wrapper


@overload
def remote(fn: Callable[_P, _T], /) -> RemoteFunction[_P, _T]: ...


@overload
def remote(**options: Any) -> Callable[[Callable[_P, _T]], RemoteFunction[_P, _T]]: ...


def remote(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function run on Lambda: `@remote`, or with options `@remote(memory_mb=4096)`.

    Example:
        >>> import lambdamagic
        >>> @lambdamagic.remote(memory_mb=512)
        ... def square(n):
        ...     return n * n
        >>> square(3), square.submit(4).result(timeout=60), list(square.map(range(3))), square.local(5)
        (9, 16, [0, 1, 4], 25)

    Args:
        fn: The function.
        **options: The options of `LambdaExecutor`.
    """
    if fn is not None:
        return RemoteFunction(fn, options)
    return lambda wrapped: RemoteFunction(wrapped, options)
