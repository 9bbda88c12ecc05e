"""Values that stand for something in progress, and can be sent as long as nothing is: generators that have not begun,
coroutines likewise, locks that are not held, and matches of regular expressions, which can be found again.
"""

from __future__ import annotations

import gc
import re
import threading
import types
from typing import Any

RLock: type = type(threading.RLock())
Lock: type = type(threading.Lock())
_PREFIXES = {types.GeneratorType: "gi", types.CoroutineType: "cr", types.AsyncGeneratorType: "ag"}


def progress(value: Any) -> str:
    """Return `created`, `begun` or `closed` for a generator, a coroutine or an asynchronous generator."""
    prefix = _PREFIXES[type(value)]
    frame = getattr(value, f"{prefix}_frame")
    if frame is None:
        return "closed"
    is_suspended = getattr(value, f"{prefix}_suspended", None)
    if is_suspended is None:  # asynchronous generators before Python 3.12
        is_suspended = frame.f_lasti > _first_instruction(value.ag_code)
    return "begun" if is_suspended or getattr(value, f"{prefix}_running") else "created"


def _first_instruction(code: types.CodeType) -> int:
    """Return where a generator stands that has not begun: behind the instruction that returned it."""
    import opcode  # slow to import, and seldom asked

    return code.co_code.index(opcode.opmap["RETURN_GENERATOR"].to_bytes(1, "little"))


def call_of(value: Any) -> tuple[types.FunctionType, tuple[Any, ...], dict[str, Any]]:
    """Return the function that makes a generator which has not begun, and the arguments of its call.

    Raises:
        TypeError: It has begun.
    """
    kind = type(value).__name__
    state = progress(value)
    if state != "created":
        raise TypeError(f"cannot pickle {kind!r} object: it has {'begun' if state == 'begun' else 'ended'}")
    prefix = _PREFIXES[type(value)]
    code: types.CodeType = getattr(value, f"{prefix}_code")
    frame = getattr(value, f"{prefix}_frame")
    function = next((each for each in gc.get_referents(value) if _makes(each, code)), None)
    if function is None:
        function = next((each for each in gc.get_referents(frame) if _makes(each, code)), None)
    if function is None:
        raise TypeError(f"cannot pickle {kind!r} object: the function that made it cannot be found")
    held = dict(frame.f_locals)
    names = code.co_varnames
    count, only = code.co_argcount, code.co_kwonlyargcount
    args = tuple(held[name] for name in names[:count])
    kwargs = {name: held[name] for name in names[count : count + only]}
    after = count + only
    if code.co_flags & 4:  # *args
        args += held[names[after]]
        after += 1
    if code.co_flags & 8:  # **kwargs
        kwargs |= held[names[after]]
    return function, args, kwargs


def _makes(value: Any, code: types.CodeType) -> bool:
    return type(value) is types.FunctionType and value.__code__ is code


def is_unlocked(lock: Any) -> bool:
    """Whether a lock is not held."""
    return repr(lock).startswith("<unlocked")


def search_of(match: re.Match[str]) -> tuple[str, int]:
    """Return the method of the pattern, and the position to start from, that find a match again.

    Raises:
        TypeError: None does.
    """
    for name, start in (
        ("search", match.pos),
        ("match", match.pos),
        ("fullmatch", match.pos),
        ("search", match.start()),
    ):
        found = getattr(match.re, name)(match.string, start, match.endpos)
        if found is not None and found.regs == match.regs:
            return name, start
    raise TypeError("cannot pickle 're.Match' object: its match cannot be repeated")
