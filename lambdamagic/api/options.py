"""A program's options, under our names and under those of Covalent's executor."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdamagic.config import SPECS, ResolvedSettings, load_settings
from lambdamagic.config.fields import did_you_mean
from lambdamagic.config.load import covalent_section
from lambdamagic.errors import ConfigError

# Covalent's names for what we have too.
_COVALENT = {
    "function_name": "function",
    "s3_bucket_name": "bucket",
    "timeout": "timeout_s",
    "memory_size": "memory_mb",
}
# Short names, as keyword arguments have them.
_SHORT = {"retry_memory": "retry_memory_mb", "max_cost": "max_cost_usd"}
# What has no counterpart here, and why.
_WITHOUT_EFFECT = {
    "execution_role": "the deployed function has its role",
    "cache_dir": "no files are cached",
    "poll_freq": "results are not polled for",
    "cleanup": "what is staged in the bucket expires",
}
_COVALENT_NAMES = (*_COVALENT, *_WITHOUT_EFFECT, "profile", "region", "credentials_file")
_ACCESS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "credentials_file")


@dataclass(frozen=True)
class Access:
    """Credentials that a program names itself; without any, boto3 finds them.

    Attributes:
        key_id: With `secret`: an access key.
        secret: See `key_id`.
        token: Of temporary credentials.
        credentials_file: Is read instead of `~/.aws/credentials`, by this executor only.
    """

    key_id: str | None = None
    secret: str | None = None
    token: str | None = None
    credentials_file: str | None = None


@dataclass(frozen=True)
class Options:
    """What a program gave: settings in force, credentials, and files that go with its jobs."""

    resolved: ResolvedSettings
    access: Access
    files: tuple[str, ...] = ()


def names_of_exceptions(given: Any) -> str:
    """Return the setting `retry_on` for what a program gave: a type, its name, or several of them.

    Raises:
        ConfigError: It is something else.
    """
    names = []
    for each in given if isinstance(given, tuple | list | set | frozenset) else (given,):
        if isinstance(each, type) and issubclass(each, BaseException):
            names.append(f"{each.__module__}.{each.__qualname__}")
        elif isinstance(each, str):
            names.append(each)
        else:
            raise ConfigError(f"retry_on takes types of exceptions or their names, not {each!r}")
    return ", ".join(names)


def read_options(given: Mapping[str, Any], *, stacklevel: int = 3) -> Options:
    """Convert a program's options to settings, credentials and files.

    One warning names the options of Covalent's that have no effect here.

    Args:
        given: Names of settings, of Covalent's options or of credentials, to values; None means "not given".
        stacklevel: Where a warning points, as in `warnings.warn`.

    Raises:
        ConfigError: A name is unknown, a value is out of its limits, or half of a key is missing.
    """
    given = {**_from_section(given), **{name: value for name, value in given.items() if value is not None}}
    ignored = [name for name in _WITHOUT_EFFECT if given.get(name) is not None]
    if ignored:
        reasons = "; ".join(f"{name}: {_WITHOUT_EFFECT[name]}" for name in ignored)
        warnings.warn(f"these options have no effect in lambdamagic: {reasons}", UserWarning, stacklevel=stacklevel)
    key_id, secret, token, file = (given.get(name) for name in _ACCESS)
    if (key_id is None) != (secret is None):
        raise ConfigError("aws_access_key_id and aws_secret_access_key go together; one of them is missing")
    settings: dict[str, Any] = {}
    files = given.pop("files", ())
    files = (files,) if isinstance(files, str | os.PathLike) else tuple(files)
    for name, value in given.items():
        if name in _ACCESS or name in _WITHOUT_EFFECT or value is None:
            continue
        ours = setting_of(name)
        if ours in settings:
            raise ConfigError(f"the setting {ours} is given twice: also as {name}")
        settings[ours] = names_of_exceptions(value) if ours == "retry_on" else value
    resolved = load_settings(overrides=settings)
    if "function" in settings and resolved.origin("target") == "default":
        # Whoever names a function means that one, also without a bucket.
        resolved = load_settings(overrides={**settings, "target": "aws"})
    access = Access(key_id, secret, token, None if file is None else str(file))
    return Options(resolved, access, tuple(map(str, files)))


def setting_of(name: str) -> str:
    """Return the setting that an option's name stands for; other names stand for themselves."""
    return _COVALENT.get(name) or _SHORT.get(name, name)


def _from_section(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `[executors.awslambda]` that no other layer sets: it is just above the defaults."""
    section = covalent_section()
    for name in section:
        if name not in _COVALENT_NAMES:
            raise ConfigError(
                f"unknown option {name!r} in [executors.awslambda]",
                hint=did_you_mean(name, _COVALENT_NAMES).strip() or f"Use one of {', '.join(_COVALENT_NAMES)}",
            )
    return what_only_says(section, given)


def what_only_says(section: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a section counts: neither options nor settings that are set anywhere say something of it.

    Args:
        section: Names of options to values.
        given: The other arguments, under whichever names.
    """
    if not section:
        return {}
    resolved = load_settings()
    named = {setting_of(name) for name, value in given.items() if value is not None}
    return {
        name: value
        for name, value in section.items()
        if (ours := setting_of(name)) not in named and (ours not in SPECS or resolved.origin(ours) == "default")
    }
