"""The user's own modules that are loaded in the notebook, as long as their files are as they were then.

A file that was edited since is sent as it is now, as its author expects; what the notebook's module holds belongs to
another source then, and stays.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path

from lambdamagic.capture import CallablePlan
from lambdamagic.capture.source_files import stat_of

#: The state of a module's file when it was first seen, with the spec that an import or a reload gave it.
_seen: dict[str, tuple[ModuleSpec | None, tuple[int, int]]] = {}


def loaded(plan: CallablePlan) -> dict[str, types.ModuleType]:
    """Return the modules among those that are sent, by full name."""
    return {name: module for name, module, file in _of(plan) if _is_as_loaded(name, module, file)}


def edited(plan: CallablePlan) -> dict[str, int]:
    """Return those whose files were edited since the notebook imported them: full names, and when, in nanoseconds."""
    found = {name: file for name, module, file in _of(plan) if file.exists() and not _is_as_loaded(name, module, file)}
    return {name: file.stat().st_mtime_ns for name, file in found.items()}


def _of(plan: CallablePlan) -> list[tuple[str, types.ModuleType, Path]]:
    """Return the notebook's modules among those that are sent, with their names and files."""
    if not plan.own_modules:
        return []
    files = {os.path.realpath(path) for module in plan.own_modules for _, path in module.files}
    tops = {module.name for module in plan.own_modules}
    found = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in tops and type(module) is types.ModuleType:
            file = os.path.realpath(str(vars(module).get("__file__")))
            if file in files:
                found.append((name, module, Path(file)))
    return found


def note(names: Iterable[str]) -> None:
    """Record the file states of newly imported modules, for later cells."""
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            _is_as_loaded(name, module, Path(str(vars(module).get("__file__"))))


def _is_as_loaded(name: str, module: types.ModuleType, file: Path) -> bool:
    try:
        status = stat_of(file)
    except OSError:
        return False
    now, spec = (int(status.st_mtime), status.st_size & 0xFFFFFFFF), vars(module).get("__spec__")
    known = _seen.get(name)
    if known is None or known[0] is not spec:
        known = _seen[name] = spec, _when_compiled(module) or now
    return known[1] == now


def _when_compiled(module: types.ModuleType) -> tuple[int, int] | None:
    """Return what Python noted of a module's source when it compiled it; None where it did not."""
    try:
        head = Path(str(vars(module).get("__cached__"))).read_bytes()[:16]
    except OSError:
        return None
    if len(head) < 16 or head[4:8] != bytes(4):  # not by the time of the source
        return None
    return int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little")
