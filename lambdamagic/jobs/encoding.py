"""From a plan and a namespace to the bytes of a program."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.capture import CallablePlan, CapturePlan
from lambdamagic.capture.reached import reached_imports
from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.codec.picklers import KINDS, PICKLING_ERRORS, Serializer, serializer_versions
from lambdamagic.codec.reducers import as_reference
from lambdamagic.codec.tracking import Deleted
from lambdamagic.errors import EncodeError
from lambdamagic.protocol import versions


@dataclass(frozen=True)
class ShippedName:
    """One name of the program: what `--plan` shows."""

    name: str
    type_name: str
    size_bytes: int
    reason: str


@dataclass
class Program:
    """An encoded program. Keep it until the answer was read: its encoder knows which object each number means.

    `imports` names the modules that it will import in the function, full names, the user's own left out. `code` and
    `modules_digest` are what it is made of beside its values: a cell's code, and the user's own modules.
    """

    encoder: Encoder
    frames: Frames
    names: list[ShippedName]
    versions: dict[str, Any]
    imports: frozenset[str] = frozenset()
    modules_digest: str = ""
    code: Any = field(default=None, repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)


class _NameFailed(Exception):
    def __init__(self, name: str, value: Any, error: Exception) -> None:
        super().__init__(name)
        self.name, self.value, self.error = name, value, error


def encode_program(
    home: Home,
    plan: CallablePlan,
    *,
    serializer: Serializer = "auto",
    fn: Callable[..., Any] | None = None,
    loop_code: types.CodeType | None = None,
    exclude: frozenset[str] = frozenset(),
    hidden: Any = (),
    primed: Sequence[Any] = (),
) -> Program:
    """Encode what a plan asks for.

    Args:
        home: The notebook's home.
        plan: What to ship.
        serializer: Which pickler; `auto` takes the C pickler, and dill for what that cannot do.
        fn: The callable of a map.
        loop_code: Code that binds the loop's variables from `__lambdamagic_item__`, for a map over a cell body.
        exclude: Names never to ship.
        hidden: Names of the namespace that are not the user's.
        primed: Objects that the reader has already, from programs that it reads before.

    Raises:
        EncodeError: A value cannot be pickled; names it, the path to the offending part, and what to do.
    """
    kinds = KINDS[serializer]
    failure: _NameFailed | None = None
    for kind in kinds:
        try:
            return _Attempt(home, plan, kind, exclude, hidden, primed).run(fn, loop_code)
        except _NameFailed as failed:
            failure = failed
    assert failure is not None
    raise _explained(failure, home) from failure.error


def _explained(failure: _NameFailed, home: Home) -> EncodeError:
    path, reason = explain_unpicklable(failure.name, failure.value, home)
    where = (
        f"{failure.name} cannot be sent to Lambda"
        if path == failure.name
        else (f"{failure.name} cannot be sent to Lambda because of {path}")
    )
    return EncodeError(
        f"{where}: {reason}",
        hint=f"leave it out with --exclude {failure.name}, make it inside the cell, or give its class a __getstate__ "
        f"that drops what cannot travel",
    )


class _Attempt:
    def __init__(
        self,
        home: Home,
        plan: CallablePlan,
        kind: str,
        exclude: frozenset[str],
        hidden: Any,
        primed: Sequence[Any],
    ) -> None:
        self.home, self.plan, self.kind = home, plan, kind
        self.exclude, self.hidden = exclude, hidden
        self.encoder = Encoder(home, kind=kind, primed=primed)
        self.names: list[ShippedName] = []
        self.values: dict[str, Any] = {}
        self._looked_at = 0

    def run(self, fn: Callable[..., Any] | None, loop_code: types.CodeType | None) -> Program:
        plan = self.plan
        modules = [
            (relative, str(path), path.read_bytes()) for module in plan.own_modules for relative, path in module.files
        ]
        header = {
            "code": plan.code if isinstance(plan, CapturePlan) else None,
            "value_name": plan.value_name if isinstance(plan, CapturePlan) else None,
            "loop_code": loop_code,
            "sources": dict(plan.sources),
            "modules": modules,
            "submodules": sorted(plan.submodules),
            "deleted_only": sorted(plan.deleted_only),
            "uses_ipython": any(name.split(".")[0] == "IPython" for name in plan.imports),
        }
        self.encoder.dump(header)
        self.encoder.keep_shared_memory(
            self.home.namespace[name] for name in plan.captured if name in self.home.namespace
        )
        self.encoder.refer_to_modules(
            self.home.namespace[name] for name in plan.captured if name in self.home.namespace
        )
        for name, captured in plan.captured.items():
            # A stand-in that no code can have bound itself: gone afterwards means deleted, still there means untouched.
            value = Deleted if name in plan.deleted_only else self.home.namespace[name]
            self._dump_name(name, value, captured.reason)
        if fn is not None:
            self.encoder.dump(("next", "the callable"))
            self._dump("the callable", fn, ("callable", fn))
        self._dump_what_functions_read()
        library = {"dill": "dill", "dill-forced": "dill", "cloudpickle": "cloudpickle"}.get(self.kind)
        needed = {name: version for name, version in serializer_versions().items() if name == library}
        return Program(
            encoder=self.encoder,
            frames=self.encoder.frames(),
            names=self.names,
            versions=versions.here(needed),
            imports=self._imports(),
            modules_digest=_digest(modules),
            code=(header["code"], loop_code, header["value_name"] is not None),
            values=self.values,
        )

    def _imports(self) -> frozenset[str]:
        """Return what the code and the values' own classes import, also by way of the user's own modules."""
        names = {*self.plan.imports, *self.plan.submodules, *(type(value).__module__ for value in self.values.values())}
        return frozenset(reached_imports(names, self.plan.own_modules))

    def _dump_name(self, name: str, value: Any, reason: str) -> None:
        self.encoder.dump(("next", name))  # for who has to say what could not be read
        size = self._dump(name, value, ("names", {name: as_reference(value)}))
        self.values[name] = value
        self.names.append(ShippedName(name, type(value).__name__, size, reason))

    def _dump(self, name: str, value: Any, part: Any) -> int:
        try:
            return self.encoder.dump(part)
        except PICKLING_ERRORS as error:
            raise _NameFailed(name, value, error) from error

    def _dump_what_functions_read(self) -> None:
        """Ship the globals of functions that the plan could not see, deep inside data."""
        while self._looked_at < len(self.encoder.functions):
            function = self.encoder.functions[self._looked_at]
            self._looked_at += 1
            if function.__globals__ is not self.home.namespace or id(function.__code__) in self.plan.visited_functions:
                continue
            for name in _global_names(function.__code__):
                if name in self.values or name in self.exclude or name in self.hidden:
                    continue
                if name in self.home.namespace:
                    value = self.home.namespace[name]
                    self._dump_name(name, value, f"read by function {function.__qualname__}, found inside a value")


def _digest(modules: list[tuple[str, str, bytes]]) -> str:
    digest = hashlib.sha256()
    for relative, _, content in sorted(modules):
        digest.update(f"{relative} {len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _global_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)
