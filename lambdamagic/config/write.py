"""Write the user's settings file; other settings, comments and formatting are kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lambdamagic.config.fields import OPTIONS, Value
from lambdamagic.config.settings import SPECS
from lambdamagic.errors import ConfigError


def write_settings(path: Path, values: Mapping[str, Value]) -> list[str]:
    """Write settings into a TOML file, created if it does not exist; comments and other settings stay.

    Args:
        path: The file.
        values: The settings; None takes one out.

    Returns:
        The names of the settings that have changed.

    Raises:
        ConfigError: A setting is unknown or out of its limits, or the file is broken or cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    except (OSError, UnicodeDecodeError, ParseError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="Fix the file, or move it away") from error
    changed = []
    for name, value in values.items():
        if name not in SPECS:
            raise ConfigError(f"unknown setting {name!r}", hint="`lambdamagic config` lists the settings")
        if value is None:
            if name in document:
                del document[name]
                changed.append(name)
            continue
        checked = SPECS[name].read(name, value, origin=OPTIONS, from_text=False)
        if document.get(name) != checked:
            document[name] = checked
            changed.append(name)
    if changed:
        _replace(path, tomlkit.dumps(document))
    return changed


def _replace(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
