"""Values that tasks of one invocation pass to each other."""

from __future__ import annotations

import numpy as np
import pytest

from lambdamagic.codec.home import Home
from lambdamagic.worker.within import Earlier, Held, holding, resolved


class Stuck:
    """Refuses to be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("it cannot be moved")


@pytest.fixture
def held() -> Held:
    return Held(Home({}), ("c",))


def test_each_task_has_its_own_copy(held: Held) -> None:
    """What one task changes in its argument, the next does not see; the last has a large array itself."""
    array, table = np.zeros(10_000), {"rows": [1]}
    held.hold(0, array, 2, is_written_later=False)
    held.hold(1, table, 1, is_written_later=False)
    with holding(held):
        first = resolved({"a": Earlier(0), "t": Earlier(1), "n": 3})
        first["a"][:] = 7
        first["t"]["rows"].append(2)
        held.ran()
        assert (table, array.max(), first["n"]) == ({"rows": [1]}, 0.0, 3)
        assert resolved({"a": Earlier(0)})["a"] is array
    held.ran()
    assert held.left() == {}


def test_values_that_are_part_of_the_answer_are_never_handed_on(held: Held) -> None:
    """It is written when the invocation ends."""
    array = np.zeros(10_000)
    held.hold(0, array, 1, is_written_later=True)
    with holding(held):
        assert resolved({"a": Earlier(0)})["a"] is not array


def test_a_task_raises_the_error_of_a_failed_dependency(held: Held) -> None:
    """And what other tasks have made for it is left."""
    error = LookupError("no such row")
    held.hold(0, [1, 2], 1, is_written_later=False)
    held.failed(1, error)
    with holding(held):
        with pytest.raises(LookupError) as caught:
            resolved({"list": Earlier(0), "row": Earlier(1)})
        held.failed(2, caught.value)
    assert caught.value is error
    assert held.left() == {0: [1, 2]}


def test_a_value_that_cannot_be_copied_fails_the_task_that_takes_it(held: Held) -> None:
    """As it is where the value would go to another environment."""
    held.hold(0, Stuck(), 2, is_written_later=False)
    with holding(held), pytest.raises(TypeError, match="cannot be moved"):
        resolved({"stuck": Earlier(0)})
