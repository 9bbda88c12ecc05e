"""Code and names that items of a map need beyond the map's program, sent with the items."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from lambdamagic.capture import CallablePlan, plan_met
from lambdamagic.capture.closure import is_notebook_function
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.frames import Frames, Written
from lambdamagic.codec.home import MAIN_NAMES, Home

_NO_IMPORTS = MAIN_NAMES | {"builtins"}
_KNOWN_AT_MOST = 1_000


def missing_in(
    plan: CallablePlan,
    functions: Iterable[types.FunctionType],
    modules: Iterable[str],
    *,
    home: Home,
    exclude: frozenset[str] = frozenset(),
    hidden: Any = (),
) -> CallablePlan | None:
    """Plan what code that was found while pickling needs beyond a plan; None if the plan has it all.

    Args:
        plan: What there is.
        functions: Functions that were written by value.
        modules: Full names of modules that were referred to.
        home: The home that the code lives in.
        exclude: Names never to ship.
        hidden: Names of the namespace that are not the user's.

    Raises:
        CaptureError: The user's own modules are too large.
    """
    unknown = {
        id(function.__code__): function
        for function in functions
        if is_notebook_function(function, home.namespace) and id(function.__code__) not in plan.visited_functions
    }
    referred = {name for name in modules if name not in plan.imports and name not in _NO_IMPORTS}
    if not unknown and not referred:
        return None
    more = plan_met(unknown.values(), referred, home.namespace, exclude=exclude, hidden=hidden, cell_dir=plan.cell_dir)
    known = {module.name for module in plan.own_modules}
    return replace(
        more,
        captured={
            name: each
            for name, each in more.captured.items()
            if name not in plan.captured and name not in more.deleted_only
        },
        submodules=more.submodules - plan.submodules,
        sources={file: text for file, text in more.sources.items() if file not in plan.sources},
        own_modules=tuple(each for each in more.own_modules if each.name not in known),
    )


class Extensions:
    """Writes extensions of a program for items. Each extension includes the previous ones.

    Thread-safe: items are encoded by the threads that send them.

    Args:
        plan: What the program has.
        encode: Encodes what a plan asks for.
        missing: Plans what functions and modules need beyond a plan; see `missing_in`.
    """

    def __init__(
        self,
        plan: CallablePlan,
        encode: Callable[[CallablePlan], Frames],
        missing: Callable[[CallablePlan, Iterable[types.FunctionType], Iterable[str]], CallablePlan | None],
    ) -> None:
        self._base, self._encode, self._missing = plan, encode, missing
        self._lock = threading.Lock()
        self._plan: CallablePlan | None = None
        self._written: Written | None = None
        self._known: dict[tuple[frozenset[types.CodeType], frozenset[str]], bool] = {}

    def added_to(self, encoder: Encoder) -> Frames:
        """Return what was encoded, and the code, names and modules that it needs.

        Raises:
            EncodeError: A value that it needs cannot be sent.
            CaptureError: The user's own modules are too large.
        """
        frames = encoder.frames()
        if not encoder.functions and not encoder.modules:
            return frames
        met = frozenset(each.__code__ for each in encoder.functions), frozenset(encoder.modules)
        with self._lock:
            is_needed = self._known.get(met)
            if is_needed is None:
                if len(self._known) >= _KNOWN_AT_MOST:
                    self._known.clear()
                is_needed = self._known[met] = self._is_needed(encoder)
            if not is_needed:
                return frames
            assert self._written is not None
            return frames._replace(shared=(*frames.shared, *self._written.shared, self._written))

    def _is_needed(self, encoder: Encoder) -> bool:
        """Whether the base lacks something; the extension then has it."""
        lacking = self._missing(self._base, encoder.functions, encoder.modules)
        if lacking is None or not _does_something(lacking):
            return False
        wanted = lacking if self._plan is None else self._missing(self._plan, encoder.functions, encoder.modules)
        if wanted is not None:
            plan = wanted if self._plan is None else self._plan.with_more(wanted)
            self._written = Written(self._encode(plan), is_of_home=True, extends=True)
            self._plan = plan
        return True


def _does_something(plan: CallablePlan) -> bool:
    return any((plan.captured, plan.own_modules, plan.submodules, plan.sources))
