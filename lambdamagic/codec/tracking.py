"""Find in-place changes of a cell.

After a payload is read, its mutable objects are found, from the names and in the payload itself, whatever holds them,
and a cheap shallow picture of each is kept: which objects a list, dictionary, set, instance or closure cell refers to
(identities), the bytes that an array had. After the cell ran the pictures are compared. Objects with a pickling of
their own (a DataFrame, an estimator) are compared by a digest of their pickled state and sent back whole.

Nothing is done for what cannot have changed: numbers, strings, bytes, dates, and containers of them cost one
`set(map(type, ...))`.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from operator import is_
from typing import Any

from lambdamagic.codec.class_parts import ABC_MEMBERSHIP, ABC_REGISTRY, class_state
from lambdamagic.codec.digests import Digest, Digests
from lambdamagic.codec.home import Home
from lambdamagic.codec.kinds import (
    ARRAY,
    BYTES,
    CACHE,
    CELL,
    CLASS,
    CONTAINER,
    DICT,
    ENDED,
    FILE,
    FUNCTION,
    GENERATOR,
    HOLDER,
    INSTANCE,
    LIST,
    MEMBER,
    OBJECTS,
    OPAQUE,
    SET,
    SKIP,
    STATE,
    TUPLE,
    VARIABLE,
    children_of,
    kind_of,
    kind_of_value,
    state_of,
)  # fmt: skip
from lambdamagic.codec.opened_files import position
from lambdamagic.codec.reducers import reduced
from lambdamagic.codec.transplant import transplant_for
from lambdamagic.codec.unbegun import progress

#: Objects reached from the payload only, and not from the names by a way that is known here. Not arrays and not what
#: has a separate pickling: where nothing else leads to these, they are parts of something that has one.
_FOUND_ANYWHERE = frozenset(
    {LIST, DICT, SET, TUPLE, FUNCTION, CELL, CLASS, INSTANCE, HOLDER, CONTAINER, MEMBER, CACHE, GENERATOR, VARIABLE}
)
#: References to an object that only the payload's memo holds: two memos, two lists and the argument.
_UNREACHABLE = 5


class Tracked:
    """One object of the payload and its snapshot."""

    __slots__ = ("before", "index", "kind", "refers_to", "value")

    def __init__(self, value: Any, kind: int, index: int) -> None:
        self.value, self.kind, self.index = value, kind, index
        self.before: Any = None
        self.refers_to: tuple[Any, ...] = ()


class Tracker:
    """The mutable objects of one payload, found from its names and in the payload itself.

    Args:
        roots: The values of the captured names.
        memo: The unpickler's memo, index to object: an index is the name both sides have for an object.
        home: Where the payload was read into; classes that came from the client are watched too.
        pristine: Address and size of an out-of-band buffer to a function returning the bytes it held on arrival.
        is_deep: Whether objects with a separate pickling are looked at: they must be pickled for that.
        shared: Objects that other jobs see too: no change of them comes back.
        temporary: Containers that have none in the notebook: they are parts of whatever holds them.
        ignored: Containers of the payload that are none of the notebook's at all.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        *,
        memo: Mapping[int, Any],
        home: Home,
        pristine: Mapping[tuple[int, int], Callable[[], Iterable[bytes]]],
        is_deep: bool = True,
        shared: Iterable[Any] = (),
        temporary: Iterable[Any] = (),
        ignored: Iterable[Any] = (),
    ) -> None:
        self.home = home
        self._pristine = pristine
        self._memo = memo  # kept: an id must not be given to another object meanwhile
        self._index = {id(value): index for index, value in memo.items()}
        self.tracked: dict[int, Tracked] = {}
        self._digests = Digests(home, self.tracked) if is_deep else None
        self._temporary = {id(value) for value in temporary}
        roots, self._shared = list(roots), {id(value): value for value in shared}
        for value in self._shared.values():
            self._add(value, SKIP)
        for root in roots:
            # Whatever its type: `b = a` must give one object under two names again.
            if kind_of(type(root)) == SKIP:
                self._add(root, SKIP)
        classes = (cls for _, cls in home.classes())
        self._walk([*roots, *classes, *_reachable(memo.values()), *home.whole()], seen={id(each) for each in ignored})
        for item in self.tracked.values():
            item.before = self._picture(item)

    def _add(self, value: Any, kind: int) -> None:
        index = self._index.get(id(value))
        if id(value) in self._temporary:
            return
        if index is not None or kind in (CLASS, MEMBER):
            self.tracked[id(value)] = Tracked(value, kind, -1 if index is None else index)

    def _walk(self, layer: list[Any], *, seen: set[int]) -> None:
        while layer:
            following: list[Any] = []
            for value in layer:
                if id(value) in seen or id(value) in self._shared:
                    continue
                seen.add(id(value))
                kind = INSTANCE if self.home.is_whole(value) else kind_of_value(value)
                if kind == SKIP:
                    continue
                self._add(value, kind)
                following += _not_skipped(self._children(value, kind))
            layer = _without_plain_tuples(following)

    def children(self, item: Tracked) -> list[Any]:
        """List what an object refers to, as far as it is followed."""
        return [*self._children(item.value, item.kind), *item.refers_to]

    def _children(self, value: Any, kind: int) -> list[Any]:
        if kind == CLASS:
            return list(value.__dict__.values()) if self.home.is_foreign(value) else []
        return children_of(value, kind)

    def _picture(self, item: Tracked) -> Any:
        value, kind = item.value, item.kind
        if kind in (LIST, DICT, SET):
            return value.copy()
        if kind in (BYTES, ARRAY, OBJECTS):
            return self._bytes_picture(value, kind)
        if kind == OPAQUE:
            return self._digest(item)
        if kind == GENERATOR:
            return progress(value)
        if kind == FILE:
            return position(value)
        if kind == CLASS:
            return _class_picture(value) if self.home.is_foreign(value) else None
        if kind in (FUNCTION, CELL, INSTANCE, CONTAINER, MEMBER, CACHE, VARIABLE):
            return state_of(value, kind)
        return None

    def _digest(self, item: Tracked) -> Digest | None:
        if self._digests is None:
            return _UNKNOWN
        found = self._digests.of(item.value)
        item.refers_to = found.refers_to if found is not None else ()
        return found

    def _bytes_picture(self, value: Any, kind: int) -> Any:
        if kind == BYTES:
            return len(value), _bytes_digest(value)
        shape = (value.shape, value.dtype.str, value.strides, value.flags.writeable)
        if kind == OBJECTS:
            return shape, value.ravel().tolist()
        if not value.flags.writeable:
            return shape, None
        kept = self._pristine.get((value.__array_interface__["data"][0], value.nbytes))
        return shape, kept if kept is not None else _bytes_digest(value)

    def changes(self) -> tuple[list[Tracked], list[Tracked]]:
        """Compare the objects with their snapshots.

        Returns:
            What changed in place, and what must be sent back whole under a new identity (objects with their own
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
        if kind in (BYTES, ARRAY, OBJECTS):
            return self._bytes_changed(value, kind, before)
        if kind == OPAQUE:
            return self._opaque_changed(item)
        if kind in (GENERATOR, FILE):
            return None if self._picture(item) == before else "dirty"
        if kind == CLASS:
            return None if before is None or not class_changes(value, before) else "dirty"
        if kind in (CELL, VARIABLE):
            return None if all(map(is_, state_of(value, kind), before)) else "dirty"
        if kind in (FUNCTION, INSTANCE, CONTAINER, MEMBER, CACHE):
            return None if _same_state(state_of(value, kind), before) else "dirty"
        return None

    def _opaque_changed(self, item: Tracked) -> str | None:
        before, now = item.before, self._digest(item)
        if now is not None and now.is_like(before):
            return None
        if transplant_for(type(item.value)) is not None:
            return "dirty"
        if now is not None and before is not None and now.making == before.making and takes_state(item.value):
            item.kind = STATE
            return "dirty"
        if only_moves(item.value):
            item.kind = ENDED
            return "dirty"
        return "replaced"

    def _bytes_changed(self, value: Any, kind: int, before: Any) -> str | None:
        shape, content = before
        if kind == BYTES:
            return None if len(value) == shape and _bytes_digest(value) == content else "dirty"
        now = (value.shape, value.dtype.str, value.strides, value.flags.writeable)
        if now != shape:
            return "dirty" if can_be_reshaped(value, shape[0], shape[1]) else "replaced"
        if content is None:
            return None
        if kind == OBJECTS:
            return None if all(map(is_, value.ravel().tolist(), content)) else "dirty"
        if isinstance(content, bytes):
            return None if _bytes_digest(value) == content else "dirty"
        flat, offset = memoryview(_as_bytes(value)), 0
        for part in content():
            if bytes(flat[offset : offset + len(part)]) != part:  # bytes compare faster than memoryviews
                return "dirty"
            offset += len(part)
        return None

    def _spread(self, dirty: dict[int, Tracked], replaced: dict[int, Tracked]) -> None:
        """Mark objects that refer to a replaced object as changed: mutable ones in place, immutable ones as a whole."""
        grew = bool(replaced)
        while grew:
            grew = False
            for key, item in self.tracked.items():
                if key in replaced or key in dirty:
                    continue
                if not any(id(child) in replaced for child in self.children(item)):
                    continue
                if item.kind in (TUPLE, HOLDER) or (item.kind == OPAQUE and transplant_for(type(item.value)) is None):
                    replaced[key] = item
                    grew = True
                else:
                    dirty[key] = item


_UNKNOWN = Digest(b"", b"")


def _reachable(values: Iterable[Any]) -> list[Any]:
    """Return what of a payload's objects code can reach and change, as far as a picture of it costs little."""
    found = [value for value in _not_skipped(list(values)) if _may_be_reached(value)]
    return _without_plain_tuples([value for value in found if sys.getrefcount(value) > _UNREACHABLE])


