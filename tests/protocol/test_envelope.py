"""Events and answers as JSON."""

from __future__ import annotations

import json

import pytest

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.envelope import MARK, Before, Live, Request, Response, TaskSummary, Upload, Usage
from lambdamagic.protocol.payload import FrameRef, Part, Payload, inline_payload, signed_text, split_frames
from lambdamagic.protocol.stayed import Stayed, StayedValue
from lambdamagic.protocol.versions import here


def test_a_request_round_trip():
    """Through JSON text, nothing is lost."""
    request = Request(
        versions=here({"dill": "0.4.1"}),
        kind="map",
        job_id="j",
        attempt_id="000001",
        key=bytes(range(32)),
        program=Payload((FrameRef(3), FrameRef(9, "ab" * 32, "http://x/y?z=1")), b"abc"),
        items=inline_payload([b"12", b"", b"345"]),
        uploads=(Upload("http://u", "k/0"),),
        inline_limit_bytes=10,
        cancel_url="http://c",
        options={"serializer": "auto"},
    )
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_what_a_request_may_have():
    """Cells before it, variables, a heartbeat, an answer's place and a place for values that stay."""
    program = Payload((FrameRef(1),), b"a")
    request = Request(
        here(),
        "cell",
        "j",
        "1",
        b"k",
        program,
        answer_url="http://a",
        live=Live("http://p", "http://g", "http://a", 2.5),
        before=(Before(program, (3, 4), (FrameRef(7, "ff", "http://b"),), "1,2"),),
        environment={"TOKEN": "secret"},
        stay=Upload("http://s", "k"),
    )
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request
    bare = Request(here(), "cell", "j", "1", b"k", program)
    assert not {"environment", "before", "stay"} & set(bare.to_json())
    assert bare.inline_limit_bytes == 0  # all of it goes to the bucket
    assert Request.from_json({k: v for k, v in bare.to_json().items() if k not in ("answer", "live")}) == bare


def test_a_response_round_trip():
    """Through JSON text, nothing is lost."""
    response = Response(
        versions=here(),
        status="done",
        payload=Payload((FrameRef(5),), b"", (Part("k/0", 5, "cd" * 32),)),
        numbers="n",
        signature="s",
        outputs=[{"stream": "stdout", "text": "ä\n"}],
        usage=Usage(1.5, 1.0, 30, True, "env", 7, 2),
        tasks=[TaskSummary(0.5), TaskSummary(0.25, "ValueError: x")],
    )
    assert vars(Response.from_json(json.loads(json.dumps(response.to_json())))) == vars(response)


def test_what_an_answer_may_have():
    """Values that stayed, kinds of errors, a payload that binds only; without a payload there is none."""
    stayed = Stayed("k", 9, (StayedValue(1, 2, (3, 4), "ff", True, "list of 2"),))
    response = Response(here(), "done", binds_only=True, stayed=stayed, tasks=[TaskSummary(1, "E: x", ("b.E", "b.B"))])
    assert vars(Response.from_json(json.loads(json.dumps(response.to_json())))) == vars(response)
    assert stayed.values[0].size_bytes == 7
    document = stayed.to_json()
    document["values"][0][4] = 1  # which equals true, and is another sign
    assert not Stayed.from_json(document).values[0].is_of_home
    bare = Response(here(), "refused", detail="why", error_kind="kind")
    assert not {"binds_only", "stayed"} & set(bare.to_json())
    read = Response.from_json(json.loads(json.dumps(bare.to_json())))
    assert vars(read) == vars(bare)
    assert (read.payload, read.outputs, read.tasks, read.usage) == (None, [], [], Usage())
    assert read.outputs is not bare.outputs
    assert not Response.from_json({**bare.to_json(), "binds_only": 1}).binds_only


