"""The captured program of a job: read into a fresh `__main__`, kept while the job's tasks come to this environment."""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import linecache
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from lambdamagic.codec import home as codec_home
from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.home import Home
from lambdamagic.protocol.envelope import Request
from lambdamagic.remote.blobs import BlobCache, read_frames
from lambdamagic.remote.ownmodules import importable
from lambdamagic.remote.shared import SharedObjects, SharedReader

#: Names that a fresh `__main__` has by itself.
OWN_NAMES = frozenset(
    {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtins__", "__annotations__"}
    | {"__warningregistry__"}  # left by code that warns
)


class Program:
    """One job's code and captured names, living in a `__main__` of its own.

    Attributes:
        header: What the client says of the code; see `capture`.
        captured: The captured names with the values that they arrived with.
        fn: The callable of a map; None for a cell.
        aliases: Shipped module files here, and where they are on the user's machine.
        shared: Reads shared objects that it and its tasks refer to.
    """

    def __init__(self, request: Request, cache: BlobCache, shared: SharedObjects) -> None:
        self.main = types.ModuleType("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.home = Home(self.main.__dict__, answers=True)
        self.shared = SharedReader(shared, cache, self.home)
        self._stack = contextlib.ExitStack()
        self._sources: list[str] = []
        self.captured: dict[str, Any] = {}
        self.fn: Callable[..., Any] | None = None
        try:
            self._read(request, cache)
        except BaseException:
            self.close()
            raise

    def _read(self, request: Request, cache: BlobCache) -> None:
        frames = read_frames(request.program, cache)
        decoder = Decoder(frames, self.home)
        with self.current(), collection_paused(), self.shared.reading(request.program):
            self.header: dict[str, Any] = decoder.load()
            for filename, text in self.header["sources"].items():
                lines = text.splitlines(keepends=True)
                linecache.cache[filename] = (len(text), None, lines, filename)
                self._sources.append(filename)
            self.aliases = self._stack.enter_context(importable(self.header["modules"]))
            for name in self.header["submodules"]:
                importlib.import_module(name)
            for kind, part in decoder.parts():
                if kind == "callable":
                    self.fn = part
                else:
                    self.captured.update(part)
                    self.main.__dict__.update(part)
        self.memo = decoder.memo
        self.pristine = {
            _address(buffer): kept
            for ref, buffer in zip(request.program.own_frames[1:], frames[1:], strict=True)
            if ref.sha256 and (kept := cache.pristine(ref.sha256)) is not None
        }

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
        """Forget sources and modules."""
        for filename in self._sources:
            linecache.cache.pop(filename, None)
        self._stack.close()


def _address(buffer: bytearray) -> tuple[int, int]:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)), len(buffer)


@contextlib.contextmanager
def builtins_of_a_cell(get_ipython: Callable[[], Any], display: Callable[..., None]) -> Iterator[None]:
    """Offer `get_ipython` and `display` as builtins, as IPython does, so that the namespace stays the user's own."""
    names: dict[str, Any] = {"get_ipython": get_ipython, "display": display}
    before = {name: vars(builtins).get(name) for name in names}
    vars(builtins).update(names)
    codec_home.display_hook = display
    try:
        yield
    finally:
        codec_home.display_hook = None
        for name, value in before.items():
            if value is None:
                vars(builtins).pop(name, None)
            else:
                vars(builtins)[name] = value


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
