"""Encode a plan and a namespace as a program."""

from __future__ import annotations

import builtins
import functools
import hashlib
import pickle
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lambdamagic.capture import CallablePlan, CapturedName, CapturePlan
from lambdamagic.capture.reached import reached_imports
from lambdamagic.capture.source_files import packed
from lambdamagic.codec import kinds, module_state, process_settings
from lambdamagic.codec.changes import without_builtins
from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.encode import Encoder, can_travel
from lambdamagic.codec.frames import ALONE_MIN_BYTES, Frames
from lambdamagic.codec.home import Home
from lambdamagic.codec.name_order import rank
from lambdamagic.codec.picklers import KINDS, PICKLING_ERRORS, Serializer, first_that_can, serializer_versions
from lambdamagic.codec.reducers import as_reference
from lambdamagic.codec.size_estimate import looks_large
from lambdamagic.codec.tracking import Deleted
from lambdamagic.errors import EncodeError
from lambdamagic.jobs.extending import Extensions, missing_in
from lambdamagic.jobs.loaded_modules import loaded
from lambdamagic.protocol import versions


@dataclass(frozen=True)
class ShippedName:
    """One name of the program, as `--plan` shows it."""

    name: str
    type_name: str
    size_bytes: int
    reason: str


@dataclass
class Program:
    """An encoded program. Keep it until the answer was read: its encoder knows which object each number means.

    `plan` is what it was made from, with what was met on the way; `extensions` adds to it what items turn out to need.
    `imports` names the modules that it will import in the function, full names, the user's own left out. `code` and
    `modules_digest` are its parts in addition to its values: a cell's code, and the user's own modules; `held` is what
    these hold.
    """

    encoder: Encoder
    plan: CallablePlan
    frames: Frames
    names: list[ShippedName]
    versions: dict[str, Any]
    imports: frozenset[str] = frozenset()
    modules_digest: str = ""
    held: dict[str, Any] = field(default_factory=dict, repr=False)
    code: Any = field(default=None, repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    extensions: Extensions | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Setup:
    """Code that runs first in each execution environment, and what distinguishes it from other such code."""

    digest: str
    code: types.CodeType = field(repr=False)


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
    files: Sequence[tuple[str, Path]] = (),
    with_modules: bool = False,
    setup: Setup | None = None,
    wrote: Callable[[str, Any, int], None] | None = None,
) -> Program:
    """Encode the names and code of a plan.

    Args:
        home: The notebook's home.
        plan: What to ship.
        serializer: Which pickler; `auto` takes the C pickler, and dill for what that cannot do.
        fn: The callable of a map.
        loop_code: Code that binds the loop's variables from `__lambdamagic_item__`, for a map over a cell body.
        exclude: Names never to ship.
        hidden: Names of the namespace that are not the user's.
        primed: Objects that the reader has already, from programs that it reads before.
        files: What goes into the working directory: relative paths, and where the files are here.
        with_modules: Whether the user's own modules are sent as they are here now; otherwise they are imported again.
        setup: Code that runs first in each environment; the plan has what it needs.
        wrote: Called for every 64 kB with the name that is written, its value, and the bytes that there are.

    Raises:
        EncodeError: A value cannot be pickled; names it, the path to the offending part, and what to do.
    """
    contents = [(relative, path.read_bytes()) for relative, path in files]
    while True:
        try:
            attempted = functools.partial(
                _attempted, home, plan, exclude, hidden, primed, fn, loop_code, contents, with_modules, setup, wrote
            )
            found = first_that_can(serializer, attempted)
        except _NameFailed as failed:
            raise _explained(failed, home) from None  # a pickler's frames say less
        if isinstance(found, Program):
            return found
        plan = found


def _attempted(
    home: Home,
    plan: CallablePlan,
    exclude: frozenset[str],
    hidden: Any,
    primed: Sequence[Any],
    fn: Callable[..., Any] | None,
    loop_code: types.CodeType | None,
    contents: Sequence[tuple[str, bytes]],
    with_modules: bool,
    setup: Setup | None,
    wrote: Callable[[str, Any, int], None] | None,
    kind: str,
) -> Program | CallablePlan:
    """Return the program, or the plan with which it can be encoded."""
    try:
        attempt = _Attempt(home, plan, kind, exclude, hidden, primed, wrote)
        return attempt.run(fn, loop_code, contents, with_modules, setup)
    except _FilesMissing as missing:
        return missing.plan


