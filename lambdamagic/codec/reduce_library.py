"""How readers, views of memory, threads and parsers of the standard library are pickled: what pickle has no way for."""

from __future__ import annotations

import _csv
import _thread
import functools
import gc
import io
import re
import sys
import threading
import weakref
from typing import Any

from lambdamagic.codec import known_digest, memory_views, rebuild
from lambdamagic.codec.writing import Rule, Writing

Reader: type = type(_csv.reader(()))
Writer: type = type(_csv.writer(io.StringIO()))
Local: type = _thread._local


def _thread_rule(writing: Writing, value: threading.Thread) -> Any:
    if value.is_alive():
        raise TypeError("cannot pickle 'Thread' object: it is running")
    return NotImplemented


def _thread_handle(writing: Writing, value: Any) -> Any:
    # Since Python 3.13. A thread that runs was refused before.
    return (rebuild.ended_thread, (value.ident,)) if value.is_done() else (type(value), ())


def held_by_csv(value: Any) -> list[Any]:
    """Return the dialect of a reader or writer, and what it reads or the method that it writes with."""
    dialect, held, *_ = (each for each in gc.get_referents(value) if not isinstance(each, type))
    return [dialect, held.source if type(held) is rebuild.AfterLines else held]


def _reader(writing: Writing, value: Any) -> Any:
    dialect, source = held_by_csv(value)
    return rebuild.csv_reader, (source, dialect, value.line_num)


def _writer(writing: Writing, value: Any) -> Any:
    dialect, write = held_by_csv(value)
    return rebuild.csv_writer, (write, dialect)


def _dialect(writing: Writing, value: Any) -> Any:
    return rebuild.csv_dialect, (dialect_options(value),)


def dialect_options(dialect: Any) -> dict[str, Any]:
    """Return the options that make a dialect of csv."""
    return {name: getattr(dialect, name) for name in _OF_DIALECTS}


_OF_DIALECTS = (
    "delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting", "skipinitialspace", "strict"
)  # fmt: skip


def target_of(proxy: Any) -> Any:
    """Return what a weak proxy stands for; None for nothing."""
    try:
        return proxy.__init__.__self__
    except ReferenceError:
        return None


def local_rule(writing: Writing, value: Any) -> Any:
    """Take the attributes that a `threading.local` has in this thread."""
    return rebuild.thread_local, (type(value),), vars(value), None, None, rebuild.set_local


def constants_rule(writing: Writing, value: Any) -> Any:
    """Let a parser's options be rebuilt with the constants of the module that made them."""
    found: Any = value.__reduce_ex__(5)
    if len(found) < 3 or type(found[2]) is not dict:
        return NotImplemented
    return (*found[:3], None, None, rebuild.set_with_constants)


def of_ctypes(writing: Writing, value: Any) -> Any:
    """Load a library again, and find a function of it again."""
    ctypes = sys.modules["ctypes"]
    if isinstance(value, ctypes.CDLL):
        functions = {name: each for name, each in vars(value).items() if isinstance(each, ctypes._CFuncPtr)}
        return rebuild.c_library, (type(value), value._name), functions, None, None, rebuild.set_state
    library = (value._objects or {}).get("0") if isinstance(value, ctypes._CFuncPtr) else None
    if not isinstance(library, ctypes.CDLL):
        return NotImplemented
    return rebuild.c_function, (library, value.__name__, value.restype, value.argtypes)


def _called_until(writing: Writing, value: Any) -> Any:
    """List the matches that are left of `re.finditer` where nothing iterates any more: in the function, at its end."""
    found: Any = value.__reduce__()
    scanner = getattr(found[1][0], "__self__", None) if len(found[1]) == 2 else None
    is_at_work = type(scanner).__name__ == "SRE_Scanner" and writing.home.answers
    if not is_at_work and id(value) not in writing.home.left_of:
        return NotImplemented
    left = writing.home.left_of.setdefault(id(value), (value, []))[1]
    left += value  # nothing, where it was written before
    return iter, (functools.partial(next, iter(left), None), None)


RULES: dict[type, Rule] = {
    type(iter(int, None)): _called_until,
    **dict.fromkeys(known_digest.KINDS, lambda _, value: (rebuild.hash_object, known_digest.parts(value))),
    threading.Thread: _thread_rule,
    Reader: _reader,
    Writer: _writer,
    _csv.Dialect: _dialect,
    Local: local_rule,
    memoryview: lambda _, value: (rebuild.memory_view, memory_views.parts(value)),
    weakref.WeakMethod: lambda _, value: (rebuild.weak_method, (value(),)),
    **dict.fromkeys(weakref.ProxyTypes, lambda _, value: (rebuild.weak_proxy, (target_of(value),))),
    re.Scanner: lambda _, value: (re.Scanner, (value.lexicon, value.scanner.flags)),  # type: ignore[attr-defined]
}
if hasattr(threading, "_ThreadHandle"):
    RULES[threading._ThreadHandle] = _thread_handle
