"""Permissions that are renewed before they end."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.frames import Frames
from lambdamagic.errors import IntegrityError, ProtocolError
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import versions
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.keys import blob_key, result_key, sign
from lambdamagic.protocol.payload import FrameRef, Part, Payload, signed_text
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import TransferError
from lambdamagic.storage.requests import RequestMeter, paid_by


def test_a_job_outlives_the_permissions_of_its_program():
    """After an hour the program is still read by the URLs that an event carries; it is not uploaded again."""
    clock = ManualClock()
    store = MemoryObjectStore(clock=clock)
    stager = Stager(store, clock)
    began = clock.monotonic()
    payload = stager.place(Frames((b"code", b"x" * 100)), limit_bytes=0)
    puts = store.requests["PUT"]
    for _ in range(10):
        fresh = stager.fresh(payload, began)
        assert bytes(store.fetch(fresh.frames[1].url)) == b"x" * 100
        assert stager.fresh(payload, began) == fresh
        clock.advance(PRESIGN_EXPIRES_S * 0.45)
    with pytest.raises(TransferError, match="expired"):
        store.fetch(payload.frames[1].url)
    assert store.requests["PUT"] == puts


def test_inline_frames_need_no_permission():
    """And no bucket."""
    clock = ManualClock()
    stager = Stager(None, clock)
    payload = stager.place(Frames((b"code",)), limit_bytes=100)
    clock.advance(PRESIGN_EXPIRES_S)
    assert stager.fresh(payload, 0.0) == payload


def test_an_old_blob_is_checked_and_sent_again_if_it_is_missing():
    """Objects expire, and the embedded Lambda forgets blobs: what is trusted to be there is trusted for a while."""
    clock = ManualClock()
    store = MemoryObjectStore(clock=clock)
    stager = Stager(store, clock, trust_s=30.0)
    frames = Frames((b"code", b"x" * 100))
    blob = stager.place(frames, limit_bytes=0).frames[1].sha256
    clock.advance(29)
    stager.place(frames, limit_bytes=0)
    assert (store.requests["PUT"], store.requests["HEAD"]) == (2, 0)
    clock.advance(2)
    stager.place(frames, limit_bytes=0)
    assert (store.requests["PUT"], store.requests["HEAD"]) == (2, 2)
    clock.advance(31)
    store.delete([blob_key(blob)])
    again = stager.place(frames, limit_bytes=0)
    assert bytes(store.fetch(again.frames[1].url)) == b"x" * 100


def test_a_bucket_that_lacked_something_is_asked():
    """After a job failed since a blob was gone, the next one sends it."""
    store = MemoryObjectStore()
    stager = Stager(store)
    frames = Frames((b"code", b"x" * 100))
    stager.place(frames, limit_bytes=0)
    store.delete([info.key for info in store.list("")])
    stager.doubt()
    assert bytes(store.fetch(stager.place(frames, limit_bytes=0).frames[1].url)) == b"x" * 100


class _Staged:
    """A result in the bucket, as a function of the job staged it."""

    def __init__(self, *, key: str = result_key("job", "a", 0), signing_key: bytes = b"k" * 32) -> None:
        self.store = MemoryObjectStore()
        self.store.put(key, [b"result"])
        part = Part(key, 6, hashlib.sha256(b"result").hexdigest())
        payload = Payload((FrameRef(6),), b"", (part,))
        signature = sign(signing_key, "job", "a", *signed_text((part,)))
        self.response = Response(versions.here(), "done", payload, signature=signature)
        self.before = self.store.requests["GET"]

    def collect(self, **changes: Any) -> list[Any]:
        vars(self.response).update(changes)
        return Stager(self.store).collect(self.response, job_id="job", attempt_id="a", key=b"k" * 32)


def test_a_staged_result_is_read_once_it_is_known_to_be_the_functions():
    """Signed with the job's key, under the attempt's own names, with the digest that was signed."""
    assert [bytes(frame) for frame in _Staged().collect()] == [b"result"]


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", None])
def test_a_staged_result_without_the_jobs_signature_is_not_even_fetched(signature):
    """Its bytes would be unpickled."""
    staged = _Staged()
    with pytest.raises(IntegrityError, match="does not carry this job's signature"):
        staged.collect(signature=signature)
    with pytest.raises(IntegrityError, match="does not carry this job's signature"):
        _Staged(signing_key=b"x" * 32).collect()
    assert staged.store.requests["GET"] == staged.before


@pytest.mark.parametrize(
    "key", ["lambdamagic/blobs/x", result_key("other", "a", 0), result_key("job", "b", 0), result_key("job", "a", 9)]
)
def test_a_signed_result_under_a_foreign_key_is_not_fetched(key):
    """A function that was changed can sign; it still cannot have the client read, or delete, other objects."""
    staged = _Staged(key=key)
    with pytest.raises(IntegrityError, match="names objects that are not this job's"):
        staged.collect()
    assert staged.store.requests["GET"] == staged.before
    assert staged.store.requests["DELETE"] == 0
    with pytest.raises(IntegrityError, match="names objects that are not this job's"):
        Stager(staged.store).answer_parts(staged.response, job_id="job", attempt_id="a", key=b"k" * 32)


def test_a_staged_result_that_was_exchanged_is_not_returned():
    """The signature covers the digest of each part."""
    staged = _Staged()
    staged.store.put(result_key("job", "a", 0), [b"planted"[:6]])
    with pytest.raises(IntegrityError):
        staged.collect()


def _in_parts(*bodies: bytes, frames: tuple[int, ...], outputs: list[Any] | None = None) -> tuple[Any, Response]:
    """Return a store with a staged answer in parts, and the answer."""
    store, parts = MemoryObjectStore(), []
    for number, body in enumerate(bodies):
        store.put(result_key("job", "a", number), [body])
        parts.append(Part(result_key("job", "a", number), len(body), hashlib.sha256(body).hexdigest()))
    payload = Payload(tuple(map(FrameRef, frames)), b"", tuple(parts))
    signature = sign(b"k" * 32, "job", "a", *signed_text(tuple(parts)))
    return store, Response(versions.here(), "done", payload, signature=signature, outputs=outputs)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_result_in_parts_is_put_together_in_order(keeps):
    """And deleted when it was read, unless another process may resume the job; its bytes are announced to the payer."""
    store, response = _in_parts(b"abc", b"defgh", frames=(2, 6))
    meter, more = RequestMeter(), {"keeps": True} if keeps else {}
    with paid_by(meter):
        frames = Stager(store).collect(response, job_id="job", attempt_id="a", key=b"k" * 32, **more)
    assert [bytes(frame) for frame in frames] == [b"ab", b"cdefgh"]
    assert meter.expected == 8
    assert len([*store.list("")]) == (2 if keeps else 0)


def test_a_staged_answer_can_be_read_by_another_function():
    """By permissions for each of its parts; when no more reads it, it is deleted."""
    store, response = _in_parts(b"abc", b"de", frames=(5,))
    stager = Stager(store)
    parts = stager.answer_parts(response, job_id="job", attempt_id="a", key=b"k" * 32)
    assert [(each.size_bytes, bytes(store.fetch(each.url, sha256=each.sha256))) for each in parts] == [
        (3, b"abc"),
        (2, b"de"),
    ]
    stager.forget_parts(Response(versions.here(), "done"))
    stager.forget_parts(Response(versions.here(), "done", Payload(())))
    assert store.requests["DELETE"] == 0
    stager.forget_parts(response)
    assert [*store.list("")] == []


def test_outputs_in_the_last_frame_are_put_in_their_place():
    """What is printed may be large; an answer without a payload, or with outputs in it, is left as it is."""
    shown = b'[{"text": "a"}]'
    place = [{"in_last_frame": True}]
    store, response = _in_parts(b"abc" + shown, frames=(3, len(shown)), outputs=list(place))
    inline = Payload((FrameRef(3), FrameRef(len(shown))), b"abc" + shown)
    for each in (response, Response(versions.here(), "done", inline, outputs=list(place))):
        assert [bytes(frame) for frame in _collected(store, each)] == [b"abc"]
        assert each.outputs == [{"text": "a"}]
    plain = Response(versions.here(), "done", Payload((FrameRef(3),), b"abc"), outputs=[{"text": "b"}, *place])
    assert [bytes(frame) for frame in _collected(store, plain)] == [b"abc"]
    assert plain.outputs == [{"text": "b"}, *place]
    assert _collected(store, Response(versions.here(), "done")) == []


@pytest.mark.parametrize("last", [b"no json", b"{}", b"[1]", None])
def test_outputs_of_another_form_are_refused(last):
    """The answer is none of lambdamagic's."""
    payload = Payload(()) if last is None else Payload((FrameRef(len(last)),), last)
    response = Response(versions.here(), "done", payload, outputs=[{"in_last_frame": True}])
    with pytest.raises(ProtocolError, match="outputs cannot be read"):
        _collected(MemoryObjectStore(), response)


def _collected(store, response):
    return Stager(store).collect(response, job_id="job", attempt_id="a", key=b"k" * 32)
