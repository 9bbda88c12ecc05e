"""Objects to frames and back, with one memo on both sides.

A pickler numbers what it writes and an unpickler what it reads, in the same order. So after a payload was read, both
sides have the same numbers for the same objects, for free. The way back uses that: the answering pickler starts with
these numbers in its memo, and whatever it meets that came from the client is written as a number, which the client's
unpickler, primed likewise, turns into the very object that the notebook has. That is how aliases and identities stay
true without a separate table and without a call per object.
"""

from __future__ import annotations

import array
import base64
import builtins
import io
import pickle
import types
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from lambdamagic.codec.array_views import shared_memory
from lambdamagic.codec.buffers import BoundedFile, Stream, WatchedFile, taker
from lambdamagic.codec.frames import ALONE_MIN_BYTES, Frames, Segment, Written
from lambdamagic.codec.home import Home
from lambdamagic.codec.large_stack import with_depth, with_room
from lambdamagic.codec.module_names import NAMES
from lambdamagic.codec.name_order import first_read
from lambdamagic.codec.picklers import PICKLING_ERRORS, AnyPickler, Serializer, first_that_can, make_pickler
from lambdamagic.codec.rebuild import Apart, Nothing, empty_scope, scope_of_builtins
from lambdamagic.codec.reducers import ModuleReference, Reducers
from lambdamagic.codec.shared import Shared
from lambdamagic.codec.steps import NUMBERED, fillers, gap_after, pickled, prelude, step_to
from lambdamagic.codec.temporary import held_by_nothing
from lambdamagic.codec.written_as import Called, NamesFirst, Unseen, of_instances


