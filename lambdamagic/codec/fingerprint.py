"""Digests of objects: equal for equal content, whatever session created it.

A pickle is not fit for that: two equal strings are written apart or as one by their identities, sets by the order of
their hashes, classes under names that are drawn at random, code with the line where it stood. Here the walk is over
what pickling would carry, in a separate form. Where equality is unknown, the digests differ, or there is none.

- Sets have no order; dictionaries have theirs, as code can see it.
- Immutable values are reported by content only. Mutable ones that occur twice are reported from two equal ones.
- Functions are their code (not its file and lines), defaults, closures and attributes; the globals that they read are
  for the caller to add. What an import finds is its name.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import pickle
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.home import Home, is_importable
from lambdamagic.codec.shared import Shared
from lambdamagic.codec.written_classes import is_written_in_python

_MAX_STEPS = 5_000_000
_NUMBERS = frozenset({int, bool, type(None), float, complex})
_BOOKKEEPING = frozenset(
    {
        *("__dict__", "__weakref__", "_abc_impl", "__abstractmethods__", "__firstlineno__", "__static_attributes__"),
        *("__annotate_func__", "__annotations_cache__"),
    }
)
_CODE = (
    *("co_name", "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_code", "co_names"),
    *("co_varnames", "co_freevars", "co_cellvars", "co_exceptiontable", "co_consts"),
)


class NoFingerprintError(Exception):
    """It is unknown whether the object equals another one."""


def fingerprint(value: Any, home: Home) -> str:
    """Return the hex digest of an object's content.

    Args:
        value: The object; a shared one is what it was when it was put.
        home: Says what is the notebook's own code.

    Raises:
        NoFingerprintError: There is none.
    """
    walk = _Walk(home)
    try:
        walk.feed(value)
    except NoFingerprintError:
        raise
    except Exception as error:  # reduce methods are the user's: they may raise anything
        raise NoFingerprintError(f"{type(value).__name__}: {error}") from error
    return walk.hash.hexdigest()


class _Walk:
    def __init__(self, home: Home, *, only_immutable: bool = False) -> None:
        self.hash = hashlib.blake2b(digest_size=32)
        self._home, self._only_immutable = home, only_immutable
        # The objects are kept: an id must not be given to another one meanwhile.
        self._seen: dict[int, tuple[int, Any]] = {}
        self._steps = 0

    def _put(self, tag: str, data: Any = b"") -> None:
        view = memoryview(data).cast("B")
        self.hash.update(f"{tag} {view.nbytes}:".encode())
        self.hash.update(view)

    def feed(self, value: Any) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise NoFingerprintError("it is too large to be looked through")
        kind = type(value)
        if kind in _NUMBERS:
            self._put(kind.__name__, struct.pack("<d", value) if kind is float else repr(value).encode())
        elif kind is str:
            self._put("str", value.encode("utf-8", "surrogatepass"))
        elif kind is bytes:
            self._put("bytes", value)
        elif kind is tuple:
            self._sequence("tuple", value)
        elif kind is frozenset:
            self._set("frozenset", value)
        else:
            self._feed_object(value, kind)

    def _feed_object(self, value: Any, kind: type) -> None:
        if kind in _BY_NAME:
            self._put("constant", repr(value).encode())
            return
        if issubclass(kind, type):
            if not is_written_in_python(value) or self._is_found(value):
                self._name("class", value)
                return
        elif kind is types.FunctionType and self._is_found(value):
            self._name("function", value)
            return
        known = self._seen.get(id(value))
        if known is not None:
            self._put("again", str(known[0]).encode())
            return
        if self._only_immutable:
            raise NoFingerprintError(f"a set holds an object of type {kind.__name__}")
        self._seen[id(value)] = len(self._seen), value
        rule = _RULES.get(kind)
        if rule is not None:
            rule(self, value)
        elif issubclass(kind, type):
            self._class(value)
        elif isinstance(value, Shared):
            self._shared(value)
        elif (numpy := sys.modules.get("numpy")) is not None and kind is numpy.ndarray:
            self._array(value, numpy)
        else:
            self._reduced(value)

    def _is_found(self, value: Any) -> bool:
        return is_importable(value, value.__module__, value.__qualname__, home=self._home)

    def _name(self, tag: str, value: Any) -> None:
        self._put(tag, f"{value.__module__} {value.__qualname__}".encode())

    def _sequence(self, tag: str, values: Any) -> None:
        self._put(tag, str(len(values)).encode())
        for value in values:
            self.feed(value)

    def _dict(self, value: Any) -> None:
        self._put(type(value).__name__, str(len(value)).encode())
        for key, item in value.items():
            self.feed(key)
            self.feed(item)

    def _set(self, tag: str, value: Any) -> None:
        digests = []
        for item in value:
            walk = _Walk(self._home, only_immutable=True)
            walk.feed(item)
            digests.append(walk.hash.digest())
        self._put(tag, b"".join(sorted(digests)))

    def _code(self, code: types.CodeType) -> None:
        self._put("instructions")
        for name in _CODE:
            self.feed(getattr(code, name))

    def _function(self, function: types.FunctionType) -> None:
        namespace = function.__globals__
        if namespace is not self._home.namespace:
            module = sys.modules.get(str(namespace.get("__name__")))
            if module is None or vars(module) is not namespace:
                raise NoFingerprintError(f"function {function.__qualname__} has separate globals")
            self._put("globals", module.__name__.encode())
        self._name("code", function)
        self.feed(function.__code__)
        for part in (function.__defaults__, function.__kwdefaults__, function.__closure__, function.__annotations__):
            self.feed(part)
        self.feed(vars(function))

    def _cell(self, cell: types.CellType) -> None:
        self._put("cell")
        try:
            self.feed(cell.cell_contents)
        except ValueError:
            self._put("empty")

    def _module(self, module: types.ModuleType) -> None:
        self._put("module", module.__name__.encode())

    def _method(self, method: types.MethodType) -> None:
        self._put("method")
        self.feed(method.__func__)
        self.feed(method.__self__)

    def _builtin(self, function: types.BuiltinFunctionType) -> None:
        self._put("builtin", f"{function.__module__} {function.__qualname__}".encode())
        if not isinstance(function.__self__, types.ModuleType):
            self.feed(function.__self__)

    def _wrapper(self, value: Any) -> None:
        self._put(type(value).__name__)
        self.feed(value.__func__)

    def _property(self, value: property) -> None:
        self._sequence("property", (value.fget, value.fset, value.fdel, value.__doc__))

    def _lru_cache(self, value: Any) -> None:
        attributes = {name: each for name, each in vars(value).items() if name not in _OF_CACHES}
        self._sequence("lru_cache", (value.__wrapped__, tuple(value.cache_parameters().items()), attributes))

    def _class(self, cls: type) -> None:
        self._name("definition", cls)
        self.feed(type(cls))
        self._sequence("bases", cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name not in _BOOKKEEPING and not isinstance(value, _SLOTS):
                self.feed(name)
                self.feed(value)

    def _shared(self, value: Shared) -> None:
        written = value.written(self._home)
        if written.is_of_home:
            self.feed(value.value)
        else:
            self._put("shared", written.digest.encode())

    def _array(self, array: Any, numpy: Any) -> None:
        order = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else "none"
        self._put("array", f"{array.shape} {order} {array.flags.writeable}".encode())
        self.feed(array.dtype)
        owner = array
        while type(owner.base) is numpy.ndarray:
            owner = owner.base
        number = self._seen.setdefault(id(owner), (len(self._seen), owner))[0]
        offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        self._put("memory", f"{number} {offset}".encode())
        if array.dtype.hasobject:
            self._sequence("items", array.ravel().tolist())
        else:
            self._put("data", numpy.ascontiguousarray(array).reshape(-1).view("u1").data if array.size else b"")

    def _reduced(self, value: Any) -> None:
        kind = type(value)
        reduce: Any = copyreg.dispatch_table.get(kind)
        found: Any = reduce(value) if reduce is not None else value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if isinstance(found, str):
            self._put("global", f"{kind.__module__} {found}".encode())
            return
        function, arguments, state, items, pairs, setter = (tuple(found) + (None,) * 6)[:6]
        self.feed(kind)
        self.feed(function)
        self.feed(arguments)
        self.feed(state)
        self.feed(None if items is None else tuple(items))
        self.feed(None if pairs is None else tuple(pairs))
        self.feed(setter)

    def _buffer(self, value: Any) -> None:
        self._put(type(value).__name__, value.raw() if isinstance(value, pickle.PickleBuffer) else bytes(value))


_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_OF_CACHES = frozenset({"__wrapped__", "cache_parameters"})
_BY_NAME = frozenset({type(...), type(NotImplemented), range, slice})
_RULES: dict[type, Callable[[_Walk, Any], None]] = {
    list: lambda walk, value: walk._sequence("list", value),
    dict: _Walk._dict,
    types.MappingProxyType: _Walk._dict,
    set: lambda walk, value: walk._set("set", value),
    bytearray: _Walk._buffer,
    pickle.PickleBuffer: _Walk._buffer,
    types.FunctionType: _Walk._function,
    types.CodeType: _Walk._code,
    types.CellType: _Walk._cell,
    types.ModuleType: _Walk._module,
    types.MethodType: _Walk._method,
    types.BuiltinFunctionType: _Walk._builtin,
    staticmethod: _Walk._wrapper,
    classmethod: _Walk._wrapper,
    property: _Walk._property,
    type(functools.lru_cache(lambda: None)): _Walk._lru_cache,
}
