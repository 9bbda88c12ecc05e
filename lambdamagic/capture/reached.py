"""Modules that the user's own modules import in turn, as far as the sent code reaches them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from lambdamagic.capture.imported import imported_by, modules_in
from lambdamagic.capture.modules import OwnModule


def reached_imports(names: Iterable[str], own: Iterable[OwnModule]) -> set[str]:
    """Follow names through the user's own modules; return the other modules that are reached, full names.

    What an own module imports and can do without (`try: ... except ImportError:`) is left out, and so is what it
    imports that is not loaded here: perhaps it is never reached.

    Args:
        names: Full names of modules that the code imports or uses.
        own: The user's own modules that are sent with it.
    """
    files = {name: path for module in own for name, path in modules_in(module.files).items()}
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        around = [name[:end] for end, sign in enumerate(f"{name}.") if sign == "."]
        if around[0] not in {known.partition(".")[0] for known in files}:
            found.add(name)
            continue
        for part in around:
            if part in files and (part == name or part not in seen):
                seen.add(part)
                waiting += [
                    each for each in imported_by(part, files, optional=False) if each.partition(".")[0] in sys.modules
                ]
    return found
