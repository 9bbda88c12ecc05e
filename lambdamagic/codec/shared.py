"""An object sent by its content's digest: pickled once, uploaded once, read once in each environment.

A payload has only its digest. The frames are sent next to the payload's own, and the reader requests them only if
it does not have the object already.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lambdamagic.codec.frames import Written

if TYPE_CHECKING:
    from lambdamagic.codec.home import Home

#: A smaller object is written into the payload like any other: asking the bucket for it would cost more.
SHARED_MIN_BYTES = 64 * 1024


class Shared:
    """An object with its written form.

    Args:
        value: The object.
        home: The namespace that captured code lives in.
        write: Writes it for a home; see `encode.writer`.

    Raises:
        Any of `picklers.PICKLING_ERRORS`: It cannot be written.
    """

    def __init__(self, value: Any, home: Home, write: Callable[[Any, Home], Written]) -> None:
        # By this name `capture` finds the functions that it holds.
        self.__wrapped__ = value
        self._write = write
        self._for_homes: weakref.WeakKeyDictionary[Home, Written] = weakref.WeakKeyDictionary()
        self._everywhere: Written | None = None
        self._everywhere = self.written(home)
        if self._everywhere.is_of_home:
            # Classes have other names in another home.
            self._for_homes[home], self._everywhere = self._everywhere, None
        self.size_bytes = self.written(home).size_bytes

    @property
    def value(self) -> Any:
        """The object itself."""
        return self.__wrapped__

    def written(self, home: Home) -> Written:
        """Return the bytes for a home."""
        found = self._everywhere or self._for_homes.get(home)
        if found is None:
            found = self._for_homes[home] = self._write(self.__wrapped__, home)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # Whatever other pickler writes it, the reader has the object, as on Lambda.
        return operator.itemgetter(0), ((self.value,),)
