"""Read untrusted JSON with one kind of error: `ValueError`.

`json` alone lets nesting end in a `RecursionError`, and takes NaN and infinity, which no comparison refuses.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

_MOST_DIGITS = 15
_MOST = 1 << 50  # no size, time or price of ours is near it, and no arithmetic with smaller ones overflows


def read_json(data: str | bytes | bytearray) -> Any:
    """Return what a text of JSON means.

    Raises:
        ValueError: It is none, is nested too deeply, or has a number that is not finite.
    """
    try:
        if not isinstance(data, str):
            data = data.decode(json.detect_encoding(data), "surrogatepass")
        return _DECODER.decode(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def number(value: Any) -> float:
    """Return a number that is not negative, and no larger than any of ours.

    Raises:
        ValueError: It has another form.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r:.50} is not a number of 0 or more")
    return value


def count(value: Any) -> int:
    """Return a whole number that is not negative, and no larger than any size.

    Raises:
        ValueError: It has another form.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r:.50} is not a whole number of 0 or more")
    return value


def digits(text: str) -> int | None:
    """Return the whole number that a text is; None if it has anything but digits, or more than 15 of them."""
    # `isdigit` alone takes superscripts, which `int` refuses, as it does thousands of digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def text(value: Any) -> str:
    """Return a text.

    Raises:
        ValueError: It has another form.
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.50} is not text")
    return value


def table(value: Any) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: It has another form.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.50} is not an object")
    return value


def listed(value: Any) -> list[Any]:
    """Return a list.

    Raises:
        ValueError: It has another form.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r:.50} is not a list")
    return list(value)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(digits: str) -> float:
    found = float(digits)
    if math.isinf(found):
        raise ValueError(f"{digits:.50} is too large")
    return found


#: Made once: `json.loads` makes one for each text that it reads with rules of ours.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
