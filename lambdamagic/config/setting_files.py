"""The two TOML files that settings are read from. Nothing is created, and nothing is read before it is asked for."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdamagic.errors import ConfigError


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where the user's own settings are, whether the file exists or not.

    `$XDG_CONFIG_HOME/lambdamagic/config.toml`, by default `~/.config/lambdamagic/config.toml`; on Windows the folder
    that the system names.
    """
    return _user_file(environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", ""))


@functools.lru_cache(maxsize=4)  # each cell asks
def _user_file(home: str, user: str) -> Path:
    if Path(home).is_absolute():  # "XDG Base Directory Specification": a relative path is to be ignored
        folder = Path(home) / "lambdamagic"
    elif sys.platform == "win32":
        import platformdirs

        folder = platformdirs.user_config_path("lambdamagic", appauthor=False)
    else:
        folder = Path(user or Path.home()) / ".config" / "lambdamagic"
    return folder / "config.toml"


def working_folder() -> Path:
    """Return the working directory; the root where it was deleted, which no code needs that names no file."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.sep)


def project_file(cwd: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the nearest pyproject.toml, from `cwd` upwards, that has a table [tool.lambdamagic], with that table.

    Raises:
        ConfigError: a pyproject.toml on the way is broken.
    """
    for path in _candidates(cwd):
        content = read_toml(path)
        tool = content.get("tool") if content else None
        if isinstance(tool, dict) and "lambdamagic" in tool:
            table = tool["lambdamagic"]
            if not isinstance(table, dict):
                raise ConfigError(f"{path}: tool.lambdamagic must be a table: write [tool.lambdamagic]")
            return path, table
    return None


@functools.lru_cache(maxsize=4)  # each cell looks through all of them
def _candidates(cwd: Path) -> tuple[Path, ...]:
    return tuple(folder / "pyproject.toml" for folder in (cwd, *cwd.parents))


def read_toml(path: Path) -> dict[str, Any] | None:
    """Return a TOML file's content, or None if there is no such file.

    Raises:
        ConfigError: it cannot be read, or is broken; one line that names file, line and column.
    """
    try:
        os.stat(path)  # noqa: PTH116  # each cell looks for several that are mostly missing: half of what opening takes
        with open(path, "rb") as file:  # noqa: PTH123
            raw = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror or exc}") from exc
    try:
        return _parsed(raw)
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        column = exc.start - raw.rfind(b"\n", 0, exc.start)
        raise ConfigError(f"{path}, line {line}, column {column}: not UTF-8") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}: nested too deeply") from exc
    except ValueError as exc:  # tomllib.TOMLDecodeError, which is imported with the first file only
        raise ConfigError(f"{path}, {_position(str(exc), raw)}") from exc


@functools.lru_cache(maxsize=16)
def _parsed(raw: bytes) -> dict[str, Any]:
    """Parse TOML; a cell that follows another finds the same bytes parsed already. The result must not be changed."""
    import tomllib  # 10 ms that a start without any file does not need

    return tomllib.loads(raw.decode("utf-8"))


def _position(message: str, raw: bytes) -> str:
    """Turn tomllib's "what (at line 1, column 2)" into "line 1, column 2: what"."""
    found = re.fullmatch(r"(.*) \(at (line \d+, column \d+)\)", message, re.DOTALL)
    if found:
        return f"{found.group(2)}: {found.group(1)}"
    end = raw.rstrip(b"\r\n")
    line, column = end.count(b"\n") + 1, len(end) - end.rfind(b"\n")
    return f"line {line}, column {column}: {message.removesuffix(' (at end of document)')}"
