"""Find the part of a value that cannot be pickled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lambdamagic.codec import kinds
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.picklers import PICKLING_ERRORS

_MAX_STEPS = 5_000
_MAX_PATH = 160  # characters; the path into something that is nested too deeply has thousands


def explain_unpicklable(name: str, value: Any, home: Home) -> tuple[str, str]:
    """Find the innermost part of `value` that cannot be pickled.

    Args:
        name: How the value is called.
        value: A value that a pickler refused.
        home: The home that it lives in.

    Returns:
        The path to that part, such as `model.callbacks[0]._lock`, and the reason in words.
    """
    path, current = name, value
    reason = _refusal(current, home) or "it could not be pickled together with the other names"
    if reason == _TOO_DEEP:
        return path, reason  # it is no part's doing, and each of thousands would be pickled again
    seen: set[int] = set()
    steps = 0
    while id(current) not in seen:
        seen.add(id(current))
        for step, child in _parts(current):
            steps += 1
            if steps > _MAX_STEPS:
                return _shortened(path), reason
            refusal = _refusal(child, home)
            if refusal is not None and id(child) not in seen:
                path, current, reason = path + step, child, refusal
                break
    return _shortened(path), f"{reason} (a {type(current).__module__}.{type(current).__qualname__})"


_TOO_DEEP = "it is nested too deeply to be pickled"


def _shortened(path: str) -> str:
    half = _MAX_PATH // 2
    return path if len(path) <= _MAX_PATH else f"{path[:half]} ... {path[-half:]}"


def _refusal(value: Any, home: Home) -> str | None:
    if type(value) in (int, float, str, bytes, bool, type(None)):
        return None
    try:
        Encoder(home).dump(value)
    except RecursionError:
        return _TOO_DEEP
    except PICKLING_ERRORS as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    kind = kinds.kind_of(type(value))
    if kind == kinds.DICT or isinstance(value, dict):
        for key, item in value.items():
            yield f"[{key!r}]", item
        for key in value:
            yield f" key {key!r}", key
    elif kind in (kinds.LIST, kinds.TUPLE) or isinstance(value, list | tuple | set | frozenset):
        for number, item in enumerate(value):
            yield f"[{number}]", item
    elif kind == kinds.FUNCTION:
        names = value.__code__.co_freevars
        for name, cell in zip(names, value.__closure__ or (), strict=True):
            try:
                yield f"'s closure variable {name}", cell.cell_contents
            except ValueError:
                continue
        for number, default in enumerate(value.__defaults__ or ()):
            yield f"'s default argument {number + 1}", default
    elif kind == kinds.HOLDER:
        for number, item in enumerate(kinds.children_of(value, kind)):
            yield f"'s part {number + 1}", item
    elif isinstance(value, type):
        for name, item in value.__dict__.items():
            if name not in ("__dict__", "__weakref__"):
                yield f".{name}", item
    else:
        for name, item in _state(value).items():
            yield f".{name}", item
        if not _is_default_class(type(value)):
            yield "'s class", type(value)


def _is_default_class(cls: type) -> bool:
    return cls.__module__ != "__main__"


def _state(value: Any) -> dict[str, Any]:
    """Return the state that pickle would use, if it is a dictionary of attributes."""
    try:
        state = value.__getstate__()
    except Exception:  # noqa: BLE001  # the user's __getstate__ may raise anything
        state = None
    if isinstance(state, tuple) and len(state) == 2:
        merged: dict[str, Any] = {}
        for part in state:
            if isinstance(part, dict):
                merged.update(part)
        return merged
    return state if isinstance(state, dict) else {}
