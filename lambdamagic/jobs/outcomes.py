"""Encode items of a map, and decode outcomes to values and exceptions, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.each import Unreadable, read_each, write_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import ErrorRecord, comes_from_the_object, let_go
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.codec.picklers import KINDS, Serializer
from lambdamagic.codec.placeholder import stand_in
from lambdamagic.codec.shared import Shared
from lambdamagic.errors import EncodeError, ResultError, UnsendableItemsError
from lambdamagic.jobs.extending import Extensions
from lambdamagic.jobs.job import Arrival

#: So many items of a chunk that cannot be sent are looked into for what is to blame.
_EXPLAINED = 10


def encode_items(
    home: Home,
    chunk: Sequence[Any],
    start: int,
    serializer: Serializer,
    *,
    share: Callable[[Any], Shared | None] | None = None,
    extensions: Extensions | None = None,
) -> Frames:
    """Encode a chunk's items, each as a separate part.

    Args:
        home: The home that they live in.
        chunk: The items.
        start: Number of the first, for messages.
        serializer: Which pickler.
        share: Says which arrays are sent as shared objects.
        extensions: Those of the program that they are for.

    Raises:
        UnsendableItemsError: Some cannot be pickled; says what is to be raised for each.
    """
    kinds = KINDS[serializer]
    for kind in kinds:
        encoder = Encoder(home, kind=kind)
        encoder.share_arrays(share)
        try:
            write_items(encoder, chunk)
        except NEVER_THE_OBJECTS:
            raise
        except BaseException:  # noqa: BLE001, S112  # code of the items' classes; it is found out below which one it was
            continue
        return encoder.frames() if extensions is None else extensions.added_to(encoder)
    errors: dict[int, BaseException] = {}
    for position, item in enumerate(chunk):
        name = f"item {start + position}"
        error = _refusal(home, item, name, kinds[-1], is_explained=len(errors) < _EXPLAINED)
        if error is not None:
            errors[position] = error
    if not errors:
        raise EncodeError("the items of a chunk cannot be pickled together", hint="Try --serializer dill")
    raise UnsendableItemsError(errors)


def _refusal(home: Home, item: Any, name: str, kind: str, *, is_explained: bool) -> BaseException | None:
    """Return the error for an item that cannot be sent, without a reference to the item."""
    try:
        Encoder(home, kind=kind).dump(item)
    except NEVER_THE_OBJECTS:
        raise
    except BaseException as error:  # noqa: BLE001  # code of the item's class
        if not isinstance(error, Exception) or comes_from_the_object(error):
            error.add_note(f"raised while {name} was pickled to be sent to Lambda")
            return let_go(error)
        path, reason = explain_unpicklable(name, item, home) if is_explained else (name, str(error))
        return EncodeError(
            f"{name} cannot be sent to Lambda because of {path}: {reason}",
            hint="Make it inside the callable, from something that can be pickled",
        )
    return None


class Within:
    """Marks a value that only tasks of the same invocation used: it stayed in that environment's memory."""

    def __repr__(self) -> str:
        return "<was taken where it was made>"


WITHIN = Within()


class Failure:
    """A task's failure.

    Attributes:
        records: The exception, taken apart; empty when the environment died.
        error: What ended the environment; None when the callable raised.
    """

    def __init__(self, records: list[ErrorRecord], error: BaseException | None) -> None:
        self.records, self.error = records, error


def read_outcomes(arrival: Arrival, home: Home) -> dict[int, Any]:
    """Return the outcome of each task that has one in an arrival: its value, or its `Failure`.

    A result that cannot be read is its task's failure.
    """
    try:
        return dict(outcomes(arrival, home))
    except Exception as error:  # noqa: BLE001  # an answer that is none: no other task may wait for it
        return dict.fromkeys(arrival.unit.tasks, Failure([], error))


def outcomes(arrival: Arrival, home: Home) -> Iterator[tuple[int, Any | Failure]]:
    """Yield each task that has its outcome in an arrival, with its value or its failure."""
    tasks = arrival.unit.tasks
    if arrival.error is not None:
        for task in tasks:
            yield task, Failure([], arrival.error)
        return
    response = arrival.response
    assert response is not None
    parts = read_each(arrival.frames, home, missing=stand_in)
    error: BaseException = ResultError("the answer has fewer outcomes than it declares")
    for task in tasks[: len(response.tasks)]:
        outcome: Any = next(parts, None) or Unreadable(error)
        if type(outcome) is Unreadable:
            error = outcome.error  # behind bytes that cannot be read nothing can
            if task not in arrival.superseded:
                error.add_note(f"raised while the result of task {task} was read")
                yield task, Failure([], error)
        elif task not in arrival.superseded:
            if "error" in outcome:
                yield task, Failure(outcome["error"], None)
            elif "stayed" in outcome:
                yield task, arrival.stayed[outcome["stayed"]]
            elif "within" in outcome:
                yield task, WITHIN
            else:
                yield task, outcome["value"]
