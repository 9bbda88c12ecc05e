"""How arrays and tables are sent, and made again with the memory that they had."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lambdamagic.codec import rebuild
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.frames import OUT_OF_BAND_MIN_BYTES, Frames, Written
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_arrays import numpy_rule, pandas_block
from lambdamagic.codec.reducers import Reducers
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared


def _sent(value: Any, home: Home | None = None) -> Any:
    encoder = Encoder(Home({}))
    encoder.dump(value)
    frames = [bytearray(each) for each in encoder.frames().segments]
    return Decoder(frames, home or Home({}, answers=True)).load()


def _rule(value: Any) -> Any:
    return numpy_rule(Reducers(Home({})), value)


def _read_only(value: Any) -> Any:
    value.flags.writeable = False
    return value


_LARGE: Any = np.arange(OUT_OF_BAND_MIN_BYTES // 8, dtype="f8")


@pytest.mark.parametrize(
    ("value", "is_owner"),
    [
        (np.arange(6.0), True), (np.arange(6).reshape(2, 3), True), (np.arange(6).reshape(2, 3).T, True),
        (_read_only(np.arange(3)), True), (_LARGE, False), (np.tile(_LARGE, 2), False),
        (_LARGE[:-1].copy(), True), (_LARGE[:10], True),
        (_read_only(_LARGE.reshape(2, -1).T), False), (np.array(5), True), (np.array([1 + 2j]), True),
        (np.array([True]), True),
    ],
    ids=lambda value: getattr(value, "shape", ""),
)  # fmt: skip
def test_arrays_of_numbers(value: Any, is_owner: bool) -> None:
    """Small ones own their memory; large ones show the buffer that they came in. Views have them as their base."""
    found = _sent(value)
    assert _rule(value)[0] is rebuild.array
    assert (found.tolist(), found.dtype, found.shape) == (value.tolist(), value.dtype, value.shape)
    assert (found.flags.c_contiguous, found.flags.f_contiguous) == (value.flags.c_contiguous, value.flags.f_contiguous)
    assert found.flags.owndata is is_owner
    assert found.flags.writeable is value.flags.writeable
    assert found[...].base is found


@pytest.mark.parametrize(
    "value", [np.array(["a", "bc"]), np.array([1], dtype=">i4"), np.zeros(0), np.array([None, 1]),
              np.array(["2020-01-01"], "datetime64[D]"), np.zeros(2, [("a", "i4")]), np.float64(1), np.dtype("f4")]
)  # fmt: skip
def test_what_numpy_itself_writes(value: Any) -> None:
    """Texts, other byte orders, objects, empty ones, scalars."""
    assert _rule(value) is NotImplemented


def test_arrays_with_gaps_have_another_layout_there() -> None:
    """The side that answers knows of them; those of objects are as numpy has them."""
    value = np.arange(10)[::2]
    home = Home({}, answers=True)
    found = _sent(value, home)
    assert (found.tolist(), found.flags.c_contiguous, home.is_detached(found)) == ([0, 2, 4, 6, 8], True, True)
    assert _rule(value)[0] is rebuild.detached
    assert not _sent(_read_only(np.arange(10)[::2])).flags.writeable
    assert _rule(np.array([None, 1, 2])[::2]) is NotImplemented


def test_views_of_an_array_that_is_sent() -> None:
    """They are made on its memory."""
    owner = np.arange(12.0)
    view = owner[2:8:2]
    reducers = Reducers(Home({}))
    reducers.views[id(view)] = owner
    assert numpy_rule(reducers, view)[0] is rebuild.array_view
    assert numpy_rule(reducers, view)[1][0] is owner
    assert numpy_rule(reducers, owner)[0] is rebuild.array


def test_what_can_be_shared_is_referred_to() -> None:
    """As the encoder is asked to."""
    written = Written(Frames((bytes(SHARED_MIN_BYTES), b"x"), ()), is_of_home=False, functions=[], modules=set())
    shared = Shared(1, Home({}), lambda value, home: written)
    reducers = Reducers(Home({}))
    reducers.share = lambda value: shared if value.size == 3 else None
    assert numpy_rule(reducers, np.zeros(3)) == (rebuild.shared, (written.digest,))
    assert numpy_rule(reducers, np.zeros(4))[0] is rebuild.array


def test_limits_of_types_and_ufuncs() -> None:
    """By what makes them again; one that `frompyfunc` has made by its function."""
    assert _sent(np.finfo("f4")).eps == np.finfo("f4").eps
    assert _rule(np.iinfo("i2")) == (np.iinfo, (np.dtype("i2"),))
    add = np.frompyfunc(lambda a, b: a + b, 2, 1)
    make, arguments = _rule(add)
    assert (make, arguments[0](1, 2), arguments[1:]) == (np.frompyfunc, 3, (2, 1))
    assert _rule(np.sin) is NotImplemented
    fake = type("ufunc", (), {})
    value = fake()
    value.__name__, value.held = "x (vectorized)", [len, abs]
    assert _rule(value) is NotImplemented


def test_frames_that_share_memory_until_one_is_written() -> None:
    """They are kept apart: the block's array is a view apart."""
    block = pd.DataFrame({"a": [1, 2]})._mgr.blocks[0]
    values = block.__reduce__()[1][0]
    function, (found, *rest), *others = pandas_block(block)
    assert (found is values, np.shares_memory(found, values)) == (False, True)
    assert function is block.__reduce__()[0]
    assert len([*rest, *others]) == len(block.__reduce__()[1]) - 1 + len(block.__reduce__()) - 2
    assert pandas_block(types.SimpleNamespace()) is NotImplemented
    for reduced in ((len,), (len, ()), (len, (1,))):
        other = type("Block", (), {"mgr_locs": 1, "__reduce__": lambda self, found=reduced: found})()
        assert pandas_block(other) is NotImplemented


