"""Send one batch of events through an invoker, and read the outcome of each. Blocking; runs in a thread."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.errors import (
    CredentialsError,
    FunctionMissingError,
    InvocationError,
    InvocationLostError,
    LambdaMagicError,
    ProtocolError,
    UnreachableError,
)
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.verdict import death_of, refusal_of
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import LOST, NO_ANSWER, NOT_SENT, TIMEOUT_S, Batch, BatchAnswer, Fate, fitting
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.reading import read_json
from lambdamagic.protocol.report import Report, parse_report
from lambdamagic.transports.transport import InvocationReply, InvokeCall, Transport

_FIX = "Recreate it: run `lambdamagic deploy NAME --no-invoker`, and then with `--invoker`"


@dataclass(frozen=True)
class Handed:
    """The outcome of a batch.

    Attributes:
        fates: Of the events that went, in order: of the first ones, where not all fitted in.
        report: Lambda's, of the invoker.
    """

    fates: tuple[Fate, ...]
    report: Report | None = None


def hand_over(transport: Transport, function: FunctionRef, documents: Sequence[dict[str, Any]]) -> Handed:
    """Send events through a function's invoker: as many, from the first on, as one batch takes; none if it takes none.

    Args:
        transport: Delivers the batch.
        function: The function that has an invoker.
        documents: Events of one job, as `Request.to_json` returns them.

    Raises:
        InvocationLostError: The invoker died, or the connection to it broke: each event may be in the queue, or not.
            The end of its log is in the error.
        ThrottledError: The invoker itself found no room. Nothing was sent.
        LambdaMagicError: It is gone, may not be invoked, or refused. Nothing was sent.
    """
    documents = documents[: fitting(documents)]
    if not documents:
        return Handed(())
    numbers = [number for each in documents for number in each["options"].get("tasks", (0,))]
    tasks = min(numbers), max(numbers)
    batch = Batch.of(documents, versions=versions.here(), function=_bare(function), tasks=tasks)
    return _deliver(transport, function, batch)


def knock(transport: Transport, function: FunctionRef) -> None:
    """Check a function's invoker with a batch without events; billed.

    Raises:
        LambdaMagicError: As `hand_over` raises.
    """
    _deliver(transport, function, Batch(versions.here(), _bare(function), "", (0, 0), {}, ()))


def _bare(function: FunctionRef) -> str:
    return function.name.rpartition(":function:")[2]


def _deliver(transport: Transport, function: FunctionRef, batch: Batch) -> Handed:
    payload = json.dumps(batch.to_json()).encode()
    try:
        reply = transport.invoke(InvokeCall(function.invoker, payload, want_log_tail=True, timeout_s=TIMEOUT_S))
    except FunctionMissingError as error:
        raise FunctionMissingError(
            f"the invoker {function.invoker} of {function.name} cannot be used: {error.message}",
            hint=f"{_FIX}; if it was deleted on purpose, restart the kernel or program: it then sends events directly",
        ) from error
    return Handed(_read(reply, function, count=len(batch.own)), parse_report(reply.log_tail, reply.request_id))


def _read(reply: InvocationReply, function: FunctionRef, *, count: int) -> tuple[Fate, ...]:
    try:
        document = read_json(reply.payload)
    except ValueError as error:
        raise ProtocolError(f"the answer of {function.invoker} is not JSON: {reply.payload[:200]!r}") from error
    if reply.function_error is not None:
        death = death_of(document, reply, None, FunctionRef(function.invoker, 0, TIMEOUT_S))
        if not isinstance(death, InvocationError):  # its handler cannot start: so it will be the next time
            death.hint = _FIX
            raise death
        raise InvocationLostError(
            f"the invoker {function.invoker} failed ({death.message}); whether Lambda accepted its events is unknown",
            request_id=reply.request_id,
            log_tail=reply.log_tail,
        )
    if isinstance(document, dict) and document.get("status") == "refused":
        refusal = refusal_of(Response.from_json(document))
        refusal.message = f"{function.invoker} refused a batch: {refusal.message}"
        refusal.hint = refusal.hint or _FIX
        raise refusal
    answer = BatchAnswer.from_json(document)
    if len(answer.fates) != count:
        raise ProtocolError(f"{function.invoker} answered {len(answer.fates)} events of {count}", hint=_FIX)
    return answer.fates


def error_of(fate: Fate, function: FunctionRef, transport: Transport) -> LambdaMagicError:
    """Return our error for an event that Lambda did not take: the one that sending it directly would have given.

    Args:
        fate: What the invoker answered.
        function: What was to be invoked.
        transport: Reads the refusal.
    """
    if fate.status == NO_ANSWER and fate.code == LOST:
        return InvocationLostError(
            f"whether Lambda accepted the event is unknown: {function.invoker} lost it ({fate.message})"
        )
    if fate.status == NO_ANSWER:
        return UnreachableError(
            f"{function.invoker} could not reach Lambda: {fate.message or 'it ran out of time'}", hint=_FIX
        )
    error = transport.refused(
        function.name, status=fate.status, code=fate.code, message=fate.message, retry_after_s=fate.retry_after_s
    )
    if isinstance(error, CredentialsError):
        error.message = f"{function.invoker}: {error.message}"
        error.hint = f"The invoker's role lacks the permissions, not your credentials. {_FIX}"
    return error


def is_left(fate: Fate) -> bool:
    """Return whether an event surely was not sent because time ran out, so that it goes with the next batch."""
    return fate.status == NO_ANSWER and fate.code == NOT_SENT and not fate.message


def same(error: LambdaMagicError) -> LambdaMagicError:
    """Return an error for one event of a batch that failed as a whole; each raises a separate one."""
    return copy.copy(error)
