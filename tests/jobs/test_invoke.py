"""One invocation: what is in its request, and what is made of its reply."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.frames import Frames
from lambdamagic.errors import (
    AnswerNotTrustedError,
    FunctionMissingError,
    IntegrityError,
    ProtocolError,
    ResultError,
    TargetError,
    VersionMismatchError,
)
from lambdamagic.jobs.invoke import arrival_of, collect, invoke, send_event, take_stored
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.staging import Stager
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.envelope import Before, Request, Response, Usage
from lambdamagic.protocol.life import every_s
from lambdamagic.protocol.payload import FrameRef, Part, Payload, inline_payload, signed_text
from lambdamagic.protocol.report import Report
from lambdamagic.protocol.seal import seal, unseal
from lambdamagic.protocol.stayed import Stayed, StayedValue
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.transports.fake import FakeTransport, failed
from lambdamagic.transports.transport import InvocationReply
from tests.jobs.functions import job_spec

_KEY = b"k" * 32
_LOG = "REPORT RequestId: r\tDuration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t\n"


class Noting:
    """A journal that notes what is about to be sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, event: Any) -> None: ...

    def sent(self, attempt_id: str) -> None:
        self.names.append(attempt_id)


def spec_of(store: MemoryObjectStore | None = None, **more: Any) -> JobSpec:
    return job_spec(
        job_id="j",
        key=_KEY,
        **{
            "function": FunctionRef("f", 128, 60),
            "transport": FakeTransport(then=reply(Response(versions.here(), "done"))),
            "stager": Stager(store),
            "program": inline_payload([b"program"]),
            "inline_limit_bytes": 1_000,
            **more,
        },
    )


def reply(response: Response, *, log: str = _LOG) -> InvocationReply:
    return InvocationReply(200, json.dumps(response.to_json()).encode(), log_tail=log, request_id="r")


def requests_of(spec: JobSpec) -> list[tuple[str, str, bool, float, Request]]:
    """Return what was invoked: the function, how, and the request."""
    transport = spec.transport
    assert isinstance(transport, FakeTransport)
    return [
        (each.function, each.kind, each.want_log_tail, each.timeout_s, Request.from_json(json.loads(each.payload)))
        for each in transport.invocations
    ]


def test_a_synchronous_request_has_all_that_the_function_needs() -> None:
    """Its program and items, where it may write, and the options; no heartbeat is wanted, since the caller waits."""
    store, before = MemoryObjectStore("bucket"), Before(inline_payload([b"earlier"]), (), (), "")
    spec = spec_of(store, options={"star": True}, environment={"A": "1"}, before=(before,), keeps_remote=True)
    unit = Unit((7, 5, 6), items=lambda: Frames((b"items",)), program_id="p", pick=(2, 3))
    arrival, tail = invoke(spec, unit, "a")
    ((function, kind, has_log, timeout_s, request),) = requests_of(spec)
    assert (function, kind, has_log, timeout_s, tail) == ("f", "RequestResponse", True, 60, _LOG)
    assert (request.kind, request.job_id, request.attempt_id, request.key) == ("map", "j", "a", _KEY)
    assert request.program == spec.program and request.items == inline_payload([b"items"])
    assert (request.live, request.answer_url, request.inline_limit_bytes) == (None, "", 1_000)
    assert (len(request.uploads), request.before, dict(request.environment)) == (2, (before,), {"A": "1"})
    assert request.stay is not None and request.stay.key == keys.stayed_key("j", "a")
    assert "cancel" in request.cancel_url
    assert request.options["tasks"] == [5, 7] and request.options["pick"] == [2, 3]
    assert (request.options["star"], request.options["program_id"]) == (True, "p")
    assert len(request.options["session"]) == 16
    assert (arrival.unit, arrival.attempt_id, arrival.request_id) == (unit, "a", "r")
    assert arrival.report == Report("r", 1.0, 2.0, 128, 9)
    assert spec.requests.moved[0] == len(spec.transport.invocations[0].payload)  # type: ignore[attr-defined]
    assert spec.requests.moved[1] > 0


def test_a_unit_may_have_a_program_a_function_and_arguments_apart_from_the_job() -> None:
    """They go before the job's; without arguments there are none, and nothing is picked."""
    spec = spec_of()
    other, placed = inline_payload([b"other"]), inline_payload([b"placed"])
    unit = Unit((1,), program=lambda: other, placed=lambda: placed, function=FunctionRef("g", 256, 90))
    invoke(spec, unit, "a")
    invoke(spec, Unit((1,)), "b")
    first, second = requests_of(spec)
    assert (first[0], first[3], first[4].program, first[4].items) == ("g", 90, other, placed)
    assert (second[0], second[3], second[4].program, second[4].items) == ("f", 60, spec.program, None)
    assert "pick" not in second[4].options
    assert (second[4].stay, second[4].uploads, second[4].cancel_url) == (None, (), "")


