"""The description of one setting (kind, limits and their source, help), and how a value is read and checked.

Pure: values in, values or a ConfigError out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lambdamagic.errors import ConfigError

Value = str | int | float | bool | None
"""What a setting can hold."""

Kind = Literal["str", "int", "float", "bool"]

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
#: The origin of a value that the caller gave: it needs no mention.
OPTIONS = "an option or argument"

_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


#: What one of a unit is worth, by the unit that a setting counts in. Lambda's GB has 1,024 MB: 10,240 MB are 10 GB.
_UNITS: dict[str, dict[str, int]] = {
    "MB": {"mb": 1, "mib": 1, "m": 1, "gb": 1024, "gib": 1024, "g": 1024},
    "seconds": {"s": 1, "m": 60, "min": 60, "h": 3600},
}


def whole_amount(text: str, unit: str = "") -> int | None:
    """Return a whole number that is written alone or with a unit, such as 512MB, 1.5GB or 5m; None if it is none.

    Args:
        text: What is written.
        unit: What the number counts, for a number alone.
    """
    text = text.strip().lower()
    if re.fullmatch(r"[+-]?[0-9](_?[0-9]){0,100}", text):
        return int(text)
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([a-z]+)", text)
    worth = None if found is None else _UNITS.get(unit, {}).get(found[2])
    if found is None or worth is None:
        return None
    amount = float(found[1]) * worth
    return int(amount) if amount.is_integer() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The description of one setting.

    Attributes:
        help: What it does, as one sentence without its unit.
        kind: The type of its values.
        choices: The values that it can take, if they are few.
        least: The lowest number.
        most: The highest number.
        refuses_above: Whether a higher number is refused here; else it is for the provider to refuse.
        unit: What a number counts.
        pattern: What a text must match in full.
        shape: What `pattern` means, in words.
        source: Where the limits come from.
    """

    help: str
    kind: Kind = "str"
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    refuses_above: bool = True
    unit: str = ""
    pattern: str = ""
    shape: str = ""
    source: str = ""

    @property
    def allowed(self) -> str:
        """The values that it can take, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if self.kind in ("int", "float"):
            unit = f" {self.unit}" if self.unit else ""
            if self.most is None:
                return f"{self.least:,}{unit} or more"
            return f"{self.least:,} to {self.most:,}{unit}"
        return self.shape or _WORDS[self.kind]

    def read(self, name: str, value: object, *, origin: str, from_text: bool, spelled: str = "") -> Value:
        """Return a value as the setting's own type, checked.

        Args:
            name: The setting's name, for the message.
            value: What the origin holds; never None.
            origin: Where it comes from, for the message.
            from_text: Whether numbers and truth values may be written as text, as in environment variables.
            spelled: How the user wrote the setting, such as `--memory`; by default `name =`.

        Raises:
            ConfigError: it is of the wrong kind or out of its limits.
        """
        spelled = spelled or f"{name} ="
        typed = self._typed(value, from_text=from_text)
        if typed is None:
            raise self._error(name, spelled, value, origin, f"is not {_WORDS[self.kind]}")
        if self.choices and typed not in self.choices:
            raise self._error(name, spelled, value, origin, "is not allowed", suggest=str(typed))
        if isinstance(typed, int | float) and not isinstance(typed, bool) and self._out_of_range(typed):
            raise self._error(name, spelled, value, origin, f"is out of range ({self.allowed})")
        if self.pattern and isinstance(typed, str) and not re.fullmatch(self.pattern, typed):
            raise self._error(name, spelled, value, origin, "has the wrong form")
        return typed

    def _typed(self, value: object, *, from_text: bool) -> Value:
        """Return the value as this kind, or None if it is not a such thing."""
        if from_text and isinstance(value, str) and self.kind != "str":
            text = value.strip().lower()
            if self.kind == "bool":
                return True if text in _TRUE else False if text in _FALSE else None
            if self.kind == "float":
                return _finite(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text) else None
            return whole_amount(text, self.unit)
        if self.kind == "bool":
            return value if isinstance(value, bool) else None
        if self.kind == "float":
            return _finite(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if self.kind == "int":
            if isinstance(value, str) and value[-1:].isalpha():
                return whole_amount(value, self.unit)
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        return value if isinstance(value, str) else None

    def _out_of_range(self, number: float) -> bool:
        if self.least is not None and number < self.least:
            return True
        return self.most is not None and self.refuses_above and number > self.most

    def _error(
        self, name: str, spelled: str, value: object, origin: str, what: str, *, suggest: str = ""
    ) -> ConfigError:
        shown = str(value) if spelled.startswith("--") else repr(value)
        source = f" ({self.source})" if self.source else ""
        return ConfigError(
            f"{spelled} {shown} {what}{set_by(origin)}",
            hint=f"{did_you_mean(suggest, self.choices)}Set {name} to {self.allowed}{source}",
        )


def set_by(origin: str) -> str:
    """Return the end of a message that names a value's origin; "" for the caller's own options."""
    return "" if origin == OPTIONS else f"; set by {origin}"


def _finite(value: float | str) -> float | None:
    """Return a number that can be compared: nothing is above NaN, and nothing below."""
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) else None


def did_you_mean(name: str, known: Sequence[str], *, cutoff: float = 0.6, written: Callable[[str], str] = str) -> str:
    """Return a question that names the nearest known word, ending in a blank; "" if none is as near as `cutoff`."""
    import difflib  # only mistakes pay for it

    near = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"Did you mean {written(near[0])}? " if near else ""
