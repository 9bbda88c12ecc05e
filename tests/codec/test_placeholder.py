"""Placeholders say what they stand for, and refuse every use."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.codec.placeholder import Placeholder, stand_in
from lambdamagic.errors import ResultError

_PLACEHOLDER = Placeholder("x", "socket", "it is open", "<socket 3>")


def test_it_says_what_it_stands_for() -> None:
    """In its repr, and in parts."""
    assert repr(_PLACEHOLDER) == "<x: socket that stayed on Lambda: it is open>"
    assert _PLACEHOLDER.described() == ("socket", "it is open", "<socket 3>")


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.send, lambda x: x(), iter, next, len, lambda x: x[0], lambda x: 1 in x, lambda x: x + 1,
        lambda x: 1 + x, lambda x: x - 1, lambda x: x * 2, lambda x: x / 2, bool, float, int, lambda x: x < 1,
        lambda x: x >= 1, lambda x: setattr(x, "a", 1), lambda x: x.__setitem__(0, 1), lambda x: x.__enter__(),
        lambda x: x.__exit__(), lambda x: x.__await__(), lambda x: x.__aiter__(), pickle.dumps, copy.copy,
    ],
)  # fmt: skip
def test_any_use_of_it_says_why_and_what_to_do(use: Callable[[Any], Any]) -> None:
    """Whatever it is: a call, an attribute, an operator, pickling."""
    with pytest.raises(ResultError, match=r"^x is a socket that could not come back from Lambda \(it is open\)") as e:
        use(_PLACEHOLDER)
    assert "<socket 3>" in str(e.value)


@pytest.mark.parametrize("name", ["_repr_html_", "_ipython_display_", "__deepcopy__"])
def test_it_has_no_answer_for_displays(name: str) -> None:
    """They take an AttributeError for an answer."""
    with pytest.raises(AttributeError):
        getattr(_PLACEHOLDER, name)
    with pytest.raises(ResultError):
        _PLACEHOLDER._private  # asked for, and refused


def test_a_module_that_the_notebook_lacks() -> None:
    """By its name and the name of what is missing, if that is known."""
    found = stand_in("a.b", "", ImportError("no", name="a"))
    assert found.described() == ("module", "the notebook has no a", "the module a.b")
    assert repr(found) == "<a.b: module that stayed on Lambda: the notebook has no a>"
    assert stand_in("a.b", "", ImportError("broken")).described()[1] == "broken"


def test_a_class_that_the_notebook_lacks() -> None:
    """Its instances are placeholders, and swallow whatever pickle does to build them."""
    cls = stand_in("a.b", "C", AttributeError("no C", name="C"))
    assert (cls.__name__, cls.__qualname__) == ("C", "C")
    made = cls(1, key=2)
    assert made.described() == ("a.b.C", "no C", "an object of a.b")
    made.__setstate__({"a": 1})
    made.append(1)
    made.extend([1])
    made["k"] = 1
    assert repr(made) == "<C: a.b.C that stayed on Lambda: no C>"
    with pytest.raises(ResultError):
        made.a  # as above
