"""The pickler in Python without its recursion: what is nested is put aside, and not written by a call within a call.

Neither the C stack nor Python's recursion limit bounds how deep data may be, and code of classes, which runs while
their objects are taken apart, has the stack and the limit that it has elsewhere.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from lambdamagic.codec.reducers import Reducers

BufferCallback = Callable[[pickle.PickleBuffer], Any]
PICKLE_PROTOCOL = 5
_Pickler: Any = pickle._Pickler  # typeshed leaves out what it is
_LEFT_TO_PICKLE = frozenset({int, float, bool, str, bytes, type(None), list, dict, set, tuple, frozenset})
_BATCH = 1000
_SHORT = (pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)
#: Writes an object's parts: what it yields is written before it continues.
_Steps = Iterator[Any]


class DeepPickler(_Pickler):  # type: ignore[misc]  # see above
    """The pickler in Python with the by-value rules for notebook code: slow, and for data of any depth."""

    def __init__(self, file: io.BytesIO, reducers: Reducers, buffer_callback: BufferCallback | None) -> None:
        super().__init__(file, PICKLE_PROTOCOL, buffer_callback=buffer_callback)
        self._reduce = reducers.reduce

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Write an object with all that it leads to; pickle's own methods call it for single names."""
        under_way = [self._begin(obj)]
        while under_way:
            steps = under_way[-1]
            if steps is None:
                under_way.pop()
                continue
            for part in steps:
                under_way.append(self._begin(part))
                break
            else:
                under_way.pop()

    def _begin(self, value: Any) -> _Steps | None:
        """Write an object that has no parts, or return what writes its parts."""
        self.framer.commit_frame()
        known = self.memo.get(id(value))
        if known is not None:
            self.write(self.get(known[0]))
            return None
        kind = type(value)
        if kind not in _LEFT_TO_PICKLE:
            found = self._reduce(value)
            if found is not NotImplemented:
                return self._reduced(found, value)
        steps = _STEPS.get(kind)
        if steps is not None:
            return steps(self, value)
        written_by = self.dispatch.get(kind)
        if written_by is not None:
            written_by(self, value)
            return None
        reduce: Any = copyreg.dispatch_table.get(kind)
        if reduce is None and issubclass(kind, type):
            self.save_global(value)
            return None
        return self._reduced(value.__reduce_ex__(self.proto) if reduce is None else reduce(value), value)

    def _reduced(self, found: Any, value: Any) -> _Steps | None:
        if isinstance(found, str):
            self.save_global(value, found)
            return None
        if not isinstance(found, tuple) or not 2 <= len(found) <= 6:
            raise pickle.PicklingError(f"{type(value).__name__} is not reduced to a tuple of two to six elements")
        return self._made(value, *found)

    def _made(
        self,
        value: Any,
        function: Any,
        args: Any,
        state: Any = None,
        items: Any = None,
        pairs: Any = None,
        setter: Any = None,
    ) -> _Steps:
        if not isinstance(args, tuple) or not callable(function):
            raise pickle.PicklingError(f"{type(value).__name__} is not reduced to a callable and its arguments")
        name = getattr(function, "__name__", "")
        if name in ("__newobj__", "__newobj_ex__"):
            cls = args[0]
            if cls is not value.__class__:
                raise pickle.PicklingError(f"args[0] from {name} args has the wrong class")
            parts, code = ((cls, args[1:]), pickle.NEWOBJ) if name == "__newobj__" else (args, pickle.NEWOBJ_EX)
        else:
            parts, code = (function, args), pickle.REDUCE
        yield from parts
        self._close(value, code, code + pickle.POP)
        yield from self._batches(items, pickle.APPEND, pickle.APPENDS)
        yield from self._pairs(pairs)
        if state is not None and setter is None:
            yield state
            self.write(pickle.BUILD)
        elif state is not None:
            yield from (setter, value, state)
            self.write(pickle.TUPLE2 + pickle.REDUCE + pickle.POP)

    def _batches(self, items: Iterable[Any] | None, one: bytes, several: bytes) -> _Steps:
        rest = iter(items or ())
        while batch := list(islice(rest, _BATCH)):
            is_one = len(batch) == 1 and bool(one)
            if not is_one:
                self.write(pickle.MARK)
            yield from batch
            self.write(one if is_one else several)

    def _pairs(self, pairs: Iterable[tuple[Any, Any]] | None) -> _Steps:
        rest = iter(pairs or ())
        while batch := list(islice(rest, _BATCH)):
            self.write(pickle.MARK)
            for key, value in batch:
                yield key
                yield value
            self.write(pickle.SETITEMS)

    def _list(self, value: list[Any]) -> _Steps:
        self.write(pickle.EMPTY_LIST)
        self.memoize(value)
        yield from self._batches(value, pickle.APPEND, pickle.APPENDS)

    def _dict(self, value: dict[Any, Any]) -> _Steps:
        self.write(pickle.EMPTY_DICT)
        self.memoize(value)
        yield from self._pairs(value.items())

    def _set(self, value: set[Any]) -> _Steps:
        self.write(pickle.EMPTY_SET)
        self.memoize(value)
        yield from self._batches(value, b"", pickle.ADDITEMS)

    def _tuple(self, value: tuple[Any, ...]) -> _Steps:
        if not value:
            self.write(pickle.EMPTY_TUPLE)
            return
        is_short = len(value) < len(_SHORT)
        if not is_short:
            self.write(pickle.MARK)
        yield from value
        if is_short:
            self._close(value, _SHORT[len(value)], pickle.POP * len(value))
        else:
            self._close(value, pickle.TUPLE, pickle.POP_MARK)

    def _frozenset(self, value: frozenset[Any]) -> _Steps:
        self.write(pickle.MARK)
        yield from value
        self._close(value, pickle.FROZENSET, pickle.POP_MARK)

    def _close(self, value: Any, code: bytes, instead: bytes) -> None:
        """End an object that exists only with its parts; where those have led to it, it has been written meanwhile."""
        if id(value) in self.memo:
            self.write(instead + self.get(self.memo[id(value)][0]))
        else:
            self.write(code)
            self.memoize(value)


_STEPS: dict[type, Callable[[Any, Any], _Steps]] = {
    list: DeepPickler._list,
    dict: DeepPickler._dict,
    set: DeepPickler._set,
    tuple: DeepPickler._tuple,
    frozenset: DeepPickler._frozenset,
}
