"""Estimate the pickled size of a value from a sample: for progress displays, and for what is written apart."""

from __future__ import annotations

import pickle
from collections import deque
from itertools import islice
from typing import Any

from lambdamagic.codec.frames import ALONE_MIN_BYTES
from lambdamagic.codec.large_stack import with_room

_SAMPLE = 64
_DEEPEST = 4
_CONTAINERS = (list, tuple, deque, set, frozenset, dict)
_TEXTS = frozenset((str, bytes, bytearray))
_PLAIN_CONTAINERS = frozenset((list, tuple, set, frozenset, dict))
_MAY_BE_LARGE = _TEXTS | _PLAIN_CONTAINERS
_EACH = 16  # of so few items each is looked at, otherwise the first
_ITEM_BYTES = 4


def looks_large(value: Any) -> bool:
    """Whether a list, a text and the like may take a separate frame; of other kinds the size is unknown before."""
    return type(value) in _MAY_BE_LARGE and _about(value, 3) >= ALONE_MIN_BYTES / 2


def _about(value: Any, depth: int) -> int:
    kind = type(value)
    if kind in _TEXTS:
        return len(value)
    if kind not in _PLAIN_CONTAINERS or not value or not depth:
        return _ITEM_BYTES
    items = value.values() if kind is dict else value
    if len(value) <= _EACH:
        return sum(_about(each, depth - 1) for each in items)
    return len(value) * _about(next(iter(items)), depth - 1)


def pickled_bytes(value: Any) -> int:
    """Return about how many bytes the pickle of a value has; 0 where no sample can say so."""
    try:
        return int(with_room(_estimated, value, 0))
    except Exception:  # noqa: BLE001  # the code of the user's classes may raise anything
        return 0


def _estimated(value: Any, depth: int) -> float:
    if depth > _DEEPEST:
        return 0
    if isinstance(value, _CONTAINERS):
        if not value:
            return 2
        every = max(1, len(value) // _SAMPLE)
        found = list(islice(value.items() if isinstance(value, dict) else value, 0, None, every))
        parts = [part for pair in found for part in pair] if isinstance(value, dict) else found
        if any(map(_may_be_large, parts)):
            taken: float = sum(_estimated(each, depth + 1) for each in parts)
        else:
            # Together, since what they share is written once.
            taken = len(pickle.dumps(dict(found) if isinstance(value, dict) else found, 5))
        return taken * len(value) / len(found)
    if hasattr(value, "iloc"):
        return _of_rows(value.iloc, len(value))
    if hasattr(value, "ravel"):
        flat = value.ravel()
        return _of_rows(flat, len(flat))
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return sum(_estimated(each, depth + 1) for each in vars(value).values())
    return len(pickle.dumps(value, 5)) if depth else 0


def _of_rows(rows: Any, count: int) -> float:
    if not count:
        return 0
    sample = rows[:: max(1, count // _SAMPLE)]
    return len(pickle.dumps(sample, 5)) * count / len(sample)


def _may_be_large(value: Any) -> bool:
    return (isinstance(value, _CONTAINERS) and len(value) > _SAMPLE) or hasattr(value, "__dict__")