def test_usage_of_a_newer_function_is_read():
    """What is not known is left out; INIT is billed, to the next millisecond."""
    assert Usage.from_json({"duration_ms": 1.5, "init_ms": 2, "cold": 1, "newer": "x"}) == Usage(1.5, init_ms=2)
    assert Usage(10.25, init_ms=5.5).billed_ms == 16
    assert Usage(8.0, init_ms=8.0).billed_ms == 16
    assert Usage() == (0.0, 0.0, 0, False, "", 0, 0, 0, 0.0)
    for wrong in ({"duration_ms": "1"}, {"environment_id": ["x"]}, {"s3_requests": -1}, []):
        with pytest.raises(ValueError, match="is not"):
            Usage.from_json(wrong)


def test_the_form_of_another_answer_is_short():
    """Five of its names, whatever it has."""
    with pytest.raises(ProtocolError) as caught:
        Response.from_json(dict.fromkeys("abcdefg"))
    assert caught.value.message.endswith("an object with 'a', 'b', 'c', 'd', 'e'")


@pytest.mark.parametrize("document", [None, [], {}, {MARK: {}}, {MARK: {}, "kind": "cell", "program": 5}, "text"])
def test_a_document_that_is_not_a_request_is_refused(document):
    """Refused as such, whatever it is."""
    with pytest.raises(ProtocolError, match="this event is not a lambdamagic request"):
        Request.from_json(document)


def test_a_document_that_is_not_an_answer_is_refused():
    """Says what came instead, by its form only."""
    for document, form in (
        ({"hello": 1}, "an object with 'hello'"),
        ({}, "an object with nothing in it"),
        ("text", "a str"),
    ):
        with pytest.raises(ProtocolError, match=f"answer is not lambdamagic's: {form}"):
            Response.from_json(document)


def test_an_event_that_comes_back_as_the_answer_shows_no_secret():
    """A function that is not lambdamagic's may return its event, with the job's key and presigned URLs in it."""
    event = Request(here(), "cell", "j", "1", b"SECRETKEY", Payload(()), cancel_url="http://signed").to_json()
    for document in (event, {"body": json.dumps(event)}, json.dumps(event)):
        with pytest.raises(ProtocolError) as caught:
            Response.from_json(document)
        assert event["key"] not in str(caught.value) and "signed" not in str(caught.value)


def test_secrets_do_not_show_in_reprs():
    """Neither the job's key nor presigned URLs of cancelling."""
    request = Request(here(), "cell", "j", "1", b"SECRETKEY", Payload(()), cancel_url="http://signed")
    assert "SECRETKEY" not in repr(request)
    assert "signed" not in repr(request)


def test_inline_frames_are_cut_apart():
    """Each in separate writable memory; staged ones are None."""
    payload = Payload((FrameRef(2), FrameRef(4, "ab" * 32, "u"), FrameRef(0), FrameRef(3)), b"xxyyy")
    segments = payload.inline_segments()
    assert segments == [b"xx", None, b"", b"yyy"]
    assert all(isinstance(segment, bytearray) for segment in segments if segment is not None)
    assert payload.size_bytes == 9


@pytest.mark.parametrize("inline", [b"x", b"xxxx"])
def test_frames_that_do_not_add_up(inline):
    """Too few or too many bytes are refused."""
    with pytest.raises(ProtocolError, match="do not add up"):
        Payload((FrameRef(2), FrameRef(1)), inline).inline_segments()


def test_a_staged_answer_is_cut_without_copying():
    """Views of one body; sizes must add up."""
    body = memoryview(bytearray(b"aabbb"))
    frames = split_frames((FrameRef(2), FrameRef(3)), body)
    assert [bytes(frame) for frame in frames] == [b"aa", b"bbb"]
    assert frames[0].obj is body.obj
    with pytest.raises(ProtocolError, match="do not add up"):
        split_frames((FrameRef(2),), body)


def test_what_is_signed():
    """Key, size and digest of each part."""
    assert signed_text((Part("k/0", 5, "ab"), Part("k/1", 6, "cd"))) == ("k/0 5 ab", "k/1 6 cd")
