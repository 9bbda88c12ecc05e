"""A question and its answer without anything between them: what the codec does, on both sides, in one process."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import sys
import textwrap
import types
from typing import Any

from lambdamagic.codec import kinds
from lambdamagic.codec.answer import NO_VALUE, Answer, Effects, read_answer, write_answer
from lambdamagic.codec.changes import apply, without_builtins
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.codec.name_order import rank
from lambdamagic.codec.picklers import PICKLING_ERRORS
from lambdamagic.codec.reducers import as_reference
from lambdamagic.codec.tracking import Tracker

KINDS: dict[str, tuple[Any, ...]] = {
    "auto": ("c", "dill"),
    "dill": ("dill-forced",),
    "cloudpickle": ("cloudpickle",),
}
_OWN = frozenset({"__name__", "__builtins__", "__annotations__"})


def encode_once(home: Home, value: Any) -> Frames:
    """Encode one object by itself."""
    encoder = Encoder(home)
    encoder.dump(value)
    return encoder.frames()


def run(source: str, namespace: dict[str, Any]) -> Any:
    """Run source in a namespace that is `__main__` meanwhile; return the last expression's value."""
    main = types.ModuleType("__main__")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = main
    try:
        tree = ast.parse(textwrap.dedent(source).strip("\n"))
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        for part, mode in ((tree, "exec"), (last, "eval")):
            if part is None:
                continue
            code = compile(part, "<test>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            value = eval(code, namespace)
            if code.co_flags & inspect.CO_COROUTINE:
                value = asyncio.run(value)
        return value if last is not None else None
    finally:
        sys.modules["__main__"] = before


class Conversation:
    """A notebook and a function, and what they send each other.

    Args:
        setup: Source that makes the notebook's names.
        serializer: Which one writes, on both sides.
    """

    def __init__(self, setup: str, serializer: Any = "auto") -> None:
        self.here: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self.there: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self.home, self.remote = Home(self.here), Home(self.there, answers=True)
        self.serializer = serializer
        run(setup, self.here)

    def ask(self) -> None:
        """Send all names of the notebook, as `jobs.encoding` does."""
        found = ((name, value) for name, value in self.here.items() if name not in _OWN)
        names = dict(sorted(found, key=lambda each: rank(each[1])))
        for kind in KINDS[self.serializer]:
            self._encoder = Encoder(self.home, kind=kind)
            try:
                scopes = self._refer(list(names.values()))
                for name, value in names.items():
                    self._encoder.dump({name: as_reference(value)})
                for scope in scopes:
                    self._encoder.dump((scope, kinds.DICT, without_builtins(scope)))
                self._encoder.dump(self._encoder.temporary())
                break
            except PICKLING_ERRORS:
                if kind == KINDS[self.serializer][-1]:
                    raise
        frames = [bytearray(segment) for segment in self._encoder.frames().segments]
        self._decoder = Decoder(frames, self.remote)
        self.captured: dict[str, Any] = {}
        self._temporary: list[Any] = []
        for part in self._decoder.parts():
            if isinstance(part, list):
                self._temporary = [self._decoder.memo()[number] for number in part]
            elif isinstance(part, tuple):
                apply(*part)
            else:
                self.captured.update(part)
                self.there.update(part)

    def _refer(self, values: list[Any]) -> list[dict[str, Any]]:
        self._encoder.keep_shared_memory(values)
        self._encoder.refer_to_modules(values)
        self._encoder.refer_to_attributes(values, values)
        return self._encoder.refer_to_scopes(values)

    def answer(self, body: str, *, mutations: bool = True, wanted: list[str] | None = None) -> Effects:
        """Run the body there, bring back what it did, and apply it here."""
        self.run_there(body, mutations=mutations, wanted=wanted)
        return self.apply([bytearray(segment) for segment in self.sent.frames.segments], mutations=mutations)

    def run_there(self, body: str, *, mutations: bool = True, wanted: list[str] | None = None) -> None:
        """Run the body there, and write what it did."""
        tracker = Tracker(
            list(self.captured.values()),
            memo=self._decoder.memo(),
            home=self.remote,
            pristine={},
            temporary=self._temporary,
        )
        value = run(body, self.there)
        self.sent: Answer = write_answer(
            self.remote,
            tracker,
            captured=self.captured,
            ignored=_OWN,
            wanted=wanted,
            value=NO_VALUE if value is None else value,
            serializer=self.serializer,
            mutations=mutations,
        )

    def apply(self, frames: list[Any], *, mutations: bool = True) -> Effects:
        """Read an answer, and apply it here."""
        effects = read_answer(self.home, self._encoder, self.sent.numbers, frames)
        self.problems = effects.apply_in_place() if mutations else []
        for name in effects.deleted:
            self.here.pop(name, None)
        self.here.update(effects.bound)
        return effects