class Encoder:
    """Writes one payload, part by part, with one memo over all parts.

    Keep it until the answer is there: its memo says which object each number means, and keeps those objects alive.

    Args:
        home: The namespace that captured code lives in.
        kind: Which pickler writes: `c`, `dill`, `dill-forced` or `cloudpickle`.
        primed: Objects that the reader already has, in the reader's order.
        most_bytes: `dump` raises when more than these are written; None for no bound.
        wrote: Called with how much there is, for every 64 kB.
    """

    def __init__(
        self,
        home: Home,
        *,
        kind: Any = "c",
        primed: Sequence[Any] = (),
        most_bytes: int | None = None,
        wrote: Callable[[int], None] | None = None,
    ) -> None:
        self._file: Any = io.BytesIO() if most_bytes is None else BoundedFile(most_bytes)
        if wrote is not None:
            self._file = WatchedFile(wrote)
        self._buffers: list[memoryview] = []
        self._hidden: dict[int, Any] = {}
        self._reducers = Reducers(home)
        # dill's pickler is in Python and calls itself for each level of the data.
        self._with_room = with_depth if kind in ("dill", "dill-forced") else with_room
        self._pickler: AnyPickler = make_pickler(kind, self._file, self._reducers, taker(self._buffers, most_bytes))
        if primed:
            self._pickler.memo = {id(value): (number, value) for number, value in enumerate(primed)}

    def dump(self, value: Any) -> int:
        """Append one part and return how many bytes it took, buffers included.

        Raises:
            Any of `picklers.PICKLING_ERRORS`: the encoder is of no further use, since its memo counts half a part.
        """
        before = self._size_bytes()
        self._with_room(self._pickler.dump, value)
        return self._size_bytes() - before

    def _size_bytes(self) -> int:
        written: int = self._file.tell()
        return written + sum([buffer.nbytes for buffer in self._buffers])

    def hide(self) -> None:
        """Let nothing that follows refer to what was written so far, so that its bytes do not depend on that.

        What follows gets the same numbers too, unless very much more was written before it. To be called once.
        """
        self._hidden = self._by_number()
        gap = gap_after(len(self._hidden))
        self._file.write(pickled(NUMBERED * gap + step_to(Nothing)))
        hidden = fillers(len(self._hidden) + gap)
        self._hidden.update(dict.fromkeys(range(len(self._hidden), len(hidden))))
        self._pickler.memo = {id(each): (number, each) for number, each in enumerate(hidden)}

    def dump_apart(self, value: Any) -> int:
        """Append one part as `dump` does; a large one gets its own frame, which is sent once while it is the same."""
        start, position = self._file.tell(), len(self._buffers)
        size = self.dump(value)
        if self._file.tell() - start >= ALONE_MIN_BYTES:
            self._buffers.insert(position, memoryview(self._file.getvalue())[start:])
            self._file.seek(start)
            self._file.truncate()
            self._file.write(pickled(step_to(Apart) + pickle.NEXT_BUFFER + pickle.TUPLE1 + pickle.REDUCE))
        return size

    def keep_shared_memory(self, values: Iterable[Any], *, known: Iterable[Any] = ()) -> None:
        """Let arrays among the values, which must stay alive, share memory on the other side as they do here.

        Args:
            values: What is going to be written.
            known: Arrays that the reader has, and whose memory is laid out there as here.
        """
        self._reducers.views = shared_memory(values, known=known)

    def refer_to_modules(self, values: Iterable[Any]) -> None:
        """Let lists, dictionaries and sets among the values that belong to a module be that module's where read.

        To be called before they are written, if at all: they are given their numbers here.
        """
        candidates = [value for value in values if type(value) in (list, dict, set)]
        if not candidates:
            return
        NAMES.refresh()
        for value in candidates:
            found = NAMES.of(value)
            if found is None or self._reducers.is_given(value, found[0]):
                continue
            self.refer(value, ModuleReference(*found))

    def refer(self, value: Any, reference: Any) -> bool:
        """Let a value be what a reference gives where it is read; return whether it had no number before."""
        if id(value) in self._pickler.memo.copy():
            return False
        self._pickler.dump(Unseen(reference))
        memo = self._pickler.memo.copy()
        number, _ = memo.pop(id(reference))  # as many entries as before: pickle counts them to give numbers
        if id(value) in memo:  # what it refers to holds the value
            memo[id(reference)] = memo[id(value)][0], reference
        memo[id(value)] = number, value
        self._pickler.memo = memo
        return True

    def temporary(self) -> list[int]:
        """Return the numbers of containers that nothing here holds: some object's pickling has made them."""
        return held_by_nothing(self._pickler) if self._reducers.has_own_pickling else []

    def refer_to_scopes(self, values: Iterable[Any]) -> list[dict[str, Any]]:
        """Give numbers to dictionaries among the values in which code was run: functions made there belong to them.

        Returns:
            Those of which the content is still to be written.
        """
        found = []
        for value in values:
            if type(value) is dict and value.get("__builtins__") is vars(builtins) and "__spec__" not in value:
                self.refer(value["__builtins__"], Called(scope_of_builtins))
                if self.refer(value, Called(empty_scope)):
                    found.append(value)
                self._reducers.scopes[id(value)] = value
        return found

    def refer_to_attributes(self, values: Iterable[Any], instances: Iterable[Any]) -> None:
        """Let dictionaries among the values that are the attributes of one of the reader's instances be these."""
        for each, reference in of_instances(values, instances):
            self.refer(each, reference)

    def lend_names(self, names: dict[str, Any]) -> None:
        """Let names be bound where they are read until all is read, if code of the user's may run there."""
        for group in first_read(names):
            self.dump(NamesFirst(group))

    def give(self, values: Iterable[Any]) -> None:
        """Let objects that a module of the user's own holds be written by value: they are put there."""
        self._reducers.given.update((id(value), value) for value in values)

    def refer_to_functions(self) -> None:
        """Let functions that the reader sent, and finds by their names, be the reader's: as pickle would have it."""
        self._reducers.refers_to_functions = True

    def share_arrays(self, share: Callable[[Any], Shared | None] | None) -> None:
        """Send numpy's objects for which `share` gives a shared one as that; they are read-only where read."""
        self._reducers.share = share

    @property
    def functions(self) -> list[types.FunctionType]:
        """The notebook functions taken by value so far."""
        return self._reducers.functions

    @property
    def modules(self) -> set[str]:
        """Full names of the modules referred to so far, our own left out."""
        return {name for name in self._reducers.modules if not name.startswith("lambdamagic.")}

    @property
    def is_of_home(self) -> bool:
        """Whether what was written so far holds the notebook's own functions or classes."""
        return self._reducers.is_of_home

    def frames(self) -> Frames:
        """Return what was written."""
        return Frames((self._file.getvalue(), *self._buffers), tuple(self._reducers.shared.values()))

    def objects_in_order(self) -> list[Any]:
        """Return all objects that have a number, by their numbers: what another encoder can be primed with."""
        by_number = self._by_number()
        return [by_number[number] for number in range(len(by_number))]

    def objects_by_number(self, numbers: Iterable[int]) -> list[Any]:
        """Return the objects that the given numbers mean, in their order."""
        wanted = list(numbers)
        if not wanted:
            return []
        by_number = self._by_number()
        return [by_number[number] for number in wanted]

    def _by_number(self) -> dict[int, Any]:
        return {**dict(self._pickler.memo.copy().values()), **self._hidden}