def _may_be_reached(value: Any) -> bool:
    cls = type(value)
    kind = kind_of(cls)
    if kind == FUNCTION and value.__globals__.get("__package__") == "lambdamagic.codec":
        return False  # one of ours by which the payload is read
    return kind in _FOUND_ANYWHERE or _is_time_zone(cls)


def _is_time_zone(cls: type) -> bool:
    datetime = sys.modules.get("datetime")  # slow to import, and without it there is none
    return datetime is not None and issubclass(cls, datetime.tzinfo)


def can_be_reshaped(array: Any, shape: tuple[int, ...], dtype: str) -> bool:
    """Whether an array of a shape and type can be given those of another without other memory."""
    is_same = array.dtype.str == dtype and array.size == math.prod(shape)
    return bool(is_same and (array.shape == shape or array.flags.c_contiguous))


def takes_state(value: Any) -> bool:
    """Whether an object has a state that another can be given as pickle does; an iterator at its end has none."""
    return hasattr(value, "__setstate__") and reduced(value)[2:3] not in ((), (None,))


def only_moves(value: Any) -> bool:
    """Whether an iterator of Python's own is known by what is left of it: at its end, or over a range."""
    if not hasattr(value, "__next__") or type(value).__module__ not in ("builtins", "itertools"):
        return False
    if isinstance(value, _OF_RANGES):
        return True  # since Python 3.12 it is pickled as one over the rest
    found = reduced(value)
    return found[0] is iter and not found[1][0] if type(value) is not chain else len(found) == 2


