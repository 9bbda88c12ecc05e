"""What items need beyond their map's program, and how often it is written."""

from __future__ import annotations

import builtins
import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.capture import CallablePlan, plan_callable
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.jobs import extending
from lambdamagic.jobs.encoding import encode_program
from lambdamagic.jobs.extending import Extensions, missing_in
from lambdamagic.jobs.outcomes import encode_items

_CODE = """
def fn(x):
    return x

def plain(x):
    return x + 1

def scaled(x):
    return x * scale

def shifted(x):
    return x + shift + scale

def splits(x):
    import os.path
    return os.path.split(x)
"""


class World:
    """A map over a callable that needs nothing, and the extensions of its program."""

    def __init__(self, **names: Any) -> None:
        self.home = Home({"__name__": "__main__", "__builtins__": builtins, "scale": 3, "shift": 4, **names})
        exec(_CODE, self.home.namespace)
        self.plan = plan_callable(self["fn"], self.home.namespace)
        self.plans: list[CallablePlan] = []
        missing = functools.partial(missing_in, home=self.home)
        self.extensions = Extensions(self.plan, self._encode, missing)

    def __getitem__(self, name: str) -> Any:
        return self.home.namespace[name]

    def _encode(self, plan: CallablePlan) -> Frames:
        self.plans.append(plan)
        return encode_program(self.home, plan).frames

    def items(self, *items: Any) -> Frames:
        return encode_items(self.home, items, 0, "auto", extensions=self.extensions)

    @property
    def written(self) -> list[list[str]]:
        """The names of each extension that was written."""
        return [sorted(plan.captured) for plan in self.plans]


def test_data_needs_nothing() -> None:
    """Nor does code that reads nothing that the program lacks."""
    world = World()
    assert world.items(1, [2]).shared == ()
    assert world.items(world["fn"]).shared == ()
    assert world.items(world["plain"]).shared == () or not world.written[0]


def test_code_brings_the_names_that_it_reads() -> None:
    """As an extension next to the items, which means the same only with their program; written once for each code."""
    world = World()
    first = world.items(world["scaled"])
    (extension,) = first.shared
    assert (extension.extends, extension.is_of_home) == (True, True)
    assert world.items(1, world["scaled"]).shared == (extension,)
    assert world.written == [["scale"]]


def test_each_extension_has_what_those_before_had() -> None:
    """The function reads the latest; an item that needs less gets that one too."""
    world = World()
    world.items(world["scaled"])
    (second,) = world.items(world["shifted"]).shared
    assert world.written == [["scale"], ["scale", "shift"]]
    assert world.items(world["scaled"]).shared == (second,)
    assert world.items(world["scaled"], world["shifted"]).shared == (second,)
    assert len(world.plans) == 2


def test_a_name_that_the_program_has_is_not_sent_again() -> None:
    """Only what is missing."""
    world = World()
    plan = plan_callable(world["scaled"], world.home.namespace)
    world.extensions = Extensions(plan, world._encode, functools.partial(missing_in, home=world.home))
    assert world.items(world["scaled"]).shared == ()
    world.items(world["shifted"])
    assert world.written == [["shift"]]


def test_modules_that_only_items_use_are_imported_there() -> None:
    """Their submodules too."""
    world = World()
    found = missing_in(world.plan, [world["splits"]], ["json.decoder", "builtins", "__main__"], home=world.home)
    assert found is not None
    assert missing_in(world.plan, [], ["builtins", "__main__"], home=world.home) is None
    assert missing_in(world.plan, [world["fn"]], [], home=world.home) is None
    again = missing_in(world.plan.with_more(found), [world["splits"]], ["json.decoder"], home=world.home)
    assert again is None or not (again.captured or again.submodules or again.sources)


def test_names_that_are_excluded_or_hidden_stay_here() -> None:
    """Whatever code reads them."""
    world = World()
    for more in ({"exclude": frozenset({"scale"})}, {"hidden": {"scale"}}):
        found = missing_in(world.plan, [world["shifted"]], [], home=world.home, **more)  # type: ignore[arg-type]
        assert found is not None and sorted(found.captured) == ["shift"]


def test_what_is_known_of_code_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found out again; nothing is written for that."""
    monkeypatch.setattr(extending, "_KNOWN_AT_MOST", 2)
    world = World()
    frames = [world.items(world[name]) for name in ("scaled", "shifted", "plain", "splits", "scaled", "shifted")]
    assert all(len(world.extensions._known) <= 2 for _ in frames)
    assert len(frames[4].shared) == len(frames[5].shared) == 1
    assert [names for names in world.written if names][:2] == [["scale"], ["scale", "shift"]]


def test_own_modules_that_only_items_import_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though no name of the notebook is read."""
    (tmp_path / "mine_extending.py").write_text("def f(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    world = World()
    exec("def uses(x):\n    import mine_extending\n    return mine_extending.f(x)", world.home.namespace)
    (extension,) = world.items(world["uses"]).shared
    assert extension.extends
    assert [module.name for module in world.plans[0].own_modules] == ["mine_extending"]


@pytest.mark.parametrize(
    "more", [{"submodules": frozenset({"os.path"})}, {"sources": {"<cell>": "x = 1"}}, {}], ids=str
)
def test_one_kind_of_need_is_enough_for_an_extension(more: dict[str, Any]) -> None:
    """A submodule that an attribute leads to, or the source of a cell that a traceback shows."""
    world = World()
    nothing = plan_callable(world["fn"], world.home.namespace)
    nothing = dataclasses.replace(nothing, captured={}, own_modules=(), submodules=frozenset(), sources={})
    lacking = dataclasses.replace(nothing, **more)
    world.extensions = Extensions(world.plan, world._encode, lambda *_: lacking)
    assert len(world.items(world["plain"]).shared) == bool(more)
