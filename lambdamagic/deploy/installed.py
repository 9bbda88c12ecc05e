"""Installed distributions that provide a set of modules, with their dependencies."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from importlib.metadata import Distribution
from pathlib import Path

from lambdamagic.protocol.holdings import normal_name

_MARKER_EXTRA = re.compile(r"extra\s*==")
_METADATA = re.compile(r"\.(dist-info|egg-info|egg)$", re.IGNORECASE)
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
    mark = None
    for module in modules:
        top = module.partition(".")[0]
        if not top or top in sys.stdlib_module_names or top in ("lambdamagic", "__main__"):
            continue
        mark = mark or _environment_mark()
        for name in _providers(module, top, mark):
            if normal_name(name) not in AGENT_DISTRIBUTIONS:
                found[normal_name(name)] = _version(name, mark)
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


def _providers(module: str, top: str, mark: tuple[object, ...]) -> list[str]:
    names = list(dict.fromkeys(_by_module(mark).get(top, ())))
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
    """Return a key that changes when a package is installed or removed: the metadata in the folders on the path."""
    marks: list[object] = []
    for entry in sys.path:
        folder = Path(entry).absolute()
        try:
            # The notebook's own folder is on the path too, and changes whenever the notebook is saved.
            marks.append((entry, _metadata_in(folder, folder.stat().st_mtime_ns)))
        except OSError:
            continue
    return tuple(marks)


@lru_cache(maxsize=64)
def _metadata_in(folder: Path, mtime_ns: int) -> tuple[tuple[str, int], ...]:
    """Return names and times of a folder's packages; of an archive its time."""
    if not folder.is_dir():
        return (("", mtime_ns),)
    with os.scandir(folder) as found:
        return tuple(sorted((each.name, each.stat().st_mtime_ns) for each in found if _METADATA.search(each.name)))


@lru_cache(maxsize=512)
def _version(name: str, _mark: tuple[object, ...]) -> str:
    return metadata.version(name)


@lru_cache(maxsize=2)
def _by_module(_mark: tuple[object, ...]) -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
