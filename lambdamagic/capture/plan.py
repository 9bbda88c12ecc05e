"""The plan of a cell: which names are sent, which come back, which modules are included, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Self

from lambdamagic.capture.modules import OwnModule


@dataclass(frozen=True)
class CapturedName:
    """A name whose value is sent, and why; an optional one is left out if it cannot be pickled."""

    name: str
    reason: str
    is_optional: bool = False


@dataclass(frozen=True)
class CallablePlan:
    """What must be sent with a callable of the notebook. The fields mean what they mean in `CapturePlan`."""

    captured: dict[str, CapturedName]
    bound: frozenset[str]
    deleted: frozenset[str]
    deleted_only: frozenset[str]
    imports: frozenset[str]
    submodules: frozenset[str]
    own_modules: tuple[OwnModule, ...]
    visited_functions: frozenset[int]
    skipped: dict[str, str]
    sources: dict[str, str]
    cell_dir: Path | None

    def with_more(self, more: CallablePlan) -> Self:
        """Return this plan, extended by what another plan needs."""
        known = {module.name for module in self.own_modules}
        return replace(
            self,
            captured=self.captured | {name: each for name, each in more.captured.items() if name not in self.captured},
            imports=self.imports | more.imports,
            submodules=self.submodules | more.submodules,
            own_modules=(*self.own_modules, *(each for each in more.own_modules if each.name not in known)),
            visited_functions=self.visited_functions | more.visited_functions,
            sources={**more.sources, **self.sources},
        )


@dataclass(frozen=True)
class CapturePlan(CallablePlan):
    """The code of a cell, the names and modules that it needs, and the names that it binds.

    Attributes:
        captured: Names to ship, in the order of their first use.
        bound: Names that the cell may bind at global level.
        deleted: Names that it may delete there.
        deleted_only: Captured only because of `del`: no code sees their value, so it need not be sent. A stand-in
            has to: if it is gone afterwards the name was deleted, and if it is still there nothing happened to it.
        imports: Full names of the modules that the cell and captured code import or use.
        submodules: Submodules used by attribute of a module, to be imported remotely.
        own_modules: Modules of the user's project that are reached.
        visited_functions: id() of the code objects of captured functions whose globals were resolved here.
        skipped: Names that are read and not taken, with the reason.
        sources: Source text by filename, of the cell and of captured notebook code.
        cell_dir: The notebook's folder, where modules are looked for that no path leads to.
        code: The compiled cell.
        source: The text that was compiled: transformed, and padded to the notebook's line numbers.
        filename: Its name in tracebacks.
        value_name: The hidden name to which the last expression is assigned, if it is one and is not silenced.
        is_async: code makes a coroutine (top-level await).
        unresolved: Names that are surely evaluated and exist nowhere, with their line.
    """

    code: CodeType
    source: str
    filename: str
    value_name: str | None
    is_async: bool
    unresolved: dict[str, int]