def _explained(failure: _NameFailed, home: Home) -> EncodeError:
    path, reason = explain_unpicklable(failure.name, failure.value, home)
    where = (
        f"{failure.name} cannot be sent to Lambda"
        if path == failure.name
        else (f"{failure.name} cannot be sent to Lambda because of {path}")
    )
    return EncodeError(
        f"{where}: {reason}",
        hint=f"Make it inside the cell or function, leave it out (--exclude {failure.name} in a cell), or give its "
        f"class a __getstate__ that drops what cannot be pickled",
    )


class _FilesMissing(Exception):  # no error: it is encoded again
    """The plan lacked files that must be read before what was written already."""

    def __init__(self, plan: CallablePlan) -> None:
        self.plan = plan


class _Attempt:
    def __init__(
        self,
        home: Home,
        plan: CallablePlan,
        kind: str,
        exclude: frozenset[str],
        hidden: Any,
        primed: Sequence[Any],
        wrote: Callable[[str, Any, int], None] | None,
    ) -> None:
        self.home, self.plan, self.kind = home, plan, kind
        self.exclude, self.hidden, self.primed = exclude, hidden, primed
        now = self._now = [("", None)]  # what is written
        # Without `self`: a ring of references would keep the values until the garbage collector comes.
        heard = None if wrote is None else lambda written: wrote(*now[-1], written)
        self.encoder = Encoder(home, kind=kind, primed=primed, wrote=heard)
        self.names: list[ShippedName] = []
        self.values: dict[str, Any] = {}
        self._held: dict[str, Any] = {}
        self._missing = functools.partial(missing_in, home=home, exclude=exclude, hidden=hidden)

    def run(
        self,
        fn: Callable[..., Any] | None,
        loop_code: types.CodeType | None,
        contents: Sequence[tuple[str, bytes]],
        with_modules: bool,
        setup: Setup | None,
    ) -> Program:
        plan = self.plan
        own = loaded(plan) if with_modules else {}
        modules = [
            (relative, str(path), packed(path)) for module in plan.own_modules for relative, path in module.files
        ]
        is_cell = isinstance(plan, CapturePlan) and loop_code is None
        header = {
            "code": plan.code if isinstance(plan, CapturePlan) else None,
            "value_name": plan.value_name if isinstance(plan, CapturePlan) else None,
            "loop_code": loop_code,
            "sources": dict(plan.sources),
            "modules": modules,
            "submodules": sorted(plan.submodules),
            "loaded": [*own, *sorted(self.home.imported_there - own.keys())] if with_modules else [],
            "files": [(relative, pickle.PickleBuffer(content)) for relative, content in contents],
            "package": self.home.namespace.get("__package__"),
            "deleted_only": sorted(plan.deleted_only),
            "settings": self._settings(plan) if is_cell else {},
            "uses": sorted({name.partition(".")[0] for name in plan.imports}),
        }
        if setup is not None:
            header["setup"] = (setup.digest, setup.code)
        self.encoder.dump(header)
        values = [self._value(name) for name in plan.captured]
        captured = self._large_first(values)
        if not self.primed:  # what is read before has them as they were, and changes them
            self._dump_modules(own)
        self.encoder.keep_shared_memory(values)
        self.encoder.refer_to_modules(values)
        self.encoder.refer_to_attributes(values, values)
        scopes = self.encoder.refer_to_scopes(values)
        for name, each in captured.items():
            # A stand-in that no code can have bound itself: gone afterwards means deleted, still there means untouched.
            value = Deleted if name in plan.deleted_only else self._value(name)
            if not each.is_optional or self._can_travel(value):
                self._dump_name(name, value, each.reason)
        self.names.sort(key=_position_in(list(plan.captured)))
        for scope in scopes:
            state = (scope, kinds.DICT, without_builtins(scope))
            self._dump("a namespace of executed code", scope, ("state", state))
        if fn is not None:
            self.encoder.dump(("next", "the callable"))
            self._dump("the callable", fn, ("callable", fn))
        self._add_what_was_met()
        if temporary := self.encoder.temporary():
            self.encoder.dump(("temporary", temporary))
        library = {"dill": "dill", "dill-forced": "dill", "cloudpickle": "cloudpickle"}.get(self.kind)
        needed = {name: version for name, version in serializer_versions().items() if name == library}
        return Program(
            encoder=self.encoder,
            plan=self.plan,
            frames=self.encoder.frames(),
            names=self.names,
            versions=versions.here(needed),
            imports=self._imports(),
            modules_digest=_digest(modules),
            held=self._held,
            code=(
                header["code"],
                loop_code,
                header["value_name"] is not None,
                *([setup.digest] if setup is not None else []),
            ),
            values=self.values,
            extensions=self._extensions(),
        )

    def _large_first(self, values: Sequence[Any]) -> Mapping[str, CapturedName]:
        """Return the captured names in order. Large ones come first, and are written the same whatever the code is."""
        captured, known = self.plan.captured, self.home.large_names
        large = [name for name, value in zip(captured, values, strict=True) if name in known or looks_large(value)]
        in_order = dict(sorted(captured.items(), key=lambda each: rank(self._value(each[0]))))
        if not large or self.primed:
            return in_order
        self.encoder.hide()
        return {**{name: captured[name] for name in sorted(large)}, **in_order}

    def _dump_modules(self, own: Mapping[str, types.ModuleType]) -> None:
        """Write the present state of the user's own modules."""
        kept: list[Any] = []
        for name, module in own.items():
            try:
                sent = module_state.send(self.encoder, self.home, self.kind, module)
            except PICKLING_ERRORS as error:
                raise _NameFailed(name, module, error) from error
            kept += sent.kept
            self._held |= sent.values
            if sent.names:
                self.names.append(
                    ShippedName(name, "module", sent.size_bytes, f"what it holds: {', '.join(sent.names)}")
                )
        if kept:
            self.encoder.dump(("kept", kept))

    def _imports(self) -> frozenset[str]:
        """Return what the code and the values' own classes import, also by way of the user's own modules."""
        names = {*self.plan.imports, *self.plan.submodules, *(type(value).__module__ for value in self.values.values())}
        return frozenset(reached_imports(names, self.plan.own_modules))

    def _settings(self, plan: CallablePlan) -> dict[str, Any]:
        return process_settings.those_that_can(process_settings.taken(plan.imports), self._can_travel)

    def _value(self, name: str) -> Any:
        return self.home.namespace[name] if name in self.home.namespace else vars(builtins)[name]

    def _can_travel(self, value: Any) -> bool:
        return can_travel(self.home, value, self.kind)

    def _dump_name(self, name: str, value: Any, reason: str) -> None:
        self.encoder.dump(("next", name))  # for who has to say what could not be read
        kind = "names" if name in self.home.namespace else "builtins"
        size = self._dump(name, value, (kind, {name: as_reference(value)}))
        if size >= ALONE_MIN_BYTES:
            self.home.large_names.add(name)
        else:
            self.home.large_names.discard(name)
        self.values[name] = value
        self.names.append(ShippedName(name, type(value).__name__, size, reason))

    def _dump(self, name: str, value: Any, part: Any) -> int:
        self._now[:] = [(name, value)]
        try:
            return self.encoder.dump_apart(part)
        except PICKLING_ERRORS as error:
            raise _NameFailed(name, value, error) from error
        finally:
            self._now[:] = [("", None)]

    def _add_what_was_met(self) -> None:
        """Extend the plan by what code deep inside data reads, which the plan could not see.

        Raises:
            _FilesMissing: It needs modules of the user's that the plan lacks.
        """
        added: list[CallablePlan] = []
        while more := self._missing(self.plan, self.encoder.functions, self.encoder.modules):
            if more.own_modules:
                raise _FilesMissing(self.plan.with_more(more))
            self.plan = self.plan.with_more(more)
            added.append(more)
            for name, captured in more.captured.items():
                if name not in self.values:
                    self._dump_name(name, self._value(name), f"{captured.reason}, found inside a value")
        sources = {file: text for each in added for file, text in each.sources.items()}
        submodules = sorted({name for each in added for name in each.submodules})
        if sources or submodules:
            self.encoder.dump(("more", {"sources": sources, "submodules": submodules}))

    def _extensions(self) -> Extensions:
        home, exclude, hidden = self.home, self.exclude, self.hidden
        serializer = next(each for each, kinds in KINDS.items() if self.kind in kinds)

        def encode(plan: CallablePlan) -> Frames:
            return encode_program(home, plan, serializer=serializer, exclude=exclude, hidden=hidden).frames

        named = {name: CapturedName(name, "") for name in self.values}
        return Extensions(replace(self.plan, captured=named), encode, self._missing)


def _position_in(names: list[str]) -> Callable[[ShippedName], int]:
    """Order names as the code mentions them; those of modules come first."""
    positions = {name: position for position, name in enumerate(names)}
    return lambda shipped: positions.get(shipped.name, -1)


def _digest(modules: list[tuple[str, str, bytes]]) -> str:
    digest = hashlib.sha256()
    for relative, _, content in sorted(modules):
        digest.update(f"{relative} {len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()
