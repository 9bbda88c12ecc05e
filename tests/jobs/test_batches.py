"""One batch through an invoker: what is sent, and what each answer of it means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdamagic.errors import (
    CredentialsError,
    FunctionMissingError,
    InvocationLostError,
    LambdaMagicError,
    ProtocolError,
    TargetError,
    ThrottledError,
    UnreachableError,
)
from lambdamagic.jobs.batches import Handed, error_of, hand_over, is_left, knock, same
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import BATCH_MAX_EVENTS, LOST, NO_ANSWER, NOT_SENT, TIMEOUT_S, Batch, BatchAnswer, Fate
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.report import Report
from lambdamagic.transports.fake import FakeTransport, failed
from lambdamagic.transports.transport import InvocationReply

_FUNCTION = FunctionRef("arn:aws:lambda:eu-central-1:1:function:f", 128, 3, invoker="f-invoker")
_LOG = "REPORT RequestId: r\tDuration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t\n"
_FIX = "Recreate it: run `lambdamagic deploy NAME --no-invoker`, and then with `--invoker`"


def event(number: int, **options: Any) -> dict[str, Any]:
    return {"lambdamagic": versions.here(), "job": "j", "attempt": f"a{number}", "options": options}


def answered(*fates: Fate) -> InvocationReply:
    document = BatchAnswer(versions.here(), fates).to_json()
    return InvocationReply(200, json.dumps(document).encode(), log_tail=_LOG, request_id="r")


def test_a_batch_has_its_function_its_tasks_and_its_events() -> None:
    """As many as it takes; the invoker answers for each, and its own run is reported."""
    count = BATCH_MAX_EVENTS
    fates = [Fate(202)] * (count - 1) + [Fate(429, "TooManyRequestsException")]
    transport = FakeTransport(then=answered(*fates))
    events = [event(number, tasks=[number + 7, number + 9]) for number in range(count + 5)]
    assert hand_over(transport, _FUNCTION, events) == Handed(tuple(fates), Report("r", 1.0, 2.0, 128, 9))
    (invocation,) = transport.invocations
    assert (invocation.function, invocation.kind) == ("f-invoker", "RequestResponse")
    assert (invocation.want_log_tail, invocation.timeout_s) == (True, TIMEOUT_S)
    batch = Batch.from_json(json.loads(invocation.payload))
    assert (batch.function, batch.job_id, batch.tasks, len(batch.own)) == ("f", "j", (7, count + 8), count)


def test_events_of_no_tasks_count_as_those_of_the_first() -> None:
    """A batch of none is not sent."""
    transport = FakeTransport(then=answered(Fate(202)))
    hand_over(transport, FunctionRef("f", 128, 3, invoker="i"), [event(0)])
    batch = Batch.from_json(json.loads(transport.invocations[0].payload))
    assert (batch.function, batch.tasks) == ("f", (0, 0))
    assert hand_over(transport, _FUNCTION, []) == Handed(())
    assert transport.attempts == 1


def test_an_invoker_is_tried_with_an_empty_batch() -> None:
    """What it would say of a real one is raised."""
    transport = FakeTransport(then=answered())
    knock(transport, _FUNCTION)
    batch = Batch.from_json(json.loads(transport.invocations[0].payload))
    assert (batch.function, batch.job_id, batch.tasks, batch.own) == ("f", "", (0, 0), ())
    with pytest.raises(FunctionMissingError):
        knock(FakeTransport(then=FunctionMissingError("gone")), _FUNCTION)


def raised(meets: Any) -> LambdaMagicError:
    with pytest.raises(LambdaMagicError) as caught:
        hand_over(FakeTransport(then=meets), _FUNCTION, [event(0)])
    return caught.value


def test_an_invoker_that_cannot_be_used_says_what_to_do() -> None:
    """It is gone, cannot start, refuses, or answers what is not an answer."""
    gone = raised(FunctionMissingError("it is gone"))
    assert gone.message == f"the invoker f-invoker of {_FUNCTION.name} cannot be used: it is gone"
    assert gone.hint is not None and gone.hint.startswith(f"{_FIX}; if it was deleted on purpose")
    broken = raised(failed("Runtime.ImportModuleError", "no module"))
    assert (type(broken), broken.hint) == (TargetError, _FIX)
    for hint, shown in (("", _FIX), ("\n  -> Do this", "Do this")):
        refused = Response(versions.here(), "refused", detail=f"no{hint}", error_kind="ProtocolError")
        error = raised(InvocationReply(200, json.dumps(refused.to_json()).encode()))
        assert (type(error), error.message, error.hint) == (ProtocolError, "f-invoker refused a batch: no", shown)
    few = raised(answered(Fate(202), Fate(202)))
    assert (type(few), few.message, few.hint) == (ProtocolError, "f-invoker answered 2 events of 1", _FIX)
    for data in (b"<html>", b"[]", b'"refused"'):
        assert type(raised(InvocationReply(200, data))) is ProtocolError
    assert "the answer of f-invoker is not JSON: b'<html>'" in str(raised(InvocationReply(200, b"<html>")))


def test_an_invoker_that_died_leaves_the_fate_of_its_events_open() -> None:
    """With its log, by which it is billed."""
    dead = failed("Sandbox.Timedout", "Task timed out after 60.00 seconds")
    error = raised(InvocationReply(200, dead.payload, "Unhandled", log_tail=_LOG, request_id="r"))
    assert type(error) is InvocationLostError
    assert error.message == (
        f"the invoker f-invoker failed (the function exceeded its timeout of {TIMEOUT_S} s); whether Lambda accepted "
        "its events is unknown"
    )
    assert (error.request_id, error.log_tail) == ("r", _LOG)


@pytest.mark.parametrize(
    ("fate", "kind", "said"),
    [
        (Fate(NO_ANSWER, LOST, "broke"), InvocationLostError, "f-invoker lost it (broke)"),
        (Fate(NO_ANSWER, NOT_SENT, "no route"), UnreachableError, "f-invoker could not reach Lambda: no route"),
        (Fate(NO_ANSWER, NOT_SENT), UnreachableError, "f-invoker could not reach Lambda: it ran out of time"),
        (Fate(429, "TooManyRequestsException", "Rate"), ThrottledError, "Rate"),
        (Fate(403, "AccessDeniedException", "not allowed"), CredentialsError, "f-invoker: "),
        (Fate(404, "ResourceNotFoundException", "x"), FunctionMissingError, ""),
        (Fate(500, LOST, "x"), InvocationLostError, "x"),
    ],
)
def test_each_fate_is_the_error_of_sending_directly(fate: Fate, kind: type, said: str) -> None:
    """Of the function that was to be invoked; the invoker's own rights are not the user's."""
    error = error_of(fate, _FUNCTION, FakeTransport())
    assert type(error) is kind
    assert said in error.message
    if kind is CredentialsError:
        assert error.hint == f"The invoker's role lacks the permissions, not your credentials. {_FIX}"
    elif kind is UnreachableError:
        assert error.hint == _FIX


def test_only_an_event_that_there_was_no_time_for_is_left() -> None:
    """It surely was not sent."""
    assert is_left(Fate(NO_ANSWER, NOT_SENT))
    others = (Fate(NO_ANSWER, NOT_SENT, "no route"), Fate(NO_ANSWER, LOST), Fate(202), Fate(429, NOT_SENT))
    assert not any(map(is_left, others))


def test_each_event_of_a_batch_raises_a_separate_error() -> None:
    """With all that the one has."""
    error = InvocationLostError("broke", hint="h")
    error.log_tail = _LOG
    found = same(error)
    assert found is not error
    assert (type(found), found.message, found.hint, found.log_tail) == (InvocationLostError, "broke", "h", _LOG)