_OF_RANGES = (type(iter(range(0))), type(iter(range(1 << 70))))


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


def _class_picture(cls: type) -> dict[str, Any]:
    return {**class_state(cls), "__name__": cls.__name__, "__qualname__": cls.__qualname__, "__bases__": cls.__bases__}


def class_changes(cls: type, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a class that are new or other than before; a deleted one maps to `Deleted`."""
    now = _class_picture(cls)
    changed = {name: value for name, value in now.items() if name not in _IGNORED and before.get(name) is not value}
    changed.update({name: Deleted for name in before if name not in now and name not in _IGNORED})
    for registry in (ABC_REGISTRY, ABC_MEMBERSHIP):
        known = set(map(id, before.get(registry, ())))
        registered = [each for each in now.get(registry, ()) if id(each) not in known]
        if registered:
            changed[registry] = registered
    return changed


#: The lists of registries are recreated at each look, and caches of the interpreter are no state.
_IGNORED = frozenset({ABC_REGISTRY, ABC_MEMBERSHIP, "__static_attributes__", "__firstlineno__"})


class Deleted:
    """Marks a deleted attribute."""


def _same_mapping(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other)) and all(map(is_, one.values(), other.values()))


def _same_state(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    for left, right in zip(one, other, strict=True):
        if type(left) is int:
            if left != right:
                return False
        elif type(left) is dict:
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
    flat = value.ravel(order="K")  # in the order in memory; a copy only of what has gaps
    return flat.view("u1") if flat.size else b""


def _bytes_digest(value: Any) -> bytes:
    return hashlib.blake2b(_as_bytes(value), digest_size=16).digest()
