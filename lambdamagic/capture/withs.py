"""Which with statements surely do not swallow exceptions, so that after them their whole body has run.

A context manager may swallow what its body raises, so after `with cm():` the names which the body binds are only
perhaps bound, and their old values would have to be sent. For `open`, locks, pools, temporary folders and the like
it is known that they do not: a stale dataframe is not shipped because its file was read in a with statement.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, cast

from lambdamagic.capture.modules import contents
from lambdamagic.capture.opcodes import decode, op

_UNKNOWN = object()
# Types of the standard library, written in C or handing on another's answer, whose __exit__ returns None or False.
_KNOWN_TYPES = frozenset(
    {
        ("_thread", "lock"), ("_thread", "RLock"), ("_io", "_IOBase"), ("_io", "FileIO"), ("builtins", "memoryview"),
        ("mmap", "mmap"), ("sqlite3", "Connection"), ("_multiprocessing", "SemLock"), ("decimal", "ContextManager"),
        ("posix", "ScandirIterator"), ("nt", "ScandirIterator"), ("threading", "Condition"),
        ("tempfile", "_TemporaryFileWrapper"), ("tempfile", "SpooledTemporaryFile"),
    }
)  # fmt: skip
# Functions of the standard library that return one of those.
_KNOWN_FUNCTIONS = frozenset(
    {
        ("io", "open"), ("_io", "open"), ("tempfile", "NamedTemporaryFile"), ("tempfile", "TemporaryFile"),
        ("decimal", "localcontext"), ("_decimal", "localcontext"), ("_thread", "allocate_lock"), ("_thread", "RLock"),
        ("threading", "RLock"), ("posix", "scandir"), ("sqlite3", "connect"), ("_sqlite3", "connect"),
    }
)  # fmt: skip


def lines_that_do_not_swallow(
    tree: ast.Module, namespace: Mapping[str, Any], bound_before: Iterable[str] = (), hidden: Container[str] = ()
) -> frozenset[int]:
    """Return the lines of the heads of those with statements that surely continue only if their body went through.

    Args:
        tree: The cell.
        namespace: The notebook's globals.
        bound_before: Names whose value the namespace no longer shows.
        hidden: Names of the namespace that are not there remotely, such as IPython's own `open`.
    """
    withs = [node for node in ast.walk(tree) if isinstance(node, ast.With | ast.AsyncWith)]
    if not withs:
        return frozenset()  # as nearly always
    lookup = _Lookup(tree, namespace, bound_before, hidden)
    lines: set[int] = set()
    for node in withs:
        method = "__exit__" if isinstance(node, ast.With) else "__aexit__"
        if all(lookup.never_swallows(item.context_expr, method) for item in node.items):
            # Python 3.13 gives the exit's instructions the line of the item, the earlier ones that of the statement.
            lines.update(range(node.lineno, (node.items[-1].context_expr.end_lineno or node.lineno) + 1))
    return frozenset(lines)


class _Lookup:
    """Finds what names and attributes mean when the cell begins, without running any code."""

    def __init__(
        self, tree: ast.Module, namespace: Mapping[str, Any], bound_before: Iterable[str], hidden: Container[str]
    ) -> None:
        self.namespace = namespace
        self.hidden = hidden
        self.rebound: dict[str, object] = dict.fromkeys(bound_before, _UNKNOWN)
        for name, value in _bindings(tree):
            # What is bound twice may be either.
            self.rebound[name] = _UNKNOWN if name in self.rebound else value

    def never_swallows(self, manager: ast.expr, method: str) -> bool:
        if not isinstance(manager, ast.Call):
            value = self.value(manager)
            return value is not _UNKNOWN and _returns_nothing(type(value), method)
        if isinstance(manager.func, ast.Attribute) and manager.func.attr == "open":
            return True  # by convention of every library it gives a file
        called = self.value(manager.func)
        if type(called) in (FunctionType, BuiltinFunctionType):
            return (getattr(called, "__module__", ""), getattr(called, "__name__", "")) in _KNOWN_FUNCTIONS
        return issubclass(type(called), type) and _returns_nothing(cast(type, called), method)

    def value(self, node: ast.expr) -> object:
        if isinstance(node, ast.Name):
            if node.id in self.rebound or "*" in self.rebound:
                return self.rebound.get(node.id, _UNKNOWN)
            if node.id in self.namespace and node.id not in self.hidden:
                return self.namespace[node.id]
            return vars(builtins).get(node.id, _UNKNOWN)
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            if isinstance(owner, ModuleType):
                return contents(owner).get(node.attr, _UNKNOWN)
        return _UNKNOWN


def _bindings(tree: ast.Module) -> Iterator[tuple[str, object]]:
    """Every name that the cell binds, in whatever scope, with its value if that is known before it runs."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    yield name, sys.modules.get(alias.name if alias.asname else name, _UNKNOWN)
            case ast.ImportFrom():
                module = sys.modules.get(node.module or "") if not node.level else None
                for alias in node.names:
                    value = _UNKNOWN if module is None else contents(module).get(alias.name, _UNKNOWN)
                    yield alias.asname or alias.name, value
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id, _UNKNOWN
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler():
                yield node.name or "", _UNKNOWN
            case ast.MatchAs() | ast.MatchStar():
                yield node.name or "", _UNKNOWN
            case ast.MatchMapping():
                yield node.rest or "", _UNKNOWN


_LOAD_CONST = op("LOAD_CONST")
_RETURN_VALUE = op("RETURN_VALUE")
_RETURN_CONST = op("RETURN_CONST")
_CO_GENERATOR = 0x20  # inspect.CO_GENERATOR and so on; inspect is slow to import
_CO_COROUTINE = 0x80
_CO_ASYNC_GENERATOR = 0x200


def _returns_nothing(cls: type, method: str) -> bool:
    """Whether the class's __exit__ or __aexit__ always returns None or False."""
    for base in cls.__mro__:
        function = vars(base).get(method)
        if function is None:
            continue
        if (base.__module__, base.__name__) in _KNOWN_TYPES:
            return True
        if type(function) is not FunctionType:
            return False
        kind = function.__code__.co_flags & (_CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR)
        return kind == (_CO_COROUTINE if method == "__aexit__" else 0) and _code_returns_nothing(function.__code__)
    return False


def _code_returns_nothing(code: CodeType) -> bool:
    before = -1  # the constant that was just pushed
    for instruction in decode(code):
        if instruction.op == _RETURN_CONST and code.co_consts[instruction.arg] not in (None, False):
            return False
        if instruction.op == _RETURN_VALUE and (before < 0 or code.co_consts[before] not in (None, False)):
            return False
        before = instruction.arg if instruction.op == _LOAD_CONST else -1
    return True
