"""Estimate the pickled size of a value from a sample, for progress displays."""

from __future__ import annotations

import pickle
from collections import deque
from itertools import islice
from typing import Any

_SAMPLE = 64
_DEEPEST = 4
_CONTAINERS = (list, tuple, deque, set, frozenset, dict)


def pickled_bytes(value: Any) -> int:
    """Return about how many bytes the pickle of a value has; 0 where no sample can say so."""
    try:
        return int(_estimated(value, 0))
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
    rows = value.iloc if hasattr(value, "iloc") else value.ravel() if hasattr(value, "ravel") else None
    if rows is not None and len(value):
        sample = rows[:: max(1, len(value) // _SAMPLE)]
        return len(pickle.dumps(sample, 5)) * len(value) / len(sample)
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return sum(_estimated(each, depth + 1) for each in vars(value).values())
    return len(pickle.dumps(value, 5)) if depth else 0


def _may_be_large(value: Any) -> bool:
    return (isinstance(value, _CONTAINERS) and len(value) > _SAMPLE) or hasattr(value, "__dict__")
