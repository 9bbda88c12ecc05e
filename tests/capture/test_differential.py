"""Random programs: what is captured is enough, and on straight programs no more than enough.

The truth is execution: a program is run with the whole namespace, and with nothing but what its plan ships.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdamagic.capture import CapturePlan, plan_cell

NAMES = ["a", "b", "c", "d", "e"]
SETUP = """
a, b, c, d, e = 1, 2, 3, 4, 5
def f(): return a + b
def g(): return f() + c
def h():
    global d
    d += 1
    return d
def up():
    global a
    a = e
def drop():
    global e
    del e
class K:
    c = c
    def m(self): return self.c + b
"""
# A and B stand for names, V for a value.
PLAIN_VALUES = ["A", "7", "A + B"]
VALUES = [
    *PLAIN_VALUES, "f()", "g()", "h()", "up()", "drop()", "K().m()", "new()", "(A and B)", "(A if B else 0)",
    "(A := B)",
    "sum([A + B for A in (1, 2)])", "sum(A for i in (1, 0) if i and B)", "[(A := i) for i in range(B % 3)]",
    "(lambda: A)()", "(lambda A=1: A + B)()", "eval('A + B')",
]  # fmt: skip
PLAIN = ["A = V", "log(V)", "A += 1", "del A", "A, B = V, A", "def A_fn(): return A + B\nlog(A_fn())"]
SIMPLE = [
    "def f(): return V",
    "def new(x=A): return x + B",
    "def new():\n    global A\n    A = V\n    return A",
    "def new():\n    global A\n    if B: del A\n    return B",
    "class C:\n    A = V\n    B = A + 1\n    del A\n    log(A)",
    "raise ValueError",
    "raise KeyError",
    "exec('A = B')",
    "from math import pi as A",
]
if "CAPTURE_EXAMPLES" in os.environ:  # thousands take longer than a test may
    pytestmark = pytest.mark.timeout(0)
UNSHIPPED = object()  # stands for a value that need not be sent; no program may see it


class Writer:
    """Draws a program, line by line."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], straight: bool) -> None:
        self.draw = draw
        self.straight = straight
        self.loops = 0

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def fill(self, template: str) -> str:
        """Put a name each for A and B, and a value for V."""
        chosen = {"A": self.pick(NAMES), "B": self.pick(NAMES)}
        if "V" in template:
            chosen["V"] = self.fill(self.pick(PLAIN_VALUES if self.straight else VALUES))
        return re.sub(r"\b[ABV](?![a-zA-Z])", lambda found: chosen[found[0]], template)

    def block(self, depth: int, pad: str) -> list[str]:
        count = self.draw(st.integers(1, 5 if depth == 0 else 2))
        return [line for _ in range(count) for line in self.statement(depth, pad)]

    def simple(self, pad: str) -> list[str]:
        lines = self.fill(self.pick(PLAIN if self.straight else PLAIN + SIMPLE)).split("\n")
        return [pad + line for line in lines]

    def statement(self, depth: int, pad: str) -> list[str]:
        if self.straight:
            return self.simple(pad)
        kind = self.draw(st.sampled_from(["simple"] * 4 + ["if", "for", "while", "try", "try", "with", "match"]))
        if kind == "simple" or depth > 2:
            return self.simple(pad)
        name, other, value = self.pick(NAMES), self.pick(NAMES), self.fill("V")
        inner = pad + "    "

        def block() -> list[str]:
            lines = self.block(depth + 1, inner)
            if self.loops and self.draw(st.integers(0, 4)) == 0:
                lines.append(inner + self.draw(st.sampled_from(["break", "continue"])))
            return lines

        if kind == "if":
            lines = [f"{pad}if {value}:", *block()]
            return lines + ([f"{pad}else:", *block()] if self.draw(st.booleans()) else [])
        if kind in ("for", "while"):
            self.loops += 1
            head = f"for {name} in range({other} % 3)" if kind == "for" else f"while tick() and {value}"
            lines = [f"{pad}{head}:", *block()]
            self.loops -= 1
            return lines + ([f"{pad}else:", *block()] if self.draw(st.booleans()) else [])
        if kind == "with":
            manager = self.draw(st.sampled_from(["suppress(ValueError)", "suppress(NameError)", "quiet"]))
            return [f"{pad}with {manager} as {name}:", *block()]
        if kind == "match":
            cases = [f"case {name}, {other}:", "case 1 | 2:", f"case int({name}):", f"case [*{name}]:", "case _:"]
            lines = [f"{pad}match {self.draw(st.sampled_from([value, f'({value}, {other})']))}:"]
            for case in self.draw(st.lists(st.sampled_from(cases[:-1]), max_size=2)) + cases[-1:]:
                lines += [f"{inner}{case}", *self.block(depth + 1, inner + "    ")]
            return lines
        lines = [f"{pad}try:", *block()]
        forms = ["except", "finally", "both", "star"]
        form = self.draw(st.sampled_from(forms))
        if form == "star":  # break, continue and return are not allowed in except*
            loops, self.loops = self.loops, 0
            lines += [f"{pad}except* ValueError as {name}:", *block()]
            self.loops = loops
        elif form != "finally":
            caught = self.draw(st.sampled_from(["ValueError", "(NameError, TypeError)", f"Exception as {name}"]))
            lines += [f"{pad}except {caught}:", *block()]
            lines += [f"{pad}else:", *block()] if self.draw(st.booleans()) else []
        if form in ("finally", "both"):
            loops, self.loops = self.loops, 0
            lines += [f"{pad}finally:", *block()]
            self.loops = loops
        return lines


