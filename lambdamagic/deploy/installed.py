"""Installed distributions that provide a set of modules, with their dependencies."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from importlib.metadata import Distribution

from lambdamagic.protocol.holdings import normal_name

_MARKER_EXTRA = re.compile(r"extra\s*==")
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

#: What the agent brings.
AGENT_DISTRIBUTIONS = frozenset({"lambdamagic", "dill", "cloudpickle"})


def distributions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return the installed distributions that provide modules: normal name to version.

    Modules of the standard library, of lambdamagic, and those that no distribution provides (the user's own) are
    passed over.

    Args:
        modules: Full names, such as `sklearn.linear_model`.
    """
    found: dict[str, str] = {}
    for module in modules:
        top = module.partition(".")[0]
        if not top or top in sys.stdlib_module_names or top in ("lambdamagic", "__main__"):
            continue
        for name in _providers(module, top):
            if normal_name(name) not in AGENT_DISTRIBUTIONS:
                found[normal_name(name)] = metadata.version(name)
    return dict(sorted(found.items()))


def closure_of(names: Iterable[str]) -> dict[str, str]:
    """Return the transitive dependencies of distributions, as installed here: normal name to version.

    Extras are not followed: it is unknown which of them are in use.
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = normal_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra
        found[name] = distribution.version
        for line in distribution.requires or ():
            match = _REQUIREMENT_NAME.match(line)
            if match and not _MARKER_EXTRA.search(line):
                waiting.append(match[0])
    return dict(sorted(found.items()))


def is_editable(name: str) -> bool:
    """Return whether a distribution is installed from a folder: its modules are then sent as files."""
    try:
        origin = metadata.distribution(name).read_text("direct_url.json") or ""
    except metadata.PackageNotFoundError:
        return False
    return '"editable": true' in origin or '"editable":true' in origin


def pinned(versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return requirements for exactly these versions; of a local version (`2.3+cpu`) only the public part."""
    return tuple(f"{name}=={version.partition('+')[0]}" for name, version in versions.items())


def _providers(module: str, top: str) -> list[str]:
    names = list(dict.fromkeys(_by_module(_environment_mark()).get(top, ())))
    if len(names) < 2:
        return names
    # A namespace that several distributions share, as `google`: those that have the files of the module, or else of
    # the nearest package around it.
    while "." in module:
        owners = [name for name in names if _has_files(metadata.distribution(name), module.replace(".", "/"))]
        if owners:
            return owners
        module = module.rpartition(".")[0]
    return names


def _has_files(distribution: Distribution, path: str) -> bool:
    return any(str(file).startswith((f"{path}/", f"{path}.")) for file in distribution.files or ())


def _environment_mark() -> tuple[object, ...]:
    """Return a key that changes when a package is installed or removed: the times of the folders on the path."""
    from pathlib import Path

    marks: list[object] = []
    for entry in sys.path:
        try:
            marks.append((entry, Path(entry).stat().st_mtime_ns))
        except OSError:
            continue
    return tuple(marks)


@lru_cache(maxsize=2)
def _by_module(_mark: tuple[object, ...]) -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
