"""Parse ages such as `2h` or `3d`."""

from __future__ import annotations

import re

from lambdamagic.errors import ConfigError

_AGE = re.compile(r"([0-9]{1,9})\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_age(text: str) -> float:
    """Return an age such as `90s`, `10m`, `2h`, `3d` or `1w` in seconds.

    Raises:
        ConfigError: It has another form.
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"invalid age {text[:40]!r}", hint="Write it as 90s, 10m, 2h, 3d or 1w")
    return int(found[1]) * _UNITS[found[2]]
