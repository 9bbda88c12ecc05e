"""What is known of a payload while it is written."""

from __future__ import annotations

import math
import os
import types

from lambdamagic.codec.home import Home
from lambdamagic.codec.rebuild import names_first, nothing, vars_of
from lambdamagic.codec.writing import Writing
from lambdamagic.codec.written_as import Called, NamesFirst, Unseen, VarsOf, of_instances
from tests.codec.conftest import Import


def test_a_new_payload_has_nothing_yet() -> None:
    """Neither the notebook's code nor anything that was tried."""
    writing = Writing(Home({}))
    assert not (writing.is_of_home or writing.refers_to_functions or writing.is_tried or writing.has_own_pickling)
    assert (writing.functions, writing.modules, writing.shared, writing.share) == ([], set(), {}, None)


def test_modules_that_the_payload_refers_to() -> None:
    """By their names; a class may have none."""
    writing = Writing(Home({}))
    for name in ("a.b", None, 5):
        writing.met(name)
    assert writing.modules == {"a.b"}
    assert writing.is_importable(math.sin, "math", "sin")
    assert not writing.is_importable(math.sin, "os", "sin")
    assert writing.modules == {"a.b", "math"}


def test_the_module_of_an_object(own: Import) -> None:
    """Modules are looked through once for a payload; what the payload puts into a module of the user's is written."""
    module = own("items = [1]\nlater = None")
    writing = Writing(Home({}))
    assert writing.owner_of(os.environ) == ("os", "environ")
    assert writing.owner_of(module.items) == ("own_one", "items")
    writing.given[id(module.items)] = module.items
    writing.given[id(os.environ)] = os.environ
    assert writing.owner_of(module.items) is None
    assert writing.owner_of(os.environ) == ("os", "environ")
    assert writing.owner_of([]) is None
    module.later = {"a": 1}
    assert writing.owner_of(module.later) is None
    assert Writing(Home({})).owner_of(module.later) == ("own_one", "later")


class _Node:
    def __init__(self) -> None:
        self.a = 1


def test_dictionaries_of_instances() -> None:
    """Those among the values, or shown by a proxy; functions, modules and classes have them written otherwise."""
    node, other = _Node(), _Node()
    found = [*of_instances([1, vars(node), types.MappingProxyType(vars(other)), {}, types.MappingProxyType({})],
                           [node, other, [], _Node])]  # fmt: skip
    assert [each for each, _ in found] == [vars(node), vars(other)]
    assert [each is vars(owner) for (each, _), owner in zip(found, (node, other), strict=True)] == [True, True]
    assert [reference.__reduce__() for _, reference in found] == [(vars_of, (node,)), (vars_of, (other,))]
    for owner in (lambda: None, types.ModuleType("made")):
        assert [*of_instances([vars(owner)], [owner])] == []
    assert [*of_instances([{}], [node])] == []


def test_what_is_written_in_place_of_an_object() -> None:
    """A call that gives it where it is read."""
    # No parameters: a test's module is sent with jobs of other tests in this process, and would bind these names there.
    for value, expected in (
        (Unseen(5), (nothing, (5,))), (Called(dict), (dict, ())), (VarsOf(5), (vars_of, (5,))),
        (NamesFirst({"a": 1}), (names_first, ({"a": 1},))),
    ):  # fmt: skip
        assert value.__reduce__() == expected
