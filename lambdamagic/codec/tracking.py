"""What did the cell change in place?

After a payload is read, its mutable objects are found and a cheap shallow picture of each is kept: which objects a
list, dictionary, set, instance or closure cell refers to (identities), the bytes that an array had. After the cell ran
the pictures are compared. Objects with a pickling of their own (a DataFrame, an estimator) are compared by a digest of
their pickle and travel back whole.

Nothing is done for what cannot have changed: numbers, strings, bytes, dates, and containers of them cost one
`set(map(type, ...))`.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import hashlib
import types
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import is_
from typing import Any

from lambdamagic.codec.containers import container_base, content_of
from lambdamagic.codec.home import Home
from lambdamagic.codec.reducers import class_state
from lambdamagic.codec.transplant import holds_attributes, is_made_by_class_statements, transplant_for

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement

SKIP, LIST, DICT, SET, TUPLE, BYTES, ARRAY, FUNCTION, CELL, CLASS, INSTANCE, HOLDER, OPAQUE, CONTAINER = range(14)

_EXACT: dict[type, int] = {
    list: LIST,
    dict: DICT,
    set: SET,
    tuple: TUPLE,
    frozenset: TUPLE,
    bytearray: BYTES,
    types.FunctionType: FUNCTION,
    types.CellType: CELL,
    types.MethodType: HOLDER,
    functools.partial: HOLDER,
    staticmethod: HOLDER,
    classmethod: HOLDER,
    property: HOLDER,
    types.BuiltinMethodType: HOLDER,
    types.SimpleNamespace: INSTANCE,
    **dict.fromkeys(
        (int, float, complex, bool, str, bytes, type(None), range, slice, type(...), type(NotImplemented)), SKIP
    ),
    **dict.fromkeys((types.ModuleType, types.CodeType, types.GenericAlias), SKIP),
}
# Modules whose value types cannot change once made.
_IMMUTABLE_MODULES = ("datetime", "decimal", "fractions", "uuid", "pathlib", "re", "zoneinfo", "ipaddress", "typing")


class _Missing:
    """Marks an empty slot or cell."""


class Tracked:
    """One object of the payload and the picture of it."""

    __slots__ = ("before", "index", "kind", "value")

    def __init__(self, value: Any, kind: int, index: int, before: Any) -> None:
        self.value, self.kind, self.index, self.before = value, kind, index, before


class Tracker:
    """The mutable objects of one payload, found from its names.

    Args:
        roots: The values of the captured names.
        memo: The unpickler's memo, index to object: an index is the name both sides have for an object.
        home: Where the payload was read into; classes that came from the client are watched too.
        pristine: Address and size of an out-of-band buffer to a function returning the bytes it held on arrival.
        digest: Digest of an object by its pickle, or None where it cannot be pickled.
        shared: Objects that other jobs see too: nothing of them comes back.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        *,
        memo: Mapping[int, Any],
        home: Home,
        pristine: Mapping[tuple[int, int], Callable[[], Iterable[bytes]]],
        digest: Callable[[Any], bytes | None],
        shared: Iterable[Any] = (),
    ) -> None:
        self.home = home
        self._pristine = pristine
        self._digest = digest
        self._index = {id(value): index for index, value in memo.items()}
        self.tracked: dict[int, Tracked] = {}
        roots, self._shared = list(roots), {id(value): value for value in shared}
        for value in self._shared.values():
            self._add(value, SKIP, None)
        for root in roots:
            # Whatever its type: `b = a` must give one object under two names again.
            if id(root) in self._index and kind_of(type(root)) == SKIP:
                self._add(root, SKIP, None)
        self._walk(roots + [cls for _, cls in home.classes()])

    def _add(self, value: Any, kind: int, before: Any) -> None:
        index = self._index.get(id(value))
        if index is not None or kind == CLASS:
            self.tracked[id(value)] = Tracked(value, kind, -1 if index is None else index, before)

    def _walk(self, layer: list[Any]) -> None:
        seen: set[int] = set()
        while layer:
            following: list[Any] = []
            for value in layer:
                if id(value) in seen or id(value) in self._shared:
                    continue
                seen.add(id(value))
                kind = _kind_of_value(value)
                if kind == SKIP:
                    continue
                self._add(value, kind, self._picture(value, kind))
                following += _not_skipped(self._children(value, kind))
            layer = _without_plain_tuples(following)

    def _children(self, value: Any, kind: int) -> list[Any]:
        if kind == CLASS:
            return list(value.__dict__.values()) if self._is_foreign(value) else []
        return children_of(value, kind)

    def _is_foreign(self, cls: type) -> bool:
        return bool(cls.__flags__ & _HEAP_TYPE) and self.home.token_of(cls) in self.home.foreign

    def _picture(self, value: Any, kind: int) -> Any:
        if kind in (LIST, DICT, SET):
            return value.copy()
        if kind in (BYTES, ARRAY):
            return self._bytes_picture(value, kind)
        if kind == OPAQUE:
            return self._digest(value)
        if kind == CLASS:
            return class_state(value) if self._is_foreign(value) else None
        if kind in (FUNCTION, CELL, INSTANCE, CONTAINER):
            return state_of(value, kind)
        return None

    def _bytes_picture(self, value: Any, kind: int) -> Any:
        shape: Any
        if kind == ARRAY:
            if not value.flags.writeable:
                return None
            shape = (value.shape, value.dtype.str, value.strides)
            kept = self._pristine.get((value.__array_interface__["data"][0], value.nbytes))
        else:
            shape, kept = len(value), None
        return (shape, kept if kept is not None else _bytes_digest(value))

    def changes(self) -> tuple[list[Tracked], list[Tracked]]:
        """Compare with the pictures.

        Returns:
            What changed in place, and what must travel back whole under a new identity (objects with their own
            pickling that changed, and immutable holders of those).
        """
        dirty: dict[int, Tracked] = {}
        replaced: dict[int, Tracked] = {}
        for key, item in self.tracked.items():
            verdict = self._changed(item)
            if verdict == "dirty":
                dirty[key] = item
            elif verdict == "replaced":
                replaced[key] = item
        self._spread(dirty, replaced)
        return list(dirty.values()), list(replaced.values())

    def _changed(self, item: Tracked) -> str | None:
        kind, value, before = item.kind, item.value, item.before
        if kind == LIST:
            return None if len(value) == len(before) and all(map(is_, value, before)) else "dirty"
        if kind == DICT:
            return None if _same_mapping(value, before) else "dirty"
        if kind == SET:
            same = len(value) == len(before) and set(map(id, value)) == set(map(id, before))
            return None if same else "dirty"
        if kind in (BYTES, ARRAY):
            return self._bytes_changed(value, kind, before)
        if kind == OPAQUE:
            if before is not None and self._digest(value) == before:
                return None
            return "dirty" if transplant_for(type(value)) is not None else "replaced"
        if kind == CLASS:
            return None if before is None or not class_changes(value, before) else "dirty"
        if kind in (FUNCTION, CELL, INSTANCE, CONTAINER):
            return None if _same_state(state_of(value, kind), before) else "dirty"
        return None

    def _bytes_changed(self, value: Any, kind: int, before: Any) -> str | None:
        if before is None:
            return None
        shape, content = before
        if kind == ARRAY and (value.shape, value.dtype.str, value.strides) != shape:
            return "replaced"
        if kind == BYTES and len(value) != shape:
            return "dirty"
        if isinstance(content, bytes):
            return None if _bytes_digest(value) == content else "dirty"
        flat, offset = memoryview(_as_bytes(value)), 0
        for part in content():
            if bytes(flat[offset : offset + len(part)]) != part:  # bytes compare faster than memoryviews
                return "dirty"
            offset += len(part)
        return None

    def _spread(self, dirty: dict[int, Tracked], replaced: dict[int, Tracked]) -> None:
        """Whoever refers to a replaced object changes with it: mutable ones in place, immutable ones as a whole."""
        grew = bool(replaced)
        while grew:
            grew = False
            for key, item in self.tracked.items():
                if key in replaced or key in dirty or item.kind in (SKIP, BYTES, ARRAY, OPAQUE):
                    continue
                if not any(id(child) in replaced for child in self._children(item.value, item.kind)):
                    continue
                if item.kind in (TUPLE, HOLDER):
                    replaced[key] = item
                    grew = True
                else:
                    dirty[key] = item


