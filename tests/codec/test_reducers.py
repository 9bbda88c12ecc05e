"""What an object is reduced to, and what is left to pickle."""

from __future__ import annotations

import copyreg
import ctypes
import dataclasses
import itertools
import math
import operator
import pickle
import sys
import types
import unittest.mock
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdamagic import remote
from lambdamagic.codec import rebuild
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_names import is_own
from lambdamagic.codec.reducers import ModuleReference, Reducers, Rewritten, _attribute, as_reference, reduced


def _reduced(value: Any, *, own: str = "__main__") -> Any:
    return Reducers(Home({}, own)).reduce(value)


def _sent(value: Any) -> Any:
    encoder = Encoder(Home({}))
    encoder.dump(value)
    return Decoder(encoder.frames().segments, Home({})).load()


class Plain:
    """A library's class, as pickle knows it."""


class Called:
    """A class of a library that pickle would call with too little."""

    def __new__(cls, needed: int) -> Called:
        made = super().__new__(cls)
        made.needed = needed
        return made


class Stating:
    """Says what is sent, in copies of what it holds."""

    def __init__(self) -> None:
        self.items = [1]
        self.also = self.items

    def __getstate__(self) -> dict[str, Any]:
        return {"items": list(self.items), "also": self.also}


def test_what_is_left_to_pickle() -> None:
    """A library's usual objects, which have pickling of their classes' making; plain data leave no such note."""
    reducers = Reducers(Home({}))
    assert reducers.reduce(np.float64(1)) is NotImplemented
    assert not reducers.has_own_pickling
    assert reducers.reduce(Plain()) is NotImplemented
    assert reducers.has_own_pickling


def test_objects_that_pickle_would_make_too_early() -> None:
    """Of any module; and those of the notebook's own modules, which hold what they held, not copies of it."""
    reducers = Reducers(Home({}))
    function, args, state = reducers.reduce(Called(5))[:3]
    assert (function, args, state) == (rebuild.bare, (Called,), {"needed": 5})
    assert not reducers.has_own_pickling
    stating = Stating()
    found = _reduced(stating, own=__name__)
    assert stating.items in found[2].values()
    assert _reduced(stating) is NotImplemented
    assert _reduced(Plain(), own=__name__) is NotImplemented


def test_data_types_of_numpy() -> None:
    """Built-in ones by their code: there is one of each, and `long long` is not `long`; others as numpy has them."""
    for code in "bhilqBHILQefdgFDG?":
        kind = np.dtype(code)
        assert _sent(kind) is kind, code
    for kind in (np.dtype(">i4"), np.dtype("S5"), np.dtype([("a", "i4"), ("b", ">f8")]), np.dtype("datetime64[s]")):
        found = _sent(kind)
        assert found == kind
        assert found.str == kind.str
    assert _reduced(np.dtype("i4")) == (np.dtype, ("<i4",))


@remote
def _doubled(x: int) -> int:
    return 2 * x


def test_a_remote_function_is_the_plain_one_there() -> None:
    """On Lambda it runs where it is called."""
    assert _reduced(_doubled)[1] == ((_doubled.__wrapped__,),)
    getter = _reduced(_doubled)[0]
    assert isinstance(getter, operator.itemgetter)
    assert getter(("first", "second")) == "first"
    assert _reduced(type("RemoteFunction", (), {})()) is NotImplemented
    assert _reduced(_doubled.__wrapped__) is not getter


def test_blocks_of_pandas_share_their_memory() -> None:
    """A table comes back equal, and its block is no object whose class pickles itself."""
    table = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    block = table._mgr.blocks[0]
    reducers = Reducers(Home({}))
    assert reducers.reduce(block) is not NotImplemented
    assert not reducers.has_own_pickling
    assert _sent(table).equals(table)


class _Spied:
    _mock_add_spec = None


def test_mocks_are_refused() -> None:
    """They answer whatever pickle asks; other objects of that module, and those that look alike, are not."""
    for mock in (unittest.mock.Mock(), unittest.mock.MagicMock()):
        with pytest.raises(pickle.PicklingError, match="a mock answers"):
            _reduced(mock)
    assert _reduced(unittest.mock.call.a) is not None
    assert _reduced(_Spied()) is NotImplemented


