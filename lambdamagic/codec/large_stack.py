"""A larger stack for C code that follows data, which would else end the process where the recursion limit is high."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from typing import Any

#: Address space; memory is only taken where it is used, and a small machine has less to give.
_STACKS_BYTES = (1 << 30, 256 << 20, 64 << 20)
#: What a call takes at most: `sorted` with a key takes 5 kB with Python 3.11, where a limit counts calls in C too.
_CALL_BYTES = 8192
#: Below it a usual stack of 8 MB bears what the picklers and the attributes of objects take for each call.
_USUAL_LIMIT = 5000
_lock = threading.Lock()
#: The limit before, once for each thread that needs another one: it is the process's, and the last one sets it back.
_limits: list[int] = []


def with_room(call: Callable[..., Any], *args: Any) -> Any:
    """Call on a stack that bears as many calls as this process's recursion limit allows; here where this one does.

    A program that raised its limit for an algorithm did not mean it for pickle, which takes more of the stack for each
    level of its data than Python code does.
    """
    if sys.getrecursionlimit() <= _USUAL_LIMIT:
        return call(*args)
    return _in_thread(call, args, raises_limit=False)


def with_depth(call: Callable[..., Any], *args: Any) -> Any:
    """Call on a large stack, with as high a recursion limit as it bears."""
    return _in_thread(call, args, raises_limit=True)


def _in_thread(call: Callable[..., Any], args: Any, *, raises_limit: bool) -> Any:
    outcome: list[Any] = []
    raised: list[BaseException] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.append(context.run(call, *args))
        except BaseException as error:  # noqa: BLE001  # raised where it was asked for
            raised.append(error)
        finally:
            if raises_limit:
                with _lock:
                    _leave()

    _start(run, raises_limit=raises_limit).join()
    if raised:
        raise raised[0]
    return outcome[0]


def _start(run: Callable[[], None], *, raises_limit: bool) -> threading.Thread:
    for size in _STACKS_BYTES:
        with _lock:
            before = threading.stack_size(size)
            if raises_limit:
                _limits.append(sys.getrecursionlimit())
                sys.setrecursionlimit(max(*_limits, size // _CALL_BYTES))
            try:
                thread = threading.Thread(target=run, name="lambdamagic-deep", daemon=True)
                thread.start()
                return thread
            except RuntimeError:  # there is no room for such a stack
                if raises_limit:
                    _leave()
                if size == _STACKS_BYTES[-1]:
                    raise
            finally:
                threading.stack_size(before)
    raise AssertionError("the last one starts, or raises")


def _leave() -> None:
    limit = _limits.pop()
    if not _limits:
        sys.setrecursionlimit(limit)