def _not_skipped(values: list[Any]) -> list[Any]:
    # One set of types instead of a look at each value: a million numbers cost a few milliseconds.
    followed = {cls for cls in set(map(type, values)) if kind_of(cls) != SKIP}
    return [value for value in values if type(value) in followed] if followed else []


def _without_plain_tuples(values: list[Any]) -> list[Any]:
    """Drop tuples of numbers and strings all at once: they cannot have changed, and there may be very many."""
    tuples = [value for value in values if type(value) is tuple]
    if not tuples:
        return values
    followed = {cls for cls in set(map(type, chain.from_iterable(tuples))) if kind_of(cls) != SKIP}
    if not followed:
        return [value for value in values if type(value) is not tuple]
    return [value for value in values if type(value) is not tuple or any(type(item) in followed for item in value)]


def children_of(value: Any, kind: int) -> list[Any]:
    """List what an object refers to, as far as it is followed."""
    if kind in (LIST, SET, TUPLE):
        return list(value)
    if kind == DICT:
        return [*value.keys(), *value.values()]
    if kind in (FUNCTION, CELL, INSTANCE, CONTAINER):
        found: list[Any] = []
        for part in state_of(value, kind):
            if isinstance(part, dict):
                found += part.values()
            elif isinstance(part, tuple):
                found += part
            else:
                found.append(part)
        return found
    if kind == OPAQUE and holds_attributes(type(value)):
        return list(value.__dict__.values())
    if kind == HOLDER:
        if isinstance(value, functools.partial):
            return [value.func, *value.args, *value.keywords.values()]
        if isinstance(value, property):
            return [value.fget, value.fset, value.fdel]
        if isinstance(value, types.MethodType):
            return [value.__self__, value.__func__]
        if isinstance(value, types.BuiltinMethodType):
            return [] if isinstance(value.__self__, types.ModuleType) else [value.__self__]
        return [value.__func__]
    return []