def test_an_event_shows_that_it_runs_and_stores_its_answer() -> None:
    """It is noted before it is sent, with what a synchronous one does not need."""
    store, journal = MemoryObjectStore("bucket"), Noting()
    spec = spec_of(store, mode="event", journal=journal)
    send_event(spec, Unit((1,), function=FunctionRef("g", 256, 90)), "a")
    ((function, kind, has_log, timeout_s, request),) = requests_of(spec)
    assert (function, kind, has_log, timeout_s, journal.names) == ("g", "Event", False, 90, ["a"])
    assert request.live is not None and request.live.every_s == every_s(60)
    store.upload(request.answer_url, [b"x"])
    assert store.exists(keys.answer_key("j", "a"))
    assert spec.requests.moved[0] == len(spec.transport.invocations[0].payload)  # type: ignore[attr-defined]


def test_a_trigger_is_uploaded_without_the_jobs_key() -> None:
    """Sealed for the function that derives it; nothing is invoked."""
    store = MemoryObjectStore("bucket")
    spec = spec_of(store, mode="trigger", trigger_secret=b"t" * 32)
    for unit, name in ((Unit((1,)), "f"), (Unit((1,), function=FunctionRef("g", 256, 90)), "g")):
        send_event(spec, unit, "a")
        data = store.get(keys.trigger_key(name, "j", "a"))
        document = json.loads(unseal(data, key=b"t" * 32, job_id="j", attempt_id="a"))
        assert (document["key"], document["attempt"]) == ("", "a")
    assert requests_of(spec) == []


def test_items_of_an_event_are_staged_sooner() -> None:
    """Lambda takes less in one."""
    items = bytes(AWS_LAMBDA.event_inline_bytes + 1)
    for mode, puts in (("sync", 0), ("event", 1)):
        store = MemoryObjectStore("bucket")
        spec = spec_of(store, mode=mode, inline_limit_bytes=10_000_000)
        unit = Unit((1,), items=lambda: Frames((items,)))
        if mode == "sync":
            invoke(spec, unit, "a")
        else:
            send_event(spec, unit, "a")
        assert store.requests["PUT"] == puts


def staged(store: MemoryObjectStore, *, attempt: str = "a", key: bytes = _KEY) -> Response:
    """Return the answer of a function that staged its result."""
    part = Part(keys.result_key("j", attempt, 0), 6, hashlib.sha256(b"result").hexdigest())
    store.put(part.key, [b"result"])
    signature = keys.sign(key, "j", attempt, *signed_text((part,)))
    return Response(
        versions.here(), "done", Payload((FrameRef(6),), b"", (part,)), signature=signature, usage=Usage(1_500.0)
    )


@pytest.mark.parametrize(("mode", "left"), [("sync", 0), ("event", 1), ("trigger", 1)])
def test_a_staged_answer_is_fetched_at_once(mode: str, left: int) -> None:
    """It stays where another process may resume the job."""
    store = MemoryObjectStore("bucket")
    spec = spec_of(store, mode=mode)
    found = arrival_of(spec, Unit((1,)), "a", reply(staged(store)))
    assert [bytes(frame) for frame in found.frames] == [b"result"]
    assert (len([*store.list("")]), spec.requests.total.reads) == (left, 0)


def test_a_staged_answer_may_be_left_for_who_takes_it() -> None:
    """Its reads are the job's; what is inline is there at once, and an answer without anything is none."""
    store = MemoryObjectStore("bucket")
    spec = spec_of(store, collects=False)
    found = arrival_of(spec, Unit((1,)), "a", reply(staged(store)))
    assert (found.frames, spec.requests.total.reads) == ([], 1)
    assert found.response is not None
    assert [bytes(frame) for frame in collect(spec, found.response, "a")] == [b"result"]
    assert len([*store.list("")]) == 1
    inline = Response(versions.here(), "done", inline_payload([b"x"]))
    assert [bytes(frame) for frame in arrival_of(spec, Unit((1,)), "a", reply(inline)).frames] == [b"x"]
    assert arrival_of(spec, Unit((1,)), "a", reply(Response(versions.here(), "done"))).frames == []
    assert spec.requests.total.reads == 1


