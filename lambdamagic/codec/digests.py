"""Digests of objects with a separate pickling, by which their changes are found.

A digest covers what is the object's alone. Other objects of the payload that it refers to have their own pictures,
and are in it by identity: so a change of one is not taken for a change of all that hold it, a graph of a thousand
artists costs a thousand small digests and not a thousand of the whole, and its depth does not matter.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambdamagic.codec.deep_pickler import PICKLE_PROTOCOL
from lambdamagic.codec.home import Home
from lambdamagic.codec.large_stack import with_room
from lambdamagic.codec.picklers import PICKLING_ERRORS
from lambdamagic.codec.reducers import Reducers, reduced


class Digest(NamedTuple):
    """The digest of an object at one moment.

    Attributes:
        making: Digest of what it is made from, by which it stays itself.
        state: Digest of what it is given afterwards.
        refers_to: The objects of the payload that are in it by identity.
    """

    making: bytes
    state: bytes
    refers_to: tuple[Any, ...] = ()

    def is_like(self, other: Digest | None) -> bool:
        """Whether two digests are of equal content."""
        return other is not None and self[:2] == other[:2]


class Digests:
    """Makes digests.

    Args:
        home: Where the objects live.
        known: The objects with their own pictures, by `id`.
    """

    def __init__(self, home: Home, known: Mapping[int, Any]) -> None:
        self._reducers, self._known = Reducers(home), known

    def of(self, value: Any) -> Digest | None:
        """Return an object's digest, or None if it cannot be pickled."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that will not be picklable one day; the user did not pickle
            try:
                self._reducers.given[id(value)] = value  # what it is, wherever a module holds it
                found = self._reducers.reduce(value)
                if found is NotImplemented:
                    found = reduced(value)
                if isinstance(found, str):
                    return Digest(found.encode(), b"")
                refers_to: dict[int, Any] = {}
                return Digest(
                    self._digest(tuple(found[:2]), value, refers_to),
                    self._digest([_listed(part) for part in found[2:]], value, refers_to),
                    tuple(refers_to.values()),
                )
            except PICKLING_ERRORS:
                return None

    def _digest(self, value: Any, owner: Any, refers_to: dict[int, Any]) -> bytes:
        hashed = hashlib.blake2b(digest_size=16)
        file = io.BytesIO()
        pickler = _Pickler(file, self._reducers, self._known, owner, refers_to, hashed.update)
        with_room(pickler.dump, value)
        hashed.update(file.getbuffer())
        return hashed.digest()


class _Pickler(pickle.Pickler):
    def __init__(
        self,
        file: io.BytesIO,
        reducers: Reducers,
        known: Mapping[int, Any],
        owner: Any,
        refers_to: dict[int, Any],
        take: Any,
    ) -> None:
        super().__init__(file, PICKLE_PROTOCOL, buffer_callback=lambda buffer: take(buffer.raw()))
        self._reduce, self._known, self._owner, self._refers_to = reducers.reduce, known, owner, refers_to

    def persistent_id(self, obj: Any, /) -> Any:
        if id(obj) not in self._known or obj is self._owner:
            return None
        self._refers_to[id(obj)] = obj
        return id(obj)

    def reducer_override(self, obj: Any, /) -> Any:
        return self._reduce(obj)


def _listed(part: Any) -> Any:
    return list(part) if hasattr(part, "__next__") else part
