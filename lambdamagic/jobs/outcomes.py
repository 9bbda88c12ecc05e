"""Items to bytes, and outcomes back to values and exceptions: what a map sends and gets, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.failures import ErrorRecord
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.codec.picklers import PICKLING_ERRORS, Serializer
from lambdamagic.codec.placeholder import stand_in
from lambdamagic.codec.shared import Shared
from lambdamagic.errors import EncodeError
from lambdamagic.jobs.extending import Extensions
from lambdamagic.jobs.job import Arrival

_KINDS = {"auto": ("c", "dill"), "dill": ("dill-forced",), "cloudpickle": ("cloudpickle",)}


def encode_items(
    home: Home,
    chunk: Sequence[Any],
    start: int,
    serializer: Serializer,
    *,
    share: Callable[[Any], Shared | None] | None = None,
    extensions: Extensions | None = None,
) -> Frames:
    """Encode a chunk's items.

    Args:
        home: The home that they live in.
        chunk: The items.
        start: Number of the first, for messages.
        serializer: Which pickler.
        share: Says which arrays travel as shared objects.
        extensions: Those of the program that they are for.

    Raises:
        EncodeError: One cannot be pickled; names it and the path to the offending part.
    """
    kinds = _KINDS[serializer]
    for kind in kinds:
        encoder = Encoder(home, kind=kind)
        encoder.share_arrays(share)
        try:
            encoder.dump(list(chunk))
        except PICKLING_ERRORS:
            continue
        return encoder.frames() if extensions is None else extensions.added_to(encoder)
    for number, item in enumerate(chunk, start):
        try:
            Encoder(home, kind=kinds[-1]).dump(item)
        except PICKLING_ERRORS:
            path, reason = explain_unpicklable(f"item {number}", item, home)
            raise EncodeError(
                f"item {number} cannot be sent to Lambda because of {path}: {reason}",
                hint="make it inside the callable, from something that can be pickled",
            ) from None
    raise EncodeError("the items of a chunk cannot be pickled together", hint="try --serializer dill")


class Failure:
    """A task's failure.

    Attributes:
        records: The exception, taken apart; empty when the environment died.
        error: What ended the environment; None when the callable raised.
    """

    def __init__(self, records: list[ErrorRecord], error: Exception | None) -> None:
        self.records, self.error = records, error


def read_outcomes(arrival: Arrival, home: Home) -> dict[int, Any]:
    """Return the outcome of each task that has one in an arrival: its value, or its `Failure`.

    Results that cannot be read are the failure of all its tasks.
    """
    try:
        return dict(outcomes(arrival, home))
    except Exception as error:  # noqa: BLE001  # objects of the user's are rebuilt: whatever that raises is theirs
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
    decoder = Decoder(arrival.frames, home, missing=stand_in)
    for task, _ in zip(tasks, response.tasks, strict=False):
        outcome = decoder.load()
        if task in arrival.superseded:
            continue
        yield task, Failure(outcome["error"], None) if "error" in outcome else outcome["value"]
