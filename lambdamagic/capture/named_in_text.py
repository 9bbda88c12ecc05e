"""Names that code may look up by text: in a query, a formula, SQL, `eval`, or in all that `globals()` gives.

Which names a text means is known only when it is used. So words in the code's texts that are names of the notebook are
taken along where the code uses something that looks names up, if they are small; large ones are named in the plan.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import Any

from lambdamagic.capture.name_events import Embedded, Read, events_of

#: Functions and attributes that look up names which they find in a text.
LOOKS_UP = frozenset(
    {"compile", "globals", "locals", "vars", "__main__", "__import__", "import_module", "user_ns", "ev"}
    | {"query", "evaluate", "sql", "execute", "sqldf", "read_sql", "from_query", "from_df", "duckdb", "numexpr", "ne"}
    | {
        "ols",
        "wls",
        "gls",
        "glm",
        "logit",
        "probit",
        "poisson",
        "mixedlm",
        "rlm",
        "quantreg",
        "anova_lm",
        "from_formula",
    }
    | {"dmatrix", "dmatrices", "formula", "model_matrix", "Formula", "bs", "patsy", "smf"}
    | {"timeit", "Timer", "runctx", "_getframe", "currentframe", "f_globals", "stack"}
    | {"testmod", "run_docstring_examples", "unittest", "safe_substitute"}
    | {"defaultTestLoader", "loadTestsFromModule", "TestLoader", "TextTestRunner"}
)
#: Those that may look at any name.
_LOOKS_AT_ALL = frozenset(
    {"user_ns", "testmod", "_getframe", "currentframe", "f_globals", "__main__"}
    | {"defaultTestLoader", "loadTestsFromModule", "TestLoader", "TextTestRunner"}
)
_NAMESPACES = frozenset({"globals", "locals", "vars", "dir"})
#: Those that may bind names where no analysis sees it.
BINDS = frozenset(
    {"exec", "eval", "globals", "locals", "vars", "compile", "__main__", "get_ipython", "builtins", "__builtins__"}
    | {"_getframe", "currentframe", "stack", "f_globals", "user_ns", "push", "modules", "import_module", "var"}
    | {"init_session", "init_printing", "__import__", "run_path", "run_module", "setattr", "__dict__"}
)
_FRAMES = frozenset({"_getframe", "currentframe", "f_globals", "f_back"})
_WORD = re.compile(r"[^\W\d]\w*")
SMALL_BYTES = 1 << 20


def names_used(code: CodeType) -> set[str]:
    """Return all names and attributes that code mentions, nested code included."""
    found = set(code.co_names)
    if "modules" in found and ("__name__" in found or "__main__" in code.co_consts):
        found.add("__main__")  # sys.modules["__main__"]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_used(constant)
    return found


def is_read(tree: ast.Module, name: str) -> bool:
    """Whether a cell's text reads a name; annotated assignments read `__annotations__` in their byte code."""
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def words_in(codes: Iterable[Any]) -> set[str]:
    """Return the words of all texts in code and tuples, nested code included."""
    found: set[str] = set()
    waiting: list[Any] = list(codes)
    while waiting:
        each = waiting.pop()
        if isinstance(each, CodeType):
            waiting += each.co_consts
        elif isinstance(each, tuple | frozenset):
            waiting += each
        elif isinstance(each, str):
            found.update(_WORD.findall(each))
    return found


def looks_up(code: CodeType, used: set[str]) -> bool:
    """Whether code looks names up by a text that it does not hold as a constant argument: that was analyzed already."""
    return not used.isdisjoint(LOOKS_UP) or (not used.isdisjoint(_RUNS_TEXT) and _computes_text(code))


_RUNS_TEXT = frozenset({"exec", "eval"})


def _computes_text(code: CodeType) -> bool:
    events = [event for found in events_of(code).by_index.values() for event in found]
    attributes = [event.attrs for event in events if isinstance(event, Read)]
    attributes += [attrs for _, attrs in events_of(code).local_chains]
    if any(not _RUNS_TEXT.isdisjoint(attrs) for attrs in attributes):
        return True  # `df.eval`
    calls = sum(isinstance(event, Read) and event.name in _RUNS_TEXT for event in events)
    known = sum(isinstance(event, Embedded) and event.function in _RUNS_TEXT for event in events)
    return calls > known or any(isinstance(each, CodeType) and _computes_text(each) for each in code.co_consts)


def looks_at_all(cells: Iterable[ast.Module], functions: Iterable[FunctionType], used: set[str]) -> bool:
    """Whether cells and functions of the notebook may look at any name of it.

    Args:
        cells: The cells.
        functions: The functions.
        used: All names and attributes that they mention.
    """
    if used & _LOOKS_AT_ALL or ({"unittest", "main"} <= used):
        return True
    if used & _NAMESPACES and any(_Namespaces(_NAMESPACES).found_in(tree) for tree in cells):
        return True
    # Within a function the others mean its own variables.
    return "globals" in used and any(_lists_globals(function) for function in functions)


def _lists_globals(function: FunctionType) -> bool:
    if "globals" not in names_used(function.__code__):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return True  # it was made without a source; what is small does no harm
    return _Namespaces(frozenset({"globals"})).found_in(tree)


class _Namespaces(ast.NodeVisitor):
    """Finds `globals()` and the like where more is done with it than to look up what some text names."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._found = False
        self._parents: list[ast.AST] = []

    def found_in(self, tree: ast.Module) -> bool:
        self.visit(tree)
        return self._found

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            is_all = isinstance(node.func, ast.Name) and node.func.id in self._names
            self._found |= is_all and not _names_texts(self._parents)
        self._parents.append(node)
        self.generic_visit(node)
        self._parents.pop()


def _names_texts(parents: list[ast.AST]) -> bool:
    """Whether what stands around `globals()` takes names from a text: a key, `**`, `%`, a template, `in`."""
    parent = parents[-1]
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.slice, ast.Constant) or not isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Compare):
        return isinstance(parent.left, ast.Constant)
    if isinstance(parent, ast.keyword):
        return True
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, ast.Mod)
    if isinstance(parent, ast.Attribute):
        call = parents[-2]
        key = call.args[0] if isinstance(call, ast.Call) and call.args else None
        is_read = parent.attr in ("get", "pop", "setdefault", "__getitem__")
        return parent.attr in ("update", "__setitem__") or (is_read and isinstance(key, ast.Constant))
    if isinstance(parent, ast.Call):
        name = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
        return name in ("eval", "exec", "substitute", "safe_substitute", "format_map", "timeit", "Timer", "query")
    return False


def binds_by_frames(value: Any) -> bool:
    """Whether a function looks at the frames that called it, as those do that bind names there."""
    return type(value) is FunctionType and not _FRAMES.isdisjoint(value.__code__.co_names)


def is_small(value: Any) -> bool:
    """Whether a value is small enough to send although the code may not use it."""
    sizes = [getattr(type(value), name, None) is not None for name in ("nbytes", "memory_usage")]
    try:
        if sizes[0]:
            return int(value.nbytes) <= SMALL_BYTES
        if sizes[1]:
            usage = value.memory_usage()
            return int(usage.sum() if hasattr(usage, "sum") else usage) <= SMALL_BYTES
        return sys.getsizeof(value) <= SMALL_BYTES // 8
    except Exception:  # noqa: BLE001  # of a class that means something else by these names
        return False
