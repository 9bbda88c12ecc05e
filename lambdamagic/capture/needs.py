"""Collects what one cell or callable needs from the notebook.

This is where the parts meet: `flow` says at which points a name's value from before can be seen, `closure` and
`summary` say which further names that value's code reads, and `modules` finds the user's own files.
"""

from __future__ import annotations

import builtins
import difflib
import linecache
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from lambdamagic.capture import named_in_text
from lambdamagic.capture.cell_code import Cell
from lambdamagic.capture.certain import surely_evaluated
from lambdamagic.capture.closure import Reach, reach
from lambdamagic.capture.flow import Flow, Scope, State
from lambdamagic.capture.modules import contents, own_modules
from lambdamagic.capture.name_events import Define, Delete, Import, Read, StarImport
from lambdamagic.capture.plan import CallablePlan, CapturedName
from lambdamagic.capture.star import StarNames, Stars, star_names
from lambdamagic.capture.summary import Summary, Transform, nested_summaries, summarize
from lambdamagic.capture.user_builtins import with_builtins_of_the_user
from lambdamagic.capture.withs import lines_that_do_not_swallow
from lambdamagic.errors import CaptureError

# What a module's namespace holds by itself; the remote one has its own.
MODULE_NAMES = frozenset(
    {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__builtins__", "__builtin__"}
    | {"__annotations__", "__path__", "__cached__", "__dict__", "__session__", "get_ipython"}
    | {"_exit_code"}  # bound by `!cmd`
)


class _Use(NamedTuple):
    """A place in code that uses a name."""

    name: str
    reason: str
    deleting: bool
    line: int  # of the cell's statement that brings it about: the order of captured names


class Needs:
    """Collects what one cell or callable needs.

    Attributes:
        totals: What the cell's own code does, wherever in it.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any],
        *,
        exclude: Iterable[str],
        hidden: Container[str],
        cell_dir: Path | None,
        transform: Transform,
        star: Callable[[StarImport, Path | None], StarNames] = star_names,
    ) -> None:
        self._globals, self._namespace = namespace, with_builtins_of_the_user(namespace)
        self._exclude = frozenset(exclude)
        self._hidden = hidden
        self._cell_dir = cell_dir
        self._transform = transform
        self.totals = Summary()  # of the cell
        self._captured_stores: set[str] = set()  # by functions of the notebook that the cell can call
        self._captured_deletes: dict[str, int] = {}
        self._captured_imports: list[Import] = []
        self._captured: dict[str, _Use] = {}
        self._used: dict[str, int] = {}  # the names that are read, with a line
        self._stars = Stars(star, cell_dir)
        self._reaches: dict[str, Reach] = {}
        self._functions: dict[int, FunctionType] = {}
        self._modules: dict[str, str] = {}
        self._members: dict[str, str] = {}  # of `from` statements: names, or modules that are not loaded
        self._flow: Flow | None = None
        self._cell: Cell | None = None
        self._optional: set[str] = set()
        self._too_large: set[str] = set()
        self._done: dict[tuple[str, bool], list[State]] = {}

    def add_included(self, names: Iterable[str]) -> None:
        """Add names that the user requested.

        Raises:
            CaptureError: One does not exist.
        """
        for name in names:
            if name not in self._namespace:
                near = difflib.get_close_matches(name, [n for n in self._namespace if n not in self._hidden], n=1)
                raise CaptureError(
                    f"no name {name!r} in the notebook",
                    hint=f"Did you mean {near[0]!r}?" if near else "Define it first, or leave it out of --input",
                )
            self._need(_Use(name, "asked for with --input", False, 0), State(0, 0))

    def add_cell(self, cell: Cell, gone: Sequence[str]) -> None:
        """Add what a cell needs; `gone` are names that are rebound before it begins."""
        strict_withs: frozenset[int] = frozenset()
        if "with" in cell.source:
            strict_withs = lines_that_do_not_swallow(cell.tree, self._namespace, gone, self._hidden)
        stars = self._stars
        flow = self._flow = Flow(
            cell.code,
            Scope.MODULE,
            gone=gone,
            # Without `self`: a ring of references would keep the namespace's values until the garbage collector comes.
            star=lambda star: stars.names(star).sure,
            strict_withs=strict_withs,
        )
        points = list(flow.points())
        inner = [list(nested_summaries(event, Scope.MODULE, self._transform)) for event, _ in points]
        for (event, _), summaries in zip(points, inner, strict=True):
            self.totals.note(event, Scope.MODULE)
            for summary in summaries:
                self.totals.include(summary)
            if isinstance(event, StarImport):
                for name in stars.names(event).sure | stars.names(event).maybe:
                    self.totals.stores.setdefault(name, event.line)
        for (event, state), summaries in zip(points, inner, strict=True):
            line = event.line
            if isinstance(event, Read):
                self._need(_Use(event.name, f"read on line {line}", False, line), state)
            elif isinstance(event, Delete):
                self._need(_Use(event.name, f"deleted on line {line}", True, line), state)
            elif not isinstance(event, Define) or self.totals.dynamic:
                for summary in summaries:
                    for use in _uses(summary, "on", line):
                        self._need(use, state)
        self._add_imports(self.totals, "imported by the cell")
        self._add_unnamed(cell)
        if self._namespace is not self._globals:
            self._add_from_builtins(cell)
        self._cell = cell

    def _add_named_in_text(self) -> None:
        """Add small values that the code may look up by a string: see `named_in_text`."""
        cells, functions = [self._cell] if self._cell is not None else [], self._functions.values()
        codes = [*(cell.code for cell in cells), *(fn.__code__ for fn in functions)]
        used = set().union(*map(named_in_text.names_used, codes))
        if not any(named_in_text.looks_up(code, used) for code in codes):
            return
        if named_in_text.looks_at_all([cell.tree for cell in cells], functions, used):
            words = {name for name, value in self._namespace.items() if not issubclass(type(value), ModuleType)}
            why = "it may be looked up"
        else:
            words, why = set(), ""
        # A text may have a separate name: `exec(code)`.
        held = [self._namespace.get(name) for name in self._captured]
        words |= named_in_text.words_in([*codes, tuple(value for value in held if type(value) is str)])
        words = words.union(*(named_in_text.names_used(value) for value in held if type(value) is CodeType))
        for name in [name for name in self._namespace if name in words and not name.startswith("_")]:
            if name in self._captured or name in self.totals.stores or name in self._hidden or name in self._exclude:
                continue
            if named_in_text.is_small(self._namespace[name]):
                self._optional.add(name)
                self._need(_Use(name, why or "named in a string", False, 0), State(0, 0))
            else:
                self._too_large.add(name)

    def _add_unnamed(self, cell: Cell) -> None:
        """Add what a cell reaches without naming it: subclasses of its classes, annotations of its namespace."""
        used = named_in_text.names_used(cell.code)
        own = self._namespace.get("__name__")
        for name, value in list(self._namespace.items()) if "__subclasses__" in used else ():
            if isinstance(value, type) and name not in self._captured and value.__module__ == own:
                self._optional.add(name)
                self._need(_Use(name, "it may be a subclass", False, 0), State(0, 0))
        if "__annotations__" in self._namespace and named_in_text.is_read(cell.tree, "__annotations__"):
            self._captured["__annotations__"] = _Use("__annotations__", "read by the cell", False, 0)

    def _add_from_builtins(self, cell: Cell) -> None:
        """Add the user's names in `builtins` that the cell mentions as attributes: `builtins.name`."""
        for name in named_in_text.names_used(cell.code) - self._globals.keys():
            if name in self._namespace and name not in self._captured and name not in self.totals.stores:
                self._optional.add(name)
                self._need(_Use(name, "it is in builtins", False, 0), State(0, 0))

    def _can_bind_anything(self, cell: Cell) -> bool:
        """Whether something in the cell may bind names that no analysis sees."""
        codes = [cell.code, *(fn.__code__ for fn in self._functions.values())]
        if any(not named_in_text.BINDS.isdisjoint(named_in_text.names_used(code)) for code in codes):
            return True
        for base, attrs in [*self.totals.chains, *((name, ()) for name in named_in_text.names_used(cell.code))]:
            value = self._namespace.get(base)
            for attr in attrs:
                value = contents(value).get(attr) if isinstance(value, ModuleType) else None
            if named_in_text.binds_by_frames(value):
                return True
        return False

    def unresolved(self, cell: Cell, gone: Sequence[str]) -> dict[str, int]:
        """Return the names that the cell surely evaluates and that exist nowhere, with their lines."""
        if self.totals.dynamic or self._stars.known:
            return {}
        if self._can_bind_anything(cell):
            return {}
        known = {*gone, *self.totals.stores, *self._captured_stores, *MODULE_NAMES}
        return {
            name: line
            for name, line in surely_evaluated(cell.tree).items()
            if name not in known and name not in self._namespace and not hasattr(builtins, name)
        }

    @property
    def seen(self) -> frozenset[str]:
        """The names of the namespace whose value from before can be seen or deleted."""
        return frozenset(self._captured)

    def add_value(self, value: object) -> None:
        """Add what a value of the notebook needs to be used elsewhere."""
        self.add_reached([value], {})

    def add_reached(self, values: Iterable[object], modules: Mapping[str, str]) -> None:
        """Add what values need to be used elsewhere, and modules with the reason for each."""
        for value in values:
            self._add_reach(reach(value, self._namespace))
        self._add_reach(Reach((), dict(modules)))
        for fn in list(self._functions.values()):
            summary = summarize(fn.__code__, Scope.FUNCTION, self._transform)
            for use in _uses(summary, f"by function {fn.__qualname__}", 0):
                self._need(use, State(0, 0))

    def _need(self, first: _Use, state: State) -> None:
        """Add what a use at a point needs: the name, and what the code behind it reads in turn."""
        seen: set[tuple[str, bool]] = set()
        waiting = [first]
        while waiting:
            use = waiting.pop()
            key = (use.name, use.deleting)
            if key in seen or self._is_covered(key, state):
                continue
            seen.add(key)
            if use is first or use.name in self._namespace:  # builtins that captured code uses are of no interest
                self._used.setdefault(use.name, use.line)
            gone = self._flow is not None and self._flow.is_gone(use.name, state)
            if not gone and self._take(use) and not use.deleting:
                waiting += self._reads_of_captured(use)
            if self._flow is not None and not use.deleting:
                for define in self._flow.definitions_of(use.name, state):
                    summary = summarize(define.code, Scope.FUNCTION, self._transform)
                    waiting += _uses(summary, f"by function {define.name}", use.line)

    def _is_covered(self, key: tuple[str, bool], state: State) -> bool:
        """Whether the name was already taken at a point where at least as much could be seen."""
        earlier = self._done.setdefault(key, [])
        if any(old.gone & ~state.gone == 0 and state.defined & ~old.defined == 0 for old in earlier):
            return True
        earlier.append(state)
        return False

    def _take(self, use: _Use) -> bool:
        name = use.name
        if name not in self._namespace or name in self._exclude or name in self._hidden or name in MODULE_NAMES:
            return False
        if use.deleting and name not in self._globals:
            return False  # it is in builtins, which `del` does not look at
        old = self._captured.get(name)
        if old is None or (old.deleting and not use.deleting):
            line = use.line if old is None else min(old.line, use.line)
            self._captured[name] = use._replace(line=line)
        return True

    def _reads_of_captured(self, use: _Use) -> Iterable[_Use]:
        found = self._reaches.get(use.name)
        if found is None:
            found = self._reaches[use.name] = reach(self._namespace[use.name], self._namespace)
            self._add_reach(found)
        for fn in found.functions:
            summary = summarize(fn.__code__, Scope.FUNCTION, self._transform)
            yield from _uses(summary, f"by function {fn.__qualname__}", use.line, " of its cell")

    def _add_reach(self, found: Reach) -> None:
        for module, why in found.modules.items():
            self._modules.setdefault(module, why)
        for fn in found.functions:
            if id(fn) not in self._functions:
                self._functions[id(fn)] = fn
                summary = summarize(fn.__code__, Scope.FUNCTION, self._transform)
                self._captured_stores |= summary.stores.keys()
                self._captured_deletes |= summary.deleted
                self._captured_imports += summary.imports
                self.totals.chains |= summary.chains
                self._add_imports(summary, f"imported by function {fn.__qualname__}")

    def _add_imports(self, summary: Summary, why: str) -> None:
        for statement in summary.imports:
            module = self._absolute(statement)
            if not module:
                continue  # outside of any package: it fails there as it does here
            self._modules.setdefault(module, why)
            for name in statement.names:
                full = f"{module}.{name}"
                if name != "*" and full in sys.modules:
                    self._modules.setdefault(full, why)
                self._members.setdefault(full, why)

    def _absolute(self, statement: Import) -> str:
        """Return the full name of an import's module; `python -m` runs code within a package."""
        if not statement.level:
            return statement.module
        try:
            return resolve_name("." * statement.level + statement.module, self._namespace.get("__package__") or "")
        except ImportError:
            return ""

    def _submodules(self) -> frozenset[str]:
        """Modules that the code reaches as attributes of others, and which were loaded by the user's import."""
        statements = self.totals.imports + self._captured_imports
        imported = {statement.alias: statement for statement in statements if statement.alias}
        found = set()
        for base, attrs in self.totals.chains:
            value = self._namespace.get(base) if base in self._captured else None
            if base in imported:
                value = sys.modules.get(_bound_module(imported[base]))
            for attr in attrs:
                # `isinstance` alone would run a `__getattribute__` of the user's.
                if not issubclass(type(value), ModuleType) or not isinstance(value, ModuleType):
                    break
                full = f"{contents(value).get('__name__')}.{attr}"
                value = contents(value).get(attr)
                if isinstance(value, ModuleType) and sys.modules.get(full) is value:
                    found.add(full)
        return frozenset(found)

    def _skipped(self) -> dict[str, str]:
        reasons = {}
        for name in self._used:
            if name in self._captured or name in MODULE_NAMES:
                continue
            if name in self._exclude:
                reasons[name] = "excluded"
            elif name in self._namespace and name in self._hidden:
                reasons[name] = "the notebook's own"
            elif name in self._namespace:
                line = self.totals.stores.get(name)
                reasons[name] = "bound before the cell" if line is None else f"assigned on line {line} before any read"
            elif name not in self.totals.stores and hasattr(builtins, name):
                reasons[name] = "builtin"
        for name in self._too_large:
            reasons.setdefault(name, f"named in a string, and large: send it with -i {name} if the cell uses it")
        return reasons

    def _sources(self) -> dict[str, str]:
        files = dict.fromkeys(fn.__code__.co_filename for fn in self._functions.values())
        texts = {file: "".join(linecache.getlines(file)) for file in files}
        return {file: text for file, text in texts.items() if text}

    def finish(self) -> CallablePlan:
        """Return all that was found; to be called once, at the end."""
        self._add_named_in_text()
        deleted = {**self._captured_deletes, **self.totals.deleted}
        for name, line in deleted.items():
            # Also where the cell deletes what it bound itself: unless something of the name was there before, its
            # absence afterwards would not distinguish "deleted" from "never reached".
            self._take(_Use(name, f"deleted on line {line}", True, line))
        ordered = sorted(self._captured.values(), key=lambda use: use.line)
        submodules = self._submodules()
        needed = (
            *self._modules.items(),
            *self._members.items(),
            *((name, "used by the code") for name in sorted(submodules)),
        )
        return CallablePlan(
            captured={use.name: CapturedName(use.name, use.reason, use.name in self._optional) for use in ordered},
            bound=frozenset(self.totals.stores) | self._captured_stores,
            deleted=frozenset(deleted),
            deleted_only=frozenset(use.name for use in ordered if use.deleting),
            imports=frozenset(self._modules),
            submodules=submodules,
            own_modules=own_modules(needed, cell_dir=self._cell_dir, exclude=self._exclude),
            visited_functions=frozenset(id(fn.__code__) for fn in self._functions.values()),
            skipped=self._skipped(),
            sources=self._sources(),
            cell_dir=self._cell_dir,
        )


def _bound_module(statement: Import) -> str:
    return statement.module.partition(".")[0] if statement.alias != statement.module else statement.module


def _uses(summary: Summary, by: str, line: int, where: str = "") -> Iterable[_Use]:
    for name, at in summary.reads.items():
        yield _Use(name, f"read {by} line {at}" if by == "on" else f"read {by} (line {at}{where})", False, line)
    for name, at in summary.deletes.items():
        yield _Use(name, f"deleted {by} line {at}" if by == "on" else f"deleted {by} (line {at}{where})", True, line)
