"""An object that is sent by its content's digest: what is written of it, how often, and what of it is referred to."""

from __future__ import annotations

import pickle
import types
from typing import Any

import pytest

from lambdamagic.codec import rebuild
from lambdamagic.codec.frames import Frames, Written
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_arrays import refer_to_shared
from lambdamagic.codec.reducers import Reducers
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared


class _Writes:
    """Notes for which homes something was written."""

    def __init__(self, *, is_of_home: bool, size: int = SHARED_MIN_BYTES) -> None:
        self.homes: list[Home] = []
        self._is_of_home, self._size = is_of_home, size

    def __call__(self, value: Any, home: Home) -> Written:
        self.homes.append(home)
        functions = [types.FunctionType((lambda: None).__code__, {})] if self._is_of_home else []
        return Written(
            Frames((bytes(self._size - 1), b"x"), ()),
            is_of_home=self._is_of_home,
            functions=functions,
            modules={"math"},
        )


@pytest.mark.parametrize("is_of_home", [False, True])
def test_it_is_written_once_for_each_home_or_for_all(is_of_home: bool) -> None:
    """Classes of the notebook have other names in another home."""
    one, other = Home({}), Home({})
    writes = _Writes(is_of_home=is_of_home)
    value = [1]
    shared = Shared(value, one, writes)
    assert (shared.value is value, shared.size_bytes) == (True, SHARED_MIN_BYTES)
    for home in (one, other, one, other):
        assert shared.written(home).size_bytes == SHARED_MIN_BYTES
    assert writes.homes == ([one, other] if is_of_home else [one])


@pytest.mark.parametrize("is_of_home", [False, True])
def test_a_payload_refers_to_it(is_of_home: bool) -> None:
    """It counts for what the payload holds: its modules, its functions, and that these are the notebook's."""
    home = Home({})
    shared = Shared([1], home, _Writes(is_of_home=is_of_home))
    writing = Reducers(home)
    written = shared.written(home)
    assert refer_to_shared(writing, shared) == (rebuild.shared, (written.digest,))
    assert writing.shared == {written.digest: written}
    assert (writing.is_of_home, writing.modules, len(writing.functions)) == (is_of_home, {"math"}, int(is_of_home))


def test_a_small_one_is_the_object_itself() -> None:
    """As for any other pickler."""
    home = Home({})
    shared = Shared([1, 2], home, _Writes(is_of_home=False, size=SHARED_MIN_BYTES - 1))
    writing = Reducers(home)
    function, arguments = refer_to_shared(writing, shared)
    assert (function(*arguments), writing.shared) == ([1, 2], {})
    assert pickle.loads(pickle.dumps(shared)) == [1, 2]


def test_a_digest_is_looked_up_while_a_payload_is_read() -> None:
    """Where the payload has what it refers to."""
    home = Home({})
    with home.loading():
        with pytest.raises(LookupError, match="the payload refers to a shared object that it does not contain"):
            rebuild.shared("digest")
        home.shared = {"digest": 5}.__getitem__
        assert rebuild.shared("digest") == 5
