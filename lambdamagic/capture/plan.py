"""The plan of a cell: which names travel, which come back, which modules go along, and why.

This is where the parts meet: `flow` says at which points a name's value from before can be seen, `closure` and
`summary` say which further names that value's code reads, and `modules` finds the user's own files.
"""

from __future__ import annotations

import builtins
import difflib
import linecache
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from lambdamagic.capture.cell import Cell, compile_cell
from lambdamagic.capture.certain import surely_evaluated
from lambdamagic.capture.closure import Reach, reach
from lambdamagic.capture.events import Define, Delete, Import, Read, StarImport
from lambdamagic.capture.flow import Flow, Scope, State
from lambdamagic.capture.ipython_calls import refuse_unsupported
from lambdamagic.capture.modules import OwnModule, own_modules
from lambdamagic.capture.star import StarNames, star_names
from lambdamagic.capture.summary import Summary, Transform, nested_summaries, summarise
from lambdamagic.capture.withs import lines_that_do_not_swallow
from lambdamagic.errors import CaptureError

# What a module's namespace holds of its own accord; the remote one has its own.
MODULE_NAMES = frozenset(
    {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__builtins__", "__builtin__"}
    | {"__annotations__", "__path__", "__cached__", "__dict__", "__session__", "get_ipython"}
)


@dataclass(frozen=True)
class CapturedName:
    """A name whose value travels, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class CallablePlan:
    """What must travel with a callable of the notebook. The fields mean what they mean in `CapturePlan`."""

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


@dataclass(frozen=True)
class CapturePlan(CallablePlan):
    """What a cell is, needs and does.

    Attributes:
        captured: Names to ship, in the order of their first use.
        bound: Names that the cell may bind at global level.
        deleted: Names that it may delete there.
        deleted_only: Captured only because of `del`: no code sees their value, so it need not travel. A stand-in
            has to: if it is gone afterwards the name was deleted, and if it is still there nothing happened to it.
        imports: Full names of the modules that the cell and captured code import or use.
        submodules: Submodules used by attribute of a module, to be imported remotely.
        own_modules: Modules of the user's project that are reached.
        visited_functions: id() of the code objects of captured functions whose globals were resolved here.
        skipped: Names that are read and not taken, with the reason.
        sources: Source text by filename, of the cell and of captured notebook code.
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


def _unchanged(text: str) -> str:
    return text


def plan_cell(
    source: str,
    namespace: Mapping[str, Any],
    *,
    filename: str = "<cell>",
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    bound_before: Iterable[str] = (),
    hidden: Container[str] = (),
    first_line: int = 1,
    cell_dir: Path | None = None,
    transform: Transform = _unchanged,
    flags: int = 0,
) -> CapturePlan:
    """Plan what a cell needs to run elsewhere. Nothing is run, imported or changed.

    Args:
        source: The cell's Python, with IPython's syntax already transformed.
        namespace: The notebook's globals.
        filename: The name that tracebacks show.
        include: Names to ship in any case.
        exclude: Names never to ship.
        bound_before: Names surely bound before the first instruction (the variable of %%lambda_map).
        hidden: Names of the namespace that are the shell's and not the user's.
        first_line: The line of the notebook's cell on which source begins.
        cell_dir: The notebook's folder, to find modules beside it.
        transform: Turns IPython syntax into Python, for the bodies of %%time and %timeit.
        flags: Compiler flags of the __future__ features on in the notebook.

    Raises:
        SyntaxError: As Python raises it, with the notebook cell's line.
        CaptureError: The cell is empty, an included name does not exist, or own modules are too large.
        UnsupportedInCellError: A magic or star import that cannot run remotely.
    """
    cell = compile_cell(source, filename, first_line, flags)
    planner = _Planner(namespace, exclude=exclude, hidden=hidden, cell_dir=cell_dir, transform=transform)
    planner.add_included(include)
    before = tuple(bound_before)
    planner.add_cell(cell, before)
    for call in planner.totals.embedded:
        refuse_unsupported(call)
    if cell.value_name is not None:
        planner.totals.stores.pop(cell.value_name, None)
    parts = planner.finish()
    parts.sources.setdefault(filename, cell.source)
    unresolved: dict[str, int] = {}
    if not planner.totals.dynamic and not planner.stars:
        known = {*before, *planner.totals.stores, *planner.captured_stores}
        unresolved = {
            name: line
            for name, line in surely_evaluated(cell.tree).items()
            if name not in known and name not in namespace and name not in MODULE_NAMES and not hasattr(builtins, name)
        }
    return CapturePlan(
        **parts.__dict__,
        code=cell.code,
        source=cell.source,
        filename=filename,
        value_name=cell.value_name,
        is_async=cell.is_async,
        unresolved=unresolved,
    )


def plan_callable(
    fn: Callable[..., Any],
    namespace: Mapping[str, Any],
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    hidden: Container[str] = (),
    cell_dir: Path | None = None,
    transform: Transform = _unchanged,
) -> CallablePlan:
    """Plan what must travel with a callable that is given as a value, such as the fn of `%lambda_map fn xs`.

    The arguments are those of `plan_cell`.

    Raises:
        CaptureError: An included name does not exist, or own modules are too large.
    """
    planner = _Planner(namespace, exclude=exclude, hidden=hidden, cell_dir=cell_dir, transform=transform)
    planner.add_included(include)
    planner.add_value(fn)
    return planner.finish()


class _Use(NamedTuple):
    """A place in code that uses a name."""

    name: str
    reason: str
    deleting: bool
    line: int  # of the cell's statement that brings it about: the order of captured names


class _Planner:
    """Collects what one cell or callable needs."""

    def __init__(
        self,
        namespace: Mapping[str, Any],
        *,
        exclude: Iterable[str],
        hidden: Container[str],
        cell_dir: Path | None,
        transform: Transform,
    ) -> None:
        self.namespace = namespace
        self.exclude = frozenset(exclude)
        self.hidden = hidden
        self.cell_dir = cell_dir
        self.transform = transform
        self.totals = Summary()  # of the cell
        self.captured_stores: set[str] = set()  # by functions of the notebook that the cell can call
        self.captured_deletes: dict[str, int] = {}
        self.captured: dict[str, _Use] = {}
        self.used: dict[str, int] = {}  # every name that is read anywhere, with a line
        self.stars: dict[StarImport, StarNames] = {}
        self.reaches: dict[str, Reach] = {}
        self.functions: dict[int, FunctionType] = {}
        self.modules: dict[str, str] = {}
        self.flow: Flow | None = None
        self.done: dict[tuple[str, bool], list[State]] = {}

    def add_included(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.namespace:
                near = difflib.get_close_matches(name, [n for n in self.namespace if n not in self.hidden], n=1)
                raise CaptureError(
                    f"there is no name {name!r} in the notebook to ship",
                    hint=f"Did you mean {near[0]!r}?" if near else "Define it first, or leave it out of --input.",
                )
            self.need(_Use(name, "asked for with --input", False, 0), State(0, 0))

    def add_cell(self, cell: Cell, gone: Sequence[str]) -> None:
        flow = self.flow = Flow(
            cell.code,
            Scope.MODULE,
            gone=gone,
            star=lambda star: self.star(star).sure,
            strict_withs=lines_that_do_not_swallow(cell.tree, self.namespace, gone),
        )
        points = list(flow.points())
        inner = [list(nested_summaries(event, Scope.MODULE, self.transform)) for event, _ in points]
        for (event, _), summaries in zip(points, inner, strict=True):
            self.totals.note(event, Scope.MODULE)
            for summary in summaries:
                self.totals.include(summary)
            if isinstance(event, StarImport):
                for name in self.star(event).sure | self.star(event).maybe:
                    self.totals.stores.setdefault(name, event.line)
        for (event, state), summaries in zip(points, inner, strict=True):
            line = event.line
            if isinstance(event, Read):
                self.need(_Use(event.name, f"read on line {line}", False, line), state)
            elif isinstance(event, Delete):
                self.need(_Use(event.name, f"deleted on line {line}", True, line), state)
            elif not isinstance(event, Define) or self.totals.dynamic:
                for summary in summaries:
                    for use in _uses(summary, "on", line):
                        self.need(use, state)
        self.add_imports(self.totals, "imported by the cell")

    def add_value(self, value: object) -> None:
        self.add_reach(reach(value, self.namespace))
        for fn in list(self.functions.values()):
            summary = summarise(fn.__code__, Scope.FUNCTION, self.transform)
            for use in _uses(summary, f"by function {fn.__qualname__}", 0):
                self.need(use, State(0, 0))

    def star(self, star: StarImport) -> StarNames:
        if star not in self.stars:
            self.stars[star] = star_names(star, self.cell_dir)
        return self.stars[star]

    def need(self, first: _Use, state: State) -> None:
        """Take what a use at a point needs: the name, and what the code behind it reads in turn."""
        seen: set[tuple[str, bool]] = set()
        waiting = [first]
        while waiting:
            use = waiting.pop()
            key = (use.name, use.deleting)
            if key in seen or self.is_covered(key, state):
                continue
            seen.add(key)
            self.used.setdefault(use.name, use.line)
            gone = self.flow is not None and self.flow.is_gone(use.name, state)
            if not gone and self.take(use) and not use.deleting:
                waiting += self.reads_of_captured(use)
            if self.flow is not None and not use.deleting:
                for define in self.flow.definitions_of(use.name, state):
                    summary = summarise(define.code, Scope.FUNCTION, self.transform)
                    waiting += _uses(summary, f"by function {define.name}", use.line)

    def is_covered(self, key: tuple[str, bool], state: State) -> bool:
        """Whether the name was already taken at a point where at least as much could be seen."""
        earlier = self.done.setdefault(key, [])
        if any(old.gone & ~state.gone == 0 and state.defined & ~old.defined == 0 for old in earlier):
            return True
        earlier.append(state)
        return False

    def take(self, use: _Use) -> bool:
        name = use.name
        if name not in self.namespace or name in self.exclude or name in self.hidden or name in MODULE_NAMES:
            return False
        old = self.captured.get(name)
        if old is None or (old.deleting and not use.deleting):
            line = use.line if old is None else min(old.line, use.line)
            self.captured[name] = use._replace(line=line)
        return True

    def reads_of_captured(self, use: _Use) -> Iterable[_Use]:
        found = self.reaches.get(use.name)
        if found is None:
            found = self.reaches[use.name] = reach(self.namespace[use.name], self.namespace)
            self.add_reach(found)
        for fn in found.functions:
            summary = summarise(fn.__code__, Scope.FUNCTION, self.transform)
            yield from _uses(summary, f"by function {fn.__qualname__}", use.line, " of its cell")

    def add_reach(self, found: Reach) -> None:
        for module, why in found.modules.items():
            self.modules.setdefault(module, why)
        for fn in found.functions:
            if id(fn) not in self.functions:
                self.functions[id(fn)] = fn
                summary = summarise(fn.__code__, Scope.FUNCTION, self.transform)
                self.captured_stores |= summary.stores.keys()
                self.captured_deletes |= summary.deleted
                self.totals.chains |= summary.chains
                self.add_imports(summary, f"imported by function {fn.__qualname__}")

    def add_imports(self, summary: Summary, why: str) -> None:
        for statement in summary.imports:
            if statement.level:
                continue  # a notebook is in no package: it fails there as it does here
            self.modules.setdefault(statement.module, why)
            for name in statement.names:
                full = f"{statement.module}.{name}"
                if name != "*" and full in sys.modules:
                    self.modules.setdefault(full, why)

    def submodules(self) -> frozenset[str]:
        """Modules that the code reaches as attributes of others, and which were loaded by somebody's import."""
        imported = {statement.alias: statement for statement in self.totals.imports if statement.alias}
        found = set()
        for base, attrs in self.totals.chains:
            value = self.namespace.get(base) if base in self.captured else None
            if base in imported:
                value = sys.modules.get(_bound_module(imported[base]))
            for attr in attrs:
                if not isinstance(value, ModuleType):
                    break
                full = f"{vars(value).get('__name__')}.{attr}"
                value = vars(value).get(attr)
                if isinstance(value, ModuleType) and sys.modules.get(full) is value:
                    found.add(full)
        return frozenset(found)

    def skipped(self) -> dict[str, str]:
        reasons = {}
        for name in self.used:
            if name in self.captured or name in MODULE_NAMES:
                continue
            if name in self.exclude:
                reasons[name] = "excluded"
            elif name in self.namespace and name in self.hidden:
                reasons[name] = "the notebook's own"
            elif name in self.namespace:
                line = self.totals.stores.get(name)
                reasons[name] = "bound before the cell" if line is None else f"assigned on line {line} before any read"
            elif name not in self.totals.stores and hasattr(builtins, name):
                reasons[name] = "builtin"
        return reasons

    def sources(self) -> dict[str, str]:
        files = dict.fromkeys(fn.__code__.co_filename for fn in self.functions.values())
        texts = {file: "".join(linecache.getlines(file)) for file in files}
        return {file: text for file, text in texts.items() if text}

    def finish(self) -> CallablePlan:
        deleted = {**self.captured_deletes, **self.totals.deleted}
        for name, line in deleted.items():
            # Also where the cell deletes what it bound itself: unless something of the name was there before, its
            # absence afterwards would not tell "deleted" from "never came to that".
            self.take(_Use(name, f"deleted on line {line}", True, line))
        ordered = sorted(self.captured.values(), key=lambda use: use.line)
        return CallablePlan(
            captured={use.name: CapturedName(use.name, use.reason) for use in ordered},
            bound=frozenset(self.totals.stores) | self.captured_stores,
            deleted=frozenset(deleted),
            deleted_only=frozenset(use.name for use in ordered if use.deleting),
            imports=frozenset(self.modules),
            submodules=self.submodules(),
            own_modules=own_modules(self.modules.items(), cell_dir=self.cell_dir),
            visited_functions=frozenset(id(fn.__code__) for fn in self.functions.values()),
            skipped=self.skipped(),
            sources=self.sources(),
        )


def _bound_module(statement: Import) -> str:
    return statement.module.partition(".")[0] if statement.alias != statement.module else statement.module


def _uses(summary: Summary, by: str, line: int, where: str = "") -> Iterable[_Use]:
    for name, at in summary.reads.items():
        yield _Use(name, f"read {by} line {at}" if by == "on" else f"read {by} (line {at}{where})", False, line)
    for name, at in summary.deletes.items():
        yield _Use(name, f"deleted {by} line {at}" if by == "on" else f"deleted {by} (line {at}{where})", True, line)
