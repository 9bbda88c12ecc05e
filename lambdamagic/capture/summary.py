"""What a piece of nested code needs from the globals and does to them, as one flat summary.

A nested function, comprehension, class body or embedded text counts as a whole at one point of the cell, so its
own control flow is solved here once, and cached: the same helper is captured by cell after cell.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, TypeAlias

from lambdamagic.capture.flow import Flow, Scope
from lambdamagic.capture.ipython_calls import EmbeddedCode, pieces_of
from lambdamagic.capture.name_events import (
    Define,
    Delete,
    Embedded,
    Event,
    Import,
    Nested,
    Read,
    StarImport,
    Store,
    events_of,
    generic_function_name,
    lines_of,
)

Transform: TypeAlias = Callable[[str], str]

# With one of these in the cell, names can be reached that no analysis of code sees.
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars", "compile", "__main__"})


@dataclass(slots=True)
class Summary:
    """What code needs from the globals and does to them.

    Attributes:
        reads: Names whose value from before the code may be read, with the line of the first read.
        deletes: Names whose value from before the code may be deleted, with the line.
        stores: Names that the code may bind globally.
        deleted: Names that the code may delete globally.
        imports: Its import statements.
        chains: Attributes taken from names: a.b.c is ("a", ("b", "c")).
        embedded: Calls that carry code as text.
        dynamic: The code can reach globals by names that only exist while it runs.
    """

    reads: dict[str, int] = field(default_factory=dict)
    deletes: dict[str, int] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    chains: dict[tuple[str, tuple[str, ...]], None] = field(default_factory=dict)
    embedded: list[Embedded] = field(default_factory=list)
    dynamic: bool = False

    def note(self, event: Event, scope: Scope) -> None:
        """Add what holds of the event wherever it stands; reads and deletes are the caller's to decide."""
        if isinstance(event, Read):
            if event.attrs:
                self.chains[event.name, event.attrs] = None
            self.dynamic |= event.name in _DYNAMIC
        elif isinstance(event, Store | Define):
            if not event.local or scope is Scope.MODULE:
                self.stores.setdefault(event.name, event.line)
        elif isinstance(event, Delete):
            if not event.local or scope is Scope.MODULE:
                self.deleted.setdefault(event.name, event.line)
        elif isinstance(event, Import):
            self.imports.append(event)
            self.dynamic |= event.module in _DYNAMIC
        elif isinstance(event, Embedded):
            self.embedded.append(event)

    def include(self, other: Summary) -> None:
        """Add what nested code does, apart from its reads and deletes."""
        for name, line in other.stores.items():
            self.stores.setdefault(name, line)
        for name, line in other.deleted.items():
            self.deleted.setdefault(name, line)
        self.imports += other.imports
        self.chains |= other.chains
        self.embedded += other.embedded
        self.dynamic |= other.dynamic


def nested_summaries(event: Event, scope: Scope, transform: Transform) -> Iterable[Summary]:
    """Return the summaries of the code that the event holds."""
    if isinstance(event, Nested):
        return (summarize(event.code, _scope_of(event.code), transform, event.shallow),)
    if isinstance(event, Define):
        return (summarize(event.code, Scope.FUNCTION, transform),)
    if isinstance(event, Embedded):
        return [_summary_of_piece(piece, scope, transform) for piece in pieces_of(event, transform)]
    return ()


def summarize(code: CodeType, scope: Scope, transform: Transform, shallow: bool = False) -> Summary:
    """Return the summary of code and all that is nested in it. It is shared: do not change it.

    Args:
        code: What to summarize.
        scope: Where its *_NAME opcodes look.
        transform: Turns IPython syntax within the text of code-bearing magics into Python.
        shallow: Leave out the function which the wrapper of a generic one returns.
    """
    return _summarise(code, scope, transform, shallow, lines_of(code))


@lru_cache(maxsize=4096)
def _summarise(code: CodeType, scope: Scope, transform: Transform, shallow: bool, _lines: tuple[Any, ...]) -> Summary:
    flow = Flow(code, scope)
    result = Summary()
    own: Container[str] = ()
    if scope is Scope.FUNCTION:
        own = frozenset(code.co_varnames + code.co_cellvars + code.co_freevars)
    result.chains.update(dict.fromkeys(events_of(code).local_chains))
    for event, state in flow.points():
        if shallow and isinstance(event, Nested) and event.code.co_name == generic_function_name(code):
            continue
        result.note(event, scope)
        result.dynamic |= isinstance(event, StarImport)
        if isinstance(event, Read):
            if flow.reads_global(event, state):
                result.reads.setdefault(event.name, event.line)
        elif isinstance(event, Delete) and flow.reads_global(event, state):
            result.deletes.setdefault(event.name, event.line)
        for inner in nested_summaries(event, scope, transform):
            result.include(inner)
            hidden = own if isinstance(event, Embedded) else ()
            for name, line in inner.reads.items():
                if name not in hidden and not flow.is_gone(name, state):
                    result.reads.setdefault(name, line)
            for name, line in inner.deletes.items():
                if name not in hidden and not flow.is_gone(name, state):
                    result.deletes.setdefault(name, line)
    return result


def _summary_of_piece(piece: EmbeddedCode, scope: Scope, transform: Transform) -> Summary:
    inner = Scope.MODULE if scope is Scope.MODULE and piece.binds else Scope.CLASS
    return summarize(piece.code, inner, transform)


def _scope_of(code: CodeType) -> Scope:
    return Scope.FUNCTION if code.co_flags & 1 else Scope.CLASS  # 1 is CO_OPTIMIZED