def can_travel(home: Home, value: Any, kind: Any = "c") -> bool:
    """Whether a value can be pickled."""
    try:
        Encoder(home, kind=kind).dump(value)
    except PICKLING_ERRORS:
        return False
    return True


class Decoder:
    """Reads one payload, part by part.

    Frames must have been verified (digest or signature) before they come here.

    Args:
        frames: Frame 0 is the stream. Buffers should be writable where arrays must be.
        home: The namespace that the code is read into.
        primed: Objects that the writer referred to by number, in order.
        missing: Called with (module, name, error) for what cannot be imported here; its return is in for it.
            Without it the error is raised.
        salvages: Whether to continue where the code of a class raises, and put placeholders there; slow.
    """

    def __init__(
        self,
        frames: Sequence[Segment],
        home: Home,
        *,
        primed: Sequence[Any] = (),
        missing: Callable[[str, str, Exception], Any] | None = None,
        salvages: bool = False,
    ) -> None:
        self._stream = Stream(b"".join((prelude(len(primed)), frames[0])) if primed else frames[0])
        self._home = home
        home.missing = missing
        self._unpickler: Any
        if salvages:
            from lambdamagic.codec.salvage import SalvagingUnpickler

            self._unpickler = SalvagingUnpickler(self._stream, chain(primed, frames[1:]), missing)
        else:
            self._unpickler = _Unpickler(self._stream, chain(primed, frames[1:]), missing)
        if primed:
            self._unpickler.load()

    def load(self) -> Any:
        """Read the next part."""
        with self._home.loading():
            while (found := self._unpickler.load()) is Nothing or type(found) is Apart:
                if type(found) is Apart:
                    self._stream.insert(found.stream)
            return found

    @property
    def is_at_end(self) -> bool:
        """Whether all parts were read."""
        return self._stream.at_end()

    def parts(self) -> Iterator[Any]:
        """Read all parts that are left."""
        while not self._stream.at_end():
            yield self.load()

    def take_failure(self) -> BaseException | None:
        """Return the first error of the parts read since the last call, when salvaging; None if there was none."""
        failure: BaseException | None = self._unpickler.failure
        self._unpickler.failure = None
        return failure

    @property
    def broken(self) -> list[Any]:
        """The placeholders of objects that could not be rebuilt."""
        found: list[Any] = getattr(self._unpickler, "broken", [])
        return found

    def memo(self) -> dict[int, Any]:
        """Return the objects that were read, by memo number."""
        copied: dict[int, Any] = self._unpickler.memo.copy()
        return copied


class _Unpickler(pickle.Unpickler):
    failure: BaseException | None = None  # it is raised at once; see SalvagingUnpickler

    def __init__(
        self,
        stream: Any,
        buffers: Iterable[Any],
        missing: Callable[[str, str, Exception], Any] | None,
    ) -> None:
        super().__init__(stream, buffers=buffers)
        self._missing = missing

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return super().find_class(module_name, global_name)
        except (ImportError, AttributeError) as error:
            if self._missing is None:
                raise
            return self._missing(module_name, global_name, error)


def pack_numbers(numbers: Sequence[int]) -> str:
    """Write memo numbers as text for the envelope."""
    if len(numbers) <= _FEW_NUMBERS:
        return ",".join(map(str, numbers))
    return _PACKED + base64.b64encode(zlib.compress(array.array("Q", numbers).tobytes(), 1)).decode("ascii")


def unpack_numbers(text: str) -> list[int]:
    """Read the text that `pack_numbers` wrote.

    Raises:
        ValueError, zlib.error: It has another form.
    """
    if not text.startswith(_PACKED):
        return [int(number) for number in text.split(",")] if text else []
    numbers = array.array("Q")
    numbers.frombytes(zlib.decompress(base64.b64decode(text[len(_PACKED) :])))
    return numbers.tolist()


#: To pack fewer costs more than it saves: zlib prepares 256 KB of tables, of which a cell's answer has no need.
_FEW_NUMBERS = 64
_PACKED = "zlib:"


def writer(serializer: Serializer = "auto") -> Callable[[Any, Home], Written]:
    """Return the function that writes shared objects, by the first of a setting's picklers that can; see `Shared`."""

    def write(value: Any, home: Home) -> Written:
        def attempt(kind: str) -> Written:
            encoder = Encoder(home, kind=kind)
            encoder.dump(value)
            return Written(
                encoder.frames(), is_of_home=encoder.is_of_home, functions=encoder.functions, modules=encoder.modules
            )

        return first_that_can(serializer, attempt)

    return write
