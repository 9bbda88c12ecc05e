"""The layers of settings, lowest to highest, and where each value comes from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lambdamagic.config.fields import OPTIONS, Value, did_you_mean, set_by
from lambdamagic.config.setting_files import project_file, read_toml, user_file, working_folder
from lambdamagic.config.settings import DEFAULTS, SPECS, Settings
from lambdamagic.errors import ConfigError

ENV_PREFIX = "LAMBDAMAGIC_"

#: What a function finds in its own environment, where code may send jobs to another, and what other parts read.
_OF_OTHER_PARTS = {
    f"{ENV_PREFIX}{name}"
    for name in ("ENVIRONMENT_ID", "EPHEMERAL_MB", "HOLDS", "INVOKER", "INVOKES", "LAB", "TRIGGER_KEY")
}

DEFAULT_ORIGIN = "default"


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """Settings, and where each of them comes from. Immutable.

    Attributes:
        settings: The values.
        origins: The origin of every setting that is not left at its default.
    """

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        """Return where a setting's value comes from.

        Raises:
            KeyError: there is no such setting.
        """
        if name not in SPECS:
            raise KeyError(name)
        return self.origins.get(name, DEFAULT_ORIGIN)

    def rows(self) -> Iterator[tuple[str, Value, str]]:
        """Yield (name, value, origin) of every setting, for `%lambda config`."""
        for name in SPECS:
            yield name, getattr(self.settings, name), self.origin(name)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Some settings from one place.

    Attributes:
        origin: Where from; `{name}` stands for the setting's name, `{NAME}` for it in capitals.
        values: The settings; None means not given.
        from_text: Whether numbers may be written as text.
    """

    origin: str
    values: Mapping[str, object]
    from_text: bool


def load_settings(
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    ipython_config: Mapping[str, object] | None = None,
    config_magic: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
    spelled: Mapping[str, str] | None = None,
) -> ResolvedSettings:
    """Read all layers and return the settings that result.

    Lowest to highest: defaults; the user's config.toml; [tool.lambdamagic] of the nearest pyproject.toml that has it;
    `ipython_config`; environment variables `LAMBDAMAGIC_*`; `config_magic`; `overrides`. In the three dictionaries
    None stands for "not given", and numbers may be text. Files are read again at every call, so that an
    edit counts at once, and parsed again only when they have changed.

    Args:
        cwd: Where the search for pyproject.toml begins; by default the working directory.
        environ: The environment; by default the process's. An empty variable counts as unset.
        ipython_config: Values from `ipython_config.py` (`c.LambdaMagics.x`).
        config_magic: Values from `%config LambdaMagics.x = ...`.
        overrides: The magic's own options, or a program's arguments.
        spelled: How the caller's users write `overrides`, such as `--memory` for memory_mb, for messages.

    Raises:
        ConfigError: a file is broken, or a setting is unknown, of the wrong kind or out of its limits. The message
            names the origin.
    """
    global _latest
    environ = os.environ if environ is None else environ
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    layers = [
        *_file_layers(working_folder() if cwd is None else cwd, environ),
        _Layer("ipython_config.py (c.LambdaMagics.{name})", ipython_config or {}, True),
        _environment_layer(environ),
        _Layer("%config LambdaMagics.{name}", config_magic or {}, True),
        _Layer(OPTIONS, overrides or {}, True),
    ]
    # As text: 1, True and 1.0 differ there, and no value has to be hashable.
    given = repr([(layer.origin, layer.values, layer.from_text) for layer in layers])
    if _latest is not None and _latest[0] == given:
        return _latest[1]
    for layer in layers:
        for name, value in layer.values.items():
            origin = layer.origin.format(name=name, NAME=name.upper())
            words = spelled or {} if layer.origin == OPTIONS else {}
            if name not in SPECS:
                raise _unknown(name, origin)
            if value is not None:
                values[name] = SPECS[name].read(
                    name, value, origin=origin, from_text=layer.from_text, spelled=words.get(name, "")
                )
                origins[name] = origin
    settings = Settings(**{**DEFAULTS, **values})  # type: ignore[arg-type]  # checked by `read`, each by its own spec
    resolved = ResolvedSettings(settings, MappingProxyType(origins))
    _latest = given, resolved
    return resolved


#: What was given at the last call, and what resulted: one cell is given what the cell before was.
_latest: tuple[str, ResolvedSettings] | None = None


def _file_layers(cwd: Path, environ: Mapping[str, str]) -> Iterator[_Layer]:
    path = user_file(environ)
    content = read_toml(path)
    if content is not None:
        yield _Layer(_literal(str(path)), _own(content), False)
    project = project_file(cwd)
    if project is not None:
        path, table = project
        yield _Layer(f"pyproject.toml [tool.lambdamagic]: {_literal(str(path))}", _own(table), False)


def _own(table: Mapping[str, object]) -> dict[str, object]:
    """Leave out the tables that are not settings: `executors` is read by `covalent_section`."""
    return {name: value for name, value in table.items() if name != "executors"}


def covalent_section(*, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return `[executors.awslambda]`, with Covalent's own names.

    It is read from the user's config.toml and from [tool.lambdamagic] of pyproject.toml, the latter above the former.

    Raises:
        ConfigError: A file is broken, or the section is not a table.
    """
    project = project_file(working_folder() if cwd is None else cwd)
    path = user_file(os.environ if environ is None else environ)
    found: dict[str, object] = {}
    for origin, content in ((path, read_toml(path)), project or (path, None)):
        executors = (content or {}).get("executors", {})
        section = executors.get("awslambda", {}) if isinstance(executors, dict) else None
        if not isinstance(section, dict):
            raise ConfigError(f"{origin}: executors.awslambda must be a table: write [executors.awslambda]")
        found.update(section)
    return found


def _environment_layer(environ: Mapping[str, str]) -> _Layer:
    values = {}
    for name in _ours(environ):
        if not (value := environ[name]):
            continue
        setting = name.removeprefix(ENV_PREFIX).lower()
        if setting in SPECS or did_you_mean(setting, [*SPECS], cutoff=0.8):
            values[setting] = value
        elif name not in _OF_OTHER_PARTS:
            # Not refused: another program may have variables that begin like ours.
            near = did_you_mean(setting, [*SPECS], written=lambda each: f"{ENV_PREFIX}{each.upper()}")
            meant = near.strip() or "`lambdamagic config` lists them"
            warnings.warn(f"unknown setting in the environment variable {name}. {meant}", RuntimeWarning, stacklevel=4)
    return _Layer(f"the environment variable {ENV_PREFIX}{{NAME}}", values, True)


def _ours(environ: Mapping[str, str]) -> list[str]:
    kept = getattr(environ, "_data", None) if environ is os.environ and os.name == "posix" else None
    if kept is None:
        return [name for name in environ if name.startswith(ENV_PREFIX)]
    prefix = ENV_PREFIX.encode()  # each cell looks, and decoding all names takes longer than all the rest
    return [os.fsdecode(name) for name in kept if name.startswith(prefix)]


def _unknown(name: str, origin: str) -> ConfigError:
    meant = did_you_mean(name, [*SPECS])
    hint = meant.strip() or "See the settings with `%lambda config`"
    return ConfigError(f"unknown setting {name!r}{set_by(origin)}", hint=hint)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
