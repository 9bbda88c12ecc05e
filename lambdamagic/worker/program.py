"""The captured program of a job: read into a fresh `__main__`, kept while the job's tasks come to this environment."""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import linecache
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lambdamagic.codec import module_state
from lambdamagic.codec.answer import read_answer
from lambdamagic.codec.earlier import InOrder, WithEarlier, numbered_as_earlier
from lambdamagic.codec.encode import Decoder, unpack_numbers
from lambdamagic.codec.failures import safe_str
from lambdamagic.codec.frames import Segment
from lambdamagic.codec.home import Home
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.errors import EncodeError
from lambdamagic.protocol.envelope import Before, Request
from lambdamagic.protocol.payload import FrameRef, Payload, split_frames
from lambdamagic.worker import written_files
from lambdamagic.worker.blobs import BlobCache, read_frames
from lambdamagic.worker.memory import end_threads_in
from lambdamagic.worker.ownmodules import importable
from lambdamagic.worker.shared_objects import SharedObjects, SharedReader, extensions
from lambdamagic.worker.stays import StayedFrames

#: Names that a fresh `__main__` has by itself.
OWN_NAMES = frozenset(
    {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtins__", "__annotations__"}
    | {"__warningregistry__"}  # left by code that warns
)


class _Main(types.ModuleType):
    """A `__main__` in which pickle finds classes that the cell does not name, as it does in the notebook's."""

    find: Callable[[], Callable[[str], Any] | None]
    __slots__ = ("find",)

    def __getattr__(self, name: str) -> Any:
        find = self.find()
        found = find(name) if find is not None else None
        if found is None:
            raise AttributeError(f"module '__main__' has no attribute {name!r}", name=name, obj=self)
        return found


class LoadedProgram:
    """One job's code and captured names, in a separate `__main__`.

    Attributes:
        header: What the client says of the code; see `capture`.
        captured: The captured names with the values that they arrived with.
        builtins: Names that the user has put into `builtins`; they are there while code of the job runs.
        fn: The callable of a map; None for a cell.
        aliases: Shipped module files here, and where they are on the user's machine.
        tasks: How many tasks it has run here.
        has_files: Whether files came with it.
        own: The user's own modules.
        temporary: Containers that the pickling of some object has made: no others in the notebook stand for them.
        shared: Reads shared objects that it and its tasks refer to.
    """

    def __init__(
        self, request: Request, cache: BlobCache, shared: SharedObjects, stayed: StayedFrames | None = None
    ) -> None:
        self.main = _Main("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.home = Home(self.main.__dict__, answers=True)
        self.main.find = weakref.WeakMethod(self.home.find)
        self.shared = SharedReader(shared, cache, self.home, stayed or StayedFrames())
        self._stack = contextlib.ExitStack()
        self._sources: list[str] = []
        self.captured: dict[str, Any] = {}
        self.builtins: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.fn: Callable[..., Any] | None = None
        self.tasks = 0
        self.has_files = False
        self.header: dict[str, Any] = {}
        self.memo: Callable[[], dict[int, Any]] = dict
        self.pristine: dict[tuple[int, int], Any] = {}
        self.own = module_state.Received(self.home)
        self.temporary: list[Any] = []
        self._extended: set[str] = set()
        try:
            self._read(request, cache)
        except BaseException:
            self.close()
            raise

    def _read(self, request: Request, cache: BlobCache) -> None:
        answers: list[dict[int, Any]] = []
        primed: list[Any] = []
        with self.current(), collection_paused():
            for before in request.before:
                primed = self._repeat(before, cache, primed, answers)
            frames = read_frames(request.program, cache)
            self.header, decoder = self._load(request.program, frames, primed)
        self.memo = lambda: {**numbered_as_earlier(answers), **decoder.memo()}
        self.pristine = {
            _address(buffer): kept
            for ref, buffer in zip(request.program.own_frames[1:], frames[1:], strict=True)
            if ref.sha256 and (kept := cache.pristine(ref.sha256)) is not None
        }

    def _load(
        self, payload: Payload, frames: Sequence[Segment], primed: list[Any], *, adds: bool = False
    ) -> tuple[dict[str, Any], Decoder]:
        """Read code and names; with `adds`, existing names are left unchanged."""
        decoder = Decoder(frames, self.home, primed=primed)
        with self.shared.reading(payload):
            header: dict[str, Any] = decoder.load()
            self.aliases.update(self._stack.enter_context(importable(header["modules"], self.own.loaded)))
            if header.get("package"):
                self.main.__dict__["__package__"] = header["package"]
            self.has_files |= written_files.place(header.pop("files", ()))
            self.own.expect(header.get("loaded", ()))
            self._prepare(header)
            try:
                self._take_parts(decoder, adds=adds)
            except _StateUnreadable:  # of an own module, which can do without it: all is read again, past it
                decoder = Decoder(frames, self.home, primed=primed, salvages=True)
                decoder.load()
                self._take_parts(decoder, adds=adds)
                self.temporary += decoder.broken  # no objects of the notebook's
        return header, decoder

    def _take_parts(self, decoder: Decoder, *, adds: bool) -> None:
        for kind, part, unreadable in _parts(decoder):
            if unreadable is not None:
                self.own.note_unreadable(part if kind == "own" else (), unreadable)
            elif kind == "callable":
                self.fn = part
            elif kind == "more":
                self._prepare(part)
            elif kind == "own":
                self.own.set(part)
            elif kind == "state":
                self.own.fill(*part)
            elif kind == "temporary":
                known = decoder.memo()
                self.temporary += [known[number] for number in part if number in known]
            elif kind == "kept":
                self.own.note_kept(part)
            elif kind == "builtins":
                self.builtins.update({name: value for name, value in part.items() if name not in self.builtins})
                part.clear()  # as below
            else:
                new = {name: value for name, value in part.items() if not (adds and name in self.captured)}
                self.captured.update(new)
                self.main.__dict__.update(new)
                part.clear()  # the payload's memo keeps it: it must not look like a holder of the values

    def _prepare(self, header: dict[str, Any]) -> None:
        for filename, text in header["sources"].items():
            lines = text.splitlines(keepends=True)
            linecache.cache[filename] = (len(text), None, lines, filename)
            self._sources.append(filename)
        for name in header["submodules"]:
            importlib.import_module(name)

    def extend(self, payload: Payload, cache: BlobCache) -> None:
        """Read what a payload brings next to itself of code, names and modules; each once."""
        for digest, frames in extensions(payload, cache):
            if digest not in self._extended:
                self._extended.add(digest)
                with self.current():
                    self._load(payload, frames(), [], adds=True)

    def _repeat(self, before: Before, cache: BlobCache, primed: list[Any], answers: list[dict[int, Any]]) -> list[Any]:
        """Bring about what a cell before did; return the objects of its program, and add those of its answer."""
        header, decoder = self._load(before.program, read_frames(before.program, cache), primed)
        for name in header["deleted_only"]:
            self._drop(name)
        known = decoder.memo()
        objects = [known[number] for number in range(len(known))]
        body = bytearray().join(cache.read(part) for part in before.answer_parts)
        frames = split_frames([FrameRef(size) for size in before.answer_sizes], memoryview(body))
        effects = read_answer(self.home, WithEarlier(InOrder(objects), answers), unpack_numbers(before.numbers), frames)
        put, gone = effects.take_builtins()  # they are in force while code runs
        self.builtins |= put
        for name in gone:
            self.builtins.pop(name, None)
        effects.apply_in_place()
        for name in effects.deleted:
            self._drop(name)
        self.captured.update(effects.bound)
        self.main.__dict__.update(effects.bound)
        answers.append(effects.memo())
        return objects

    def _drop(self, name: str) -> None:
        self.captured.pop(name, None)
        self.main.__dict__.pop(name, None)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Be `__main__` while the context is open."""
        before = sys.modules["__main__"]
        sys.modules["__main__"] = self.main
        try:
            yield
        finally:
            sys.modules["__main__"] = before

    def close(self) -> None:
        """Forget everything: sources, modules, and the namespace, whose functions would keep it alive."""
        for filename in self._sources:
            linecache.cache.pop(filename, None)
        self._stack.close()
        namespace = self.main.__dict__
        end_threads_in(namespace)
        namespace.clear()
        self.captured.clear()
        self.builtins.clear()
        self.header, self.fn, self.memo, self.pristine = {}, None, dict, {}
        self.shared.forget()


class _StateUnreadable(Exception):  # no error: the payload is read again
    """What an own module holds cannot be made here."""


def _parts(decoder: Decoder) -> Iterator[tuple[str, Any, BaseException | None]]:
    """Read the parts of a program: kind, content, and with a decoder that salvages, what broke an own module's state.

    Raises:
        EncodeError: The code of some value's class raised; names the value.
        _StateUnreadable: That of a value which an own module holds did, and the decoder does not salvage.
    """
    name, is_own, parts = "", False, decoder.parts()
    while True:
        error: BaseException | None = None
        try:
            kind, part = next(parts)
            error = decoder.take_failure()
            if error is not None and not is_own:
                raise error
        except StopIteration:
            return
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as raised:
            if is_own:
                raise _StateUnreadable from raised
            if not name or isinstance(raised, ImportError):
                raise
            raise EncodeError(
                f"{name} cannot be sent to Lambda: reading it there raised {type(raised).__name__}: {safe_str(raised)}",
                hint=f"Leave it out with --exclude {name}, make it inside the cell, or give its class a __reduce__ "
                f"that makes it again",
            ) from raised
        if kind in ("next", "next own"):
            name, is_own = part, kind == "next own"
        else:
            yield kind, part, error
            is_own = False


def _address(buffer: bytearray) -> tuple[int, int]:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)), len(buffer)


class _Absent:
    """Is in `builtins` between two cells: libraries ask for such a name when they are imported."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise NameError(f"name {self._name!r} is not defined", name=self._name)

    def __bool__(self) -> bool:
        return False


@contextlib.contextmanager
def builtins_of_a_cell(
    get_ipython: Callable[[], Any], display: Callable[..., None], names: Mapping[str, Any]
) -> Iterator[None]:
    """Offer `get_ipython` and `display` as builtins, as IPython does, and the user's own, as the notebook does.

    IPython's names stay, and raise the NameError of a name that is not there. A name that comes or goes makes Python
    look again for the builtins of all code that runs in this process, which was a tenth of what a trivial cell takes.
    """
    scope = vars(builtins)
    for name in ("get_ipython", "display", "__IPYTHON__"):
        scope.setdefault(name, _Absent(name))
    added = {**names, "get_ipython": get_ipython, "display": display, "__IPYTHON__": True}
    before = {name: scope[name] for name in added if name in scope}
    scope.update(added)
    try:
        yield
    finally:
        for name in added.keys() - before.keys():
            scope.pop(name, None)
        scope.update(before)


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the cyclic garbage collector off while very many objects are made: it would look at them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