@st.composite
def programs(draw: Any, straight: bool = False) -> str:
    return "\n".join(Writer(draw, straight).block(0, "")) + "\n"


def fresh() -> tuple[dict[str, Any], list[object]]:
    """A notebook's namespace, and the log of what a program shows."""
    import contextlib

    class Quiet:
        def __enter__(self) -> int:
            return 1

        def __exit__(self, *exc: object) -> None:
            pass

    out: list[object] = []
    ticks = iter([1] * 5)
    shown = {"log": lambda value: out.append(plain(value)), "tick": lambda: next(ticks, 0)}
    shown |= {"suppress": contextlib.suppress, "quiet": Quiet()}
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": {**vars(builtins), **shown}}
    exec(SETUP, namespace)
    return namespace, out


def plain(value: object) -> object:
    """What can be compared between two runs."""
    assert value is not UNSHIPPED, "a value was read that was only captured to be deleted"
    return value if isinstance(value, int | float | list | tuple) else type(value).__name__


def run(plan: CapturePlan, shipped: set[str] | None) -> tuple[object, list[object], dict[str, object]]:
    """Run the program with the whole namespace, or with some names only; say how it ended and what it left."""
    namespace, out = fresh()
    before = dict(namespace)
    if shipped is not None:
        for name in before:
            if name[:2] != "__" and name not in shipped:
                del namespace[name]
            elif name in plan.deleted_only:
                namespace[name] = UNSHIPPED
    end: object = None
    try:
        exec(plan.code, namespace)
    except Exception as error:
        end = (type(error), str(error) if isinstance(error, NameError) else "")
    touched = plan.bound | plan.deleted
    for name, value in namespace.items():
        if value is UNSHIPPED:  # nothing happened to it
            namespace[name] = before[name]
    left = {name: plain(value) for name, value in namespace.items() if name in touched}
    if shipped is None:
        changed = {name for name in before.keys() | namespace.keys() if before.get(name) is not namespace.get(name)}
        assert changed - {plan.value_name} <= touched, "a name changed that the plan does not tell"
    else:
        # A touched name that was neither shipped nor came to be is as it was in the notebook.
        left |= {name: plain(before[name]) for name in touched & before.keys() - left.keys() if name not in shipped}
    return end, out, left


SETTINGS = settings(
    deadline=None, max_examples=int(os.environ.get("CAPTURE_EXAMPLES", "120")), suppress_health_check=list(HealthCheck)
)


@SETTINGS
@given(programs())
def test_the_captured_names_are_enough(source: str) -> None:
    """With the captured names alone a program ends as it does with all names."""
    try:
        plan = plan_cell(source, fresh()[0])
    except SyntaxError:
        return  # such as a global declaration after a use
    assert run(plan, set(plan.captured)) == run(plan, None)


@SETTINGS
@given(programs(straight=True))
def test_no_more_is_captured_than_is_needed(source: str) -> None:
    """On a straight program that runs to its end, each captured name is needed."""
    plan = plan_cell(source, fresh()[0])
    truth = run(plan, None)
    if truth[0] is not None:
        return
    assert run(plan, set(plan.captured)) == truth
    for name in plan.captured.keys() - plan.deleted_only:
        without = run(plan, set(plan.captured) - {name})
        assert without[0] is not None, f"{name} is shipped and not needed"


@SETTINGS
@given(programs())
def test_unresolved_names_do_fail(source: str) -> None:
    """A program whose plan has an unresolved name ends with an exception when it is run."""
    namespace, _ = fresh()
    for name in "bd":
        del namespace[name]
    try:
        plan = plan_cell(source, namespace)
    except SyntaxError:
        return
    if set(plan.unresolved) - {"log", "tick", "new", "suppress", "quiet"}:
        try:
            exec(plan.code, namespace)
        except Exception:
            return
        raise AssertionError(f"ran to its end in spite of {plan.unresolved} on Python {sys.version}")
