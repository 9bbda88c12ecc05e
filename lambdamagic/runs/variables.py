"""Environment variables that are sent along: secrets, which are taken when a job begins and are in its events only."""

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
                hint=f"Set it outside the notebook (.env, the shell) or in os.environ, then use --env {shown}",
            )
        if name not in environ:
            raise ConfigError(
                f"the environment variable {name} is to be sent, but is not set here",
                hint=f"Set os.environ[{name!r}] first, or leave {name} out",
            )
    if names and mode == "trigger":
        raise ConfigError(
            f"{', '.join(names)} cannot be sent in mode trigger, which stores each request in the bucket",
            hint="Use mode sync or event for jobs that need secrets",
        )
    return {name: environ[name] for name in names}