def test_structures_of_ctypes() -> None:
    """Values of simple kinds come back as they were."""
    assert _sent(ctypes.c_int(5)).value == 5
    assert list(_sent((ctypes.c_int * 3)(1, 2, 3))) == [1, 2, 3]


def test_streams_of_the_process_are_those_there() -> None:
    """By their names; another object of `sys` is referred to as each module's is."""
    assert _reduced(sys.stdout) == (rebuild.stream, ("stdout",))
    assert _reduced(sys.__stderr__)[0] is rebuild.stream
    assert _sent(sys.flags) is sys.flags
    assert _reduced(math)[0] is not rebuild.stream


class _Shell:
    """What IPython's shell is there."""


def test_a_shell_is_the_one_there() -> None:
    """Widgets work only in the notebook's own process, and are refused with words that say so."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    widgets = pytest.importorskip("ipywidgets")
    shell = shells.InteractiveShell.__new__(shells.InteractiveShell)
    assert _reduced(shell) == (rebuild.shell, ())
    with pytest.raises(pickle.PicklingError, match="widgets work only in the notebook's own process"):
        _reduced(widgets.Widget.__new__(widgets.Widget))
    assert _reduced(_Shell()) is NotImplemented


def test_what_is_written_again_is_reduced_and_not_named() -> None:
    """Without pickle's question whether it is of the class that makes it."""
    value = Plain()
    value.x = 1  # type: ignore[attr-defined]
    function, cls_args, state = _reduced(Rewritten(value))[:3]
    assert (function, cls_args, state) == (rebuild.made, (Plain,), {"x": 1})

    class WithKeywords:
        def __getnewargs_ex__(self) -> Any:
            return (1,), {"a": 2}

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return super().__new__(cls)

    made, args = _reduced(Rewritten(WithKeywords()))[:2]
    assert (made, args) == (rebuild.made_ex, (WithKeywords, (1,), {"a": 2}))
    rewritten = _reduced(Rewritten(math.sin))
    assert rewritten == "sin" or rewritten[0] is not copyreg.__newobj__  # type: ignore[attr-defined]


def test_the_default_reduction() -> None:
    """By a registration, quietly for `itertools`, and at the protocol of payloads."""

    class Protocols:
        def __reduce_ex__(self, protocol: Any) -> Any:
            return list, (), protocol

    assert reduced(Protocols())[2] == 5
    assert reduced(complex(1, 2)) == (complex, (1.0, 2.0))
    found = reduced(itertools.count(3))  # warns that this ends with Python 3.14, and tests take warnings for errors
    assert found[0] is itertools.count


def test_names_are_looked_up_as_their_module_is_found() -> None:
    """One of the user's own is imported there for the first time; an installed one is that side's."""
    own = sys.modules["own_module"] = types.ModuleType("own_module")
    own.__file__ = str(Path.cwd() / "own_module.py")
    own.items = []  # type: ignore[attr-defined]
    try:
        assert is_own(own)
        assert _attribute("own_module") is rebuild.own_attribute
    finally:
        del sys.modules["own_module"]
    assert _attribute("math") is rebuild.attribute


class _Sentinel:
    def __init__(self) -> None:
        self.asked = 0


def test_sentinels_of_dataclasses_stay_what_they_are() -> None:
    """`dataclasses.MISSING` is compared by identity; objects of other modules are no sentinels."""
    for name in ("MISSING", "_HAS_DEFAULT_FACTORY"):
        value = getattr(dataclasses, name)
        assert _sent([value])[0] is value
    assert _reduced(_Sentinel()) is NotImplemented


def test_the_nan_of_a_module_is_that_one_there() -> None:
    """`x is math.nan` stays true; another one, and any other value, is itself."""
    found = as_reference(math.nan)
    assert isinstance(found, ModuleReference)
    assert getattr(sys.modules[found.module], found.name) is math.nan
    for other in (float("nan"), 1.5, "nan", None):
        assert as_reference(other) is other
