"""Items on their way to a function, and the outcomes that come back: each fails alone."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from lambdamagic.codec.each import iter_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import describe
from lambdamagic.codec.interruption import Interruption
from lambdamagic.errors import EncodeError, ResultError, UnsendableItemsError
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.outcomes import WITHIN, Failure, encode_items, read_outcomes
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response, TaskSummary
from tests.jobs.functions import HOME


class Raising:
    """An item whose own code raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


class Odd(BaseException):
    """No exception that code should catch."""


def live() -> Any:
    """Return what no pickler takes."""
    return io.BufferedReader(io.BytesIO(b"x"))


def refused(*items: Any, start: int = 0) -> dict[int, BaseException]:
    with pytest.raises(UnsendableItemsError) as caught:
        encode_items(HOME, items, start, "auto")
    return caught.value.errors


def test_items_come_back_whichever_pickler_takes_them() -> None:
    """The next one is tried for what the first cannot do, or not so deep."""
    deep: list[Any] = []
    for _ in range(3_000):
        deep = [deep]
    for item in ([1], {1: 2}.keys(), deep):
        (found,) = iter_items(encode_items(HOME, [item], 0, "auto").segments, HOME)
        assert type(found) is type(item)


def test_only_the_items_that_no_pickler_takes_are_refused() -> None:
    """By their positions, with their numbers in the whole map."""
    errors = refused(1, live(), {1: 2}.keys(), live(), start=40)
    assert sorted(errors) == [1, 3]
    for position, error in errors.items():
        assert isinstance(error, EncodeError)
        assert error.message.startswith(
            f"item {40 + position} cannot be sent to Lambda because of item {40 + position}"
        )
        assert error.hint is not None and error.hint.startswith("Make it inside the callable")


def test_a_few_items_are_looked_into_for_what_is_to_blame() -> None:
    """Ten of a chunk; the others say what the pickler said."""
    errors = refused(*({"deep": [live()]} for _ in range(12)))
    paths = [f"because of item {position}['deep'][0]: " in str(error) for position, error in errors.items()]
    assert paths == [True] * 10 + [False] * 2
    assert "because of item 11: cannot pickle" in str(errors[11])


@pytest.mark.parametrize("error", [ValueError("mine"), Odd("mine"), SystemExit(3)])
def test_what_an_items_own_code_raises_is_its_error(error: BaseException) -> None:
    """With a note of where it was; it is not one of the pickler's."""
    errors = refused(1, Raising(error), start=7)
    assert errors == {1: error}
    assert error.__notes__[-1] == "raised while item 8 was pickled to be sent to Lambda"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interruption()])
def test_an_interruption_is_no_items_error(error: BaseException) -> None:
    """It stops all of it."""
    with pytest.raises(type(error)):
        encode_items(HOME, [Raising(error)], 0, "auto")


def test_items_that_only_fail_together_are_an_error_of_the_chunk() -> None:
    """None of them alone can be blamed."""

    class Once:
        count = 0

        def __reduce__(self) -> Any:
            Once.count += 1
            if Once.count <= 3:
                raise ValueError("not yet")
            return int, ()

    with pytest.raises(
        EncodeError, match="the items of a chunk cannot be pickled together\n  -> Try --serializer dill"
    ):
        encode_items(HOME, [Once()], 0, "auto")


def arrival(*parts: Any, tasks: int | None = None, **more: Any) -> Arrival:
    """Return an answer with these parts."""
    encoder = Encoder(HOME)
    for part in parts:
        encoder.dump(part)
    count = len(parts) if tasks is None else tasks
    response = Response(versions.here(), "done", tasks=[TaskSummary(0.0)] * count)
    unit = Unit(tuple(range(10, 10 + count)))
    return replace(Arrival(unit, response, [*encoder.frames().segments], None, None), **more)


def test_each_task_has_what_became_of_it() -> None:
    """A value, an exception, a value that stayed in the bucket, or one that another task took."""
    records = describe(ValueError("x"), internal=())
    stayed: Any = object()
    found = read_outcomes(
        arrival({"value": 1}, {"error": records}, {"stayed": 4}, {"within": True}, {"value": None}, stayed={4: stayed}),
        HOME,
    )
    failure = found.pop(11)
    assert isinstance(failure, Failure) and failure.error is None
    assert [record.kinds for record in failure.records] == [record.kinds for record in records]
    assert found == {10: 1, 12: stayed, 13: WITHIN, 14: None}
    assert repr(WITHIN) == "<was taken where it was made>"


def test_tasks_that_run_again_have_no_outcome_yet() -> None:
    """Nor have those that the deadline cut off."""
    some = arrival({"value": 1}, {"value": 2}, {"value": 3}, superseded=frozenset({11}))
    assert read_outcomes(some, HOME) == {10: 1, 12: 3}
    cut = replace(some, unit=Unit((10, 11, 12, 13)), superseded=frozenset())
    assert read_outcomes(cut, HOME) == {10: 1, 11: 2, 12: 3}


def test_a_death_is_the_outcome_of_all_its_tasks() -> None:
    """There are no records of it."""
    error = ValueError("dead")
    found = read_outcomes(arrival(tasks=2, error=error, response=None), HOME)
    assert sorted(found) == [10, 11]
    assert all((each.records, each.error) == ([], error) for each in found.values())


def test_outcomes_that_cannot_be_read_are_their_tasks_failures() -> None:
    """Those before are kept; an answer that ends too soon lacks the rest, and a task that runs again needs none."""
    short = arrival({"value": 1}, tasks=3, superseded=frozenset({11}))
    found = read_outcomes(short, HOME)
    assert (sorted(found), found[10]) == ([10, 12], 1)
    assert isinstance(found[12].error, ResultError)
    assert found[12].error.__notes__ == ["raised while the result of task 12 was read"]
    broken = replace(arrival({"value": 1}, tasks=2), frames=[b"no pickle"])
    found = read_outcomes(broken, HOME)
    assert sorted(found) == [10, 11]
    assert all(isinstance(each, Failure) and each.error is not None for each in found.values())


def test_an_answer_of_another_form_is_each_tasks_failure() -> None:
    """No other task waits for it."""
    found = read_outcomes(arrival({"value": 1}, {"stayed": 9}), HOME)
    assert sorted(found) == [10, 11]
    assert all(isinstance(each, Failure) and isinstance(each.error, KeyError) for each in found.values())
