"""Steps of a pickle that are written by hand."""

from __future__ import annotations

import io
import pickle

import pytest

from lambdamagic.codec.rebuild import Nothing
from lambdamagic.codec.steps import fillers, gap_after, pickled, prelude, step_to


def test_objects_get_their_numbers_from_the_buffers() -> None:
    """In their order; what follows refers to them."""
    objects = [[1], [2], [3]]
    data = prelude(3) + pickled(pickle.BINGET + b"\x00" + pickle.BINGET + b"\x02" + pickle.TUPLE2)
    unpickler = pickle.Unpickler(io.BytesIO(data), buffers=objects)
    assert unpickler.load() is None
    first, third = unpickler.load()
    assert first is objects[0]
    assert third is objects[2]


def test_a_step_finds_a_class() -> None:
    """By its module and its name."""
    assert pickle.loads(pickled(step_to(Nothing))) is Nothing


@pytest.mark.parametrize(("count", "gap"), [(0, 0), (1, 1023), (1000, 24), (1024, 0), (1025, 1023), (5000, 120)])
def test_hidden_parts_have_round_numbers(count: int, gap: int) -> None:
    """What follows them gets the same numbers whatever is a little more or less."""
    assert gap_after(count) == gap


def test_fillers_are_made_once() -> None:
    """So many, each another."""
    five = fillers(5)
    assert len(five) == len(set(map(id, five))) == 5
    assert fillers(3) == five[:3]
    before = fillers(2000)
    assert fillers(2001)[:2000] == before
    assert len(fillers(2001)) == 2001
