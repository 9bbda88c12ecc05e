"""Values of options that click has no type for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from lambdamagic.config.fields import whole_amount


def size_option(option: str, name: str, unit: str, help: str) -> Callable[[Any], Any]:
    """Return an option that takes a size of a function; its range is checked when the function is created."""
    found: Callable[[Any], Any] = click.option(option, name, type=_amount_of(unit), metavar=unit, help=help)
    return found


def _amount_of(unit: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        found = whole_amount(text, "MB" if unit == "MB" else "seconds")
        if found is None:
            example = "512, 512MB or 1.5GB" if unit == "MB" else "300, 90s or 5m"
            raise click.BadParameter(f"{text!r} is not an amount such as {example}")
        return found

    return read


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


def variables(values: Iterable[str]) -> dict[str, str]:
    """Return the variables given by `--env`.

    Raises:
        click.BadParameter: One is not of the form NAME=VALUE.
        ConfigError: One has a name that is lambdamagic's own.
    """
    from lambdamagic.config.load import ENV_PREFIX
    from lambdamagic.config.settings import SPECS
    from lambdamagic.errors import ConfigError

    found = pairs(values, "--env")
    # Settings are the user's also there: code in a function may send jobs to another.
    settings = {f"{ENV_PREFIX}{name.upper()}" for name in SPECS}
    for name in found:
        if name.startswith(ENV_PREFIX) and name not in settings:
            raise ConfigError(
                f"unknown setting {name}: names that begin with {ENV_PREFIX} are reserved",
                hint="Choose another name for your variable; docs/configuration.md lists the settings",
            )
    return found
