"""Environment variables that go along: secrets, which are taken when a job begins and stand in its events only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from lambdamagic.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def names_of(text: str | None) -> list[str]:
    """Return the names that a setting lists, each once."""
    return list(dict.fromkeys((text or "").replace(",", " ").split()))


def values_of(names: Iterable[str], *, mode: str = "sync", environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values of environment variables of this process.

    Args:
        names: Which.
        mode: How invocations are made.
        environ: The environment; by default this process's.

    Raises:
        ConfigError: One is not set, or is no name, or the mode would store them in the bucket; nothing was sent.
    """
    environ = os.environ if environ is None else environ
    names = list(names)
    for name in names:
        if not _NAME.fullmatch(name):
            shown = name.partition("=")[0]
            raise ConfigError(
                f"{shown}: --env takes the names of environment variables, not values",
                hint=f"set it where no notebook keeps it (os.environ, .env, the shell), then --env {shown}",
            )
        if name not in environ:
            raise ConfigError(
                f"the environment variable {name} is to go along, and it is not set here",
                hint=f"set os.environ[{name!r}] in a cell before, or leave {name} out",
            )
    if names and mode == "trigger":
        raise ConfigError(
            f"{', '.join(names)} cannot go along in mode trigger, which stores each request in the bucket",
            hint="use mode sync or event for jobs that need secrets",
        )
    return {name: environ[name] for name in names}
