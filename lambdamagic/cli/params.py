"""Values of options that click has no type for."""

from __future__ import annotations

from collections.abc import Iterable

import click


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a dictionary.

    Raises:
        click.BadParameter: One is not of that form.
    """
    found = {}
    for value in values:
        key, has_value, text = value.partition("=")
        if not has_value or not key:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param_hint=option)
        found[key] = text
    return found