def state_of(value: Any, kind: int) -> tuple[Any, ...]:
    """Return the changeable state of a function, a closure cell, an instance or a container, shallow and copied."""
    if kind == CELL:
        try:
            return (value.cell_contents,)
        except ValueError:
            return (_Missing,)
    if kind == FUNCTION:
        return (
            value.__defaults__,
            dict(value.__kwdefaults__ or {}),
            dict(value.__dict__),
            value.__code__,
            value.__closure__,
        )
    attributes = dict(value.__dict__) if hasattr(value, "__dict__") else {}
    slots = tuple(getattr(value, name, _Missing) for name in slot_names(type(value)))
    if kind == CONTAINER:
        return (type(value), attributes, slots, getattr(value, "default_factory", None), *content_of(value))
    return (type(value), attributes, slots)


def slot_names(cls: type) -> list[str]:
    """Return the names of a class's slots, mangled as they are stored."""
    names: list[str] = copyreg._slotnames(cls)  # type: ignore[attr-defined]  # what pickle itself uses
    return names


def class_changes(cls: type, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a class that are new or other than before; a deleted one maps to `Deleted`."""
    now = class_state(cls)
    # Registries are rebuilt at each look, and caches of the interpreter are no state.
    ignored = {"_abc_registry", "__static_attributes__", "__firstlineno__"}
    changed = {name: value for name, value in now.items() if name not in ignored and before.get(name) is not value}
    changed.update({name: Deleted for name in before if name not in now and name not in ignored})
    return changed


class Deleted:
    """Stands for an attribute that was deleted."""


def _same_mapping(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other)) and all(map(is_, one.values(), other.values()))


def _same_state(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    for left, right in zip(one, other, strict=True):
        if isinstance(left, dict) and isinstance(right, dict):
            if not _same_mapping(left, right):
                return False
        elif isinstance(left, tuple) and isinstance(right, tuple):
            if len(left) != len(right) or not all(map(is_, left, right)):
                return False
        elif left is not right:
            return False
    return True


def _as_bytes(value: Any) -> Any:
    if isinstance(value, bytearray):
        return value
    contiguous = value.flags.c_contiguous or value.flags.f_contiguous
    flat = value.ravel(order="K") if contiguous else value.copy().ravel(order="K")
    return flat.view("u1") if flat.size else b""


def _bytes_digest(value: Any) -> bytes:
    return hashlib.blake2b(_as_bytes(value), digest_size=16).digest()


_kinds: dict[type, int] = dict(_EXACT)


def kind_of(cls: type) -> int:
    """Return how objects of a type are watched."""
    kind = _kinds.get(cls)
    if kind is None:
        kind = _classify(cls)
        if cls.__module__ != "__main__":
            # Classes of the notebook come and go; remembering them would keep them alive in a warm environment.
            _kinds[cls] = kind
    return kind


def _classify(cls: type) -> int:
    if issubclass(cls, type):
        return CLASS
    if issubclass(cls, enum.Enum) or cls.__module__.split(".")[0] in _IMMUTABLE_MODULES:
        return SKIP
    if cls.__module__ == "numpy":
        if cls.__name__ == "ndarray":
            return ARRAY
        if any(base.__name__ == "generic" for base in cls.__mro__) or cls.__name__ == "dtype":
            return SKIP
    if cls.__module__.startswith("pandas._libs"):
        return SKIP  # Timestamp, Timedelta, NaT: values
    if container_base(cls) is not None:
        return CONTAINER
    return INSTANCE if _is_plain(cls) else OPAQUE


def _is_plain(cls: Any) -> bool:
    """Tell whether instances are nothing but attributes, rebuilt by pickle's default."""
    return (
        cls.__reduce_ex__ is object.__reduce_ex__
        and cls.__reduce__ is object.__reduce__
        and getattr(cls, "__getstate__", None) is getattr(object, "__getstate__", None)
        and not hasattr(cls, "__setstate__")
        and not hasattr(cls, "__getnewargs__")
        and not hasattr(cls, "__getnewargs_ex__")
        and cls not in copyreg.dispatch_table
        and is_made_by_class_statements(cls)
    )


def _kind_of_value(value: Any) -> int:
    kind = kind_of(type(value))
    # Arrays of objects hold references, not bytes: they are compared by digest.
    return OPAQUE if kind == ARRAY and value.dtype.hasobject else kind