def test_a_staged_answer_that_others_changed_is_one_attempts_error() -> None:
    """It was billed: for as long as it says that it ran."""
    store = MemoryObjectStore("bucket")
    with pytest.raises(AnswerNotTrustedError) as caught:
        arrival_of(spec_of(store), Unit((1,)), "a", reply(staged(store, key=b"x" * 32)))
    assert isinstance(caught.value, IntegrityError)
    assert (caught.value.request_id, caught.value.log_tail, caught.value.billed_s) == ("r", _LOG, 1.5)


def test_a_stored_answer_is_read_with_its_signature() -> None:
    """One that is not to be trusted is an attempt's error as well."""
    store = MemoryObjectStore("bucket")
    spec = spec_of(store, mode="event")
    answer = Response(versions.here(), "done", inline_payload([b"x"])).to_json()
    for key, is_trusted in ((_KEY, True), (b"x" * 32, False)):
        store.put(keys.answer_key("j", "a"), [seal(answer, key=key, job_id="j", attempt_id="a")])
        if is_trusted:
            found = take_stored(spec, Unit((1,)), "a")
            assert ([bytes(frame) for frame in found.frames], found.attempt_id, found.request_id) == ([b"x"], "a", "")
        else:
            with pytest.raises(AnswerNotTrustedError):
                take_stored(spec, Unit((1,)), "a")


def test_a_death_has_its_log_and_its_invocation() -> None:
    """Also one whose error had neither; what is known already is kept."""
    spec = spec_of()
    meets = replace(failed("Function.ResponseSizeTooLarge", "large"), log_tail=_LOG, request_id="r")
    with pytest.raises(ResultError) as caught:
        arrival_of(spec, Unit((1,)), "a", meets)
    assert (caught.value.request_id, caught.value.log_tail, caught.value.billed_s) == ("r", _LOG, None)
    refused = Response(versions.here(), "refused", error_kind="ProtocolError", usage=Usage(250.0))
    with pytest.raises(ProtocolError) as refusal:
        arrival_of(spec, Unit((1,)), "a", reply(refused))
    assert (refusal.value.request_id, refusal.value.billed_s) == ("r", 0.25)


@pytest.mark.parametrize(
    ("kind", "asks"), [("FunctionMissingError", 1), ("TargetError", 1), ("VersionMismatchError", 0), ("Odd", 0)]
)
def test_staged_objects_are_doubted_after_a_failure_of_the_target(kind: str, asks: int) -> None:
    """Perhaps one is gone: it is asked for before it is taken to be there again."""
    store, clock = MemoryObjectStore("bucket"), ManualClock()
    spec = spec_of(store, stager=Stager(store, clock))
    frames = Frames((b"x" * 50,))
    spec.stager.place(frames, limit_bytes=0)
    with pytest.raises((FunctionMissingError, TargetError, VersionMismatchError, ProtocolError)):
        arrival_of(spec, Unit((1,)), "a", reply(Response(versions.here(), "refused", error_kind=kind)))
    spec.stager.place(frames, limit_bytes=0)
    assert store.requests["HEAD"] == asks


def test_values_that_stayed_are_referred_to() -> None:
    """By their tasks; an answer that names another object is one attempt's error, and was billed."""
    store = MemoryObjectStore("bucket")
    spec = spec_of(store, mode="event", keeps_remote=True)
    value = StayedValue(0, 0, (3,), hashlib.sha256(b"abc").hexdigest(), False, "bytes")
    left = Stayed(keys.stayed_key("j", "a"), 3, (value,))
    for attempt, is_own in (("a", True), ("b", False)):
        response = Response(versions.here(), "done", stayed=left, usage=Usage(250.0))
        if is_own:
            assert list(arrival_of(spec, Unit((1,)), attempt, reply(response)).stayed) == [0]
        else:
            with pytest.raises(AnswerNotTrustedError) as caught:
                arrival_of(spec, Unit((1,)), attempt, reply(response))
            assert (caught.value.request_id, caught.value.log_tail, caught.value.billed_s) == ("r", _LOG, 0.25)


def test_values_that_stayed_are_deleted_with_their_last_reference() -> None:
    """Those of a synchronous job, which no other process resumes."""
    deleted = threading.Event()

    class Deleting(MemoryObjectStore):
        def delete(self, keys: Iterable[str]) -> None:
            deleted.set()

    value = StayedValue(0, 0, (3,), hashlib.sha256(b"abc").hexdigest(), False, "bytes")
    response = Response(versions.here(), "done", stayed=Stayed(keys.stayed_key("j", "a"), 3, (value,)))
    found = arrival_of(spec_of(Deleting("bucket"), keeps_remote=True), Unit((1,)), "a", reply(response))
    assert not deleted.is_set()
    del found
    assert deleted.wait(20)