def _all_views(owner: Any) -> list[Any]:
    """Return views of each form of an array of 24 numbers."""
    flat = owner.reshape(-1) if owner.flags.c_contiguous else owner.T.reshape(-1)
    return [
        flat[2:5], flat[::2], flat[1:20:3], flat[::-1], flat[5:6], flat.reshape(4, 6), flat.reshape(4, 6)[1:3],
        flat.reshape(4, 6)[:, 2], flat.reshape(4, 6).T, flat[6:18].reshape(3, 4).T, flat.reshape(2, 3, 4),
        flat.reshape(2, 3, 4)[:, ::2], flat[:0], flat.view("u1")[3:9], flat.view("u2")[4:], flat[3:4].reshape(()),
        flat.reshape(4, 6)[::2], np.broadcast_to(flat[:1], (3,)), flat.reshape(2, 12)[:, :5], flat.reshape(24, 1)[4:9],
        flat.view("f4"), np.frombuffer(flat.view("u1")[2:10], flat.dtype),
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("number", range(22))
def test_a_view_is_on_the_memory_of_its_owner(number: int, order: Any) -> None:
    """Whatever it shows; it is made by slices where that is possible, so that its base is the owner."""
    from lambdamagic.codec.array_views import reduced

    owner = np.asarray(np.arange(24, dtype="i4").reshape(4, 6), order=order)
    value = _all_views(owner)[number]
    copied = owner.copy(order=order)
    found = rebuild.array_view(copied, *reduced(value, owner)[1:])
    assert (found.tolist(), found.shape, found.dtype) == (value.tolist(), value.shape, value.dtype)
    assert (found.strides == value.strides or not value.size, found.flags.writeable) == (True, value.flags.writeable)
    owner[...], copied[...] = 7, 7
    assert found.tolist() == value.tolist()


def test_which_views_are_slices() -> None:
    """Of the same type, in steps forward, or whole rows in either order; others are made of the bytes."""
    from lambdamagic.codec.rebuild_arrays import _slice

    flat: Any = np.arange(24, dtype="i4")
    found = [
        _slice(flat, each.dtype, each.shape, each.strides, each.ctypes.data - flat.ctypes.data)
        for each in _all_views(flat)
    ]
    sliced = [number for number, each in enumerate(found) if each is not None]
    assert sliced == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 19]
    for each, view in zip(found, _all_views(flat), strict=True):
        if each is not None:
            assert (each.base is flat, each.tolist(), each.strides) == (True, view.tolist(), view.strides)


def test_a_view_of_what_cannot_be_written_cannot_be_either() -> None:
    """Nor one that could not be where it came from."""
    owner = np.arange(4)
    assert not rebuild.array_view(owner, owner.dtype, (2,), (8,), 0, False).flags.writeable
    assert rebuild.array_view(owner, owner.dtype, (2,), (8,), 0, True).flags.writeable
    owner.flags.writeable = False
    assert not rebuild.array_view(owner, owner.dtype, (2,), (8,), 0, True).flags.writeable
