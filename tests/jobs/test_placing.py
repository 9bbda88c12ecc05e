"""What goes into an event itself and what through the bucket, with which permissions, and how often it is sent."""

from __future__ import annotations

import hashlib
import threading
import warnings
from typing import Any

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.frames import OUT_OF_BAND_MIN_BYTES, Frames, StoredAt, Written
from lambdamagic.errors import EncodeError, InvocationLostError, ResultError
from lambdamagic.jobs.staging import RESULT_PARTS, Stager
from lambdamagic.protocol import keys
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.protocol.envelope import Live, Upload
from lambdamagic.protocol.payload import FrameRef, Payload
from lambdamagic.protocol.seal import seal
from lambdamagic.storage.memory_store import MemoryObjectStore


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Signing(MemoryObjectStore):
    """A store whose permissions name their signer and end after some time."""

    def __init__(self, lasts_s: float = float("inf")) -> None:
        super().__init__("bucket")
        self.name, self.lasts_s, self.needed_s = "one", lasts_s, list[float]()

    def signer(self) -> str:
        return self.name

    def presign_get(self, key: str, expires_s: int) -> str:
        return f"memory://bucket/{key}?Credential={self.name}%2Fregion"

    def links_last_s(self, needed_s: float) -> float:
        self.needed_s.append(needed_s)
        return self.lasts_s


def test_what_fits_is_sent_inline_and_asks_for_nothing() -> None:
    """Up to the limit itself; no permission is signed for that, nor is a bucket needed."""
    frames = Frames((b"code", b"x" * 6))
    assert Stager(None).place(frames, limit_bytes=11).inline == b"codexxxxxx"
    assert Stager(None).place(frames, limit_bytes=10) == Payload((FrameRef(4), FrameRef(6)), b"codexxxxxx")
    with pytest.raises(ResultError, match="no bucket is set to stage it in"):
        Stager(None).place(frames, limit_bytes=9)


def test_the_largest_go_through_the_bucket() -> None:
    """The rest stays in the event, in its order; each reference has the size, the digest and a permission."""
    store = MemoryObjectStore("bucket")
    frames = Frames((b"code", b"x" * 5_000, b"tail"))
    payload = Stager(store).place(frames, limit_bytes=1_000)
    assert payload.inline == b"codetail"
    assert payload.frames[::2] == (FrameRef(4), FrameRef(4))
    staged = payload.frames[1]
    assert (staged.size_bytes, staged.sha256) == (5_000, sha(b"x" * 5_000))
    assert bytes(store.fetch(staged.url)) == b"x" * 5_000


@pytest.mark.parametrize(
    ("sizes", "limit", "link", "staged"),
    [
        ((5, 3, 9, 1), 18, 0, set()),
        ((5, 3, 9, 1), 17, 0, {2}),
        ((5, 3, 9, 1), 9, 0, {2}),
        ((5, 3, 9, 1), 8, 0, {2, 0}),
        ((5, 3, 9, 1), 0, 0, {0, 1, 2, 3}),
        ((5, 3, 9, 1), 11, 2, {2}),
        ((5, 3, 9, 1), 10, 2, {2, 0}),
        ((5, 3, 9, 1), 7, 3, {2, 0}),
        ((5, 3, 9, 1), 7, 2, {2, 0, 1}),
        ((5, 3, 9, 1), 0, 4, {0, 1, 2, 3}),
    ],
)
def test_as_few_as_possible_are_staged(sizes: tuple[int, ...], limit: int, link: int, staged: set[int]) -> None:
    """A staged one still takes its link; one that is no larger than that stays, unless nothing may."""
    frames = Frames(tuple(bytes(size) for size in sizes))
    assert Stager(None).frames_to_stage(frames, limit, link) == staged
    if not link:
        assert Stager(None).frames_to_stage(frames, limit) == staged


def test_what_is_shorter_than_its_link_stays() -> None:
    """Links are long, above all with a token."""

    class Long(MemoryObjectStore):
        def presign_get(self, key: str, expires_s: int) -> str:
            return super().presign_get(key, expires_s).ljust(400)

    for size, puts in ((300, 0), (301, 1)):
        store = Long("bucket")
        Stager(store).place(Frames((b"code", b"x" * size)), limit_bytes=250)
        assert store.requests["PUT"] == puts


def test_shared_objects_go_by_their_pieces() -> None:
    """Small ones inline, without a bucket all of them; what is in the bucket already is referred to where it is."""
    small, large = b"s" * (OUT_OF_BAND_MIN_BYTES - 1), b"x" * OUT_OF_BAND_MIN_BYTES
    written = [Written(Frames((data,)), is_of_home=True, extends=True) for data in (small, large)]
    at = Written.at(StoredAt("k", 7, 100), (4, 5), "ab", is_of_home=False)
    frames = Frames((b"code",), (at, *written))
    store = Signing()
    payload = Stager(store).place(frames, limit_bytes=10)
    assert payload.inline == b"code" + small
    url = "memory://bucket/{}?Credential=one%2Fregion"
    assert payload.frames == (
        FrameRef(4),
        FrameRef(9, "ab", url.format("k"), (7, 100), "k"),
        FrameRef(len(small)),
        FrameRef(len(large), sha(large), url.format(keys.blob_key(sha(large)))),
    )
    assert [(each.piece_count, each.is_of_home, each.extends, each.stayed) for each in payload.shared] == [
        (1, False, False, True),
        (1, True, True, False),
        (1, True, True, False),
    ]
    assert [each.digest for each in payload.shared] == [each.digest for each in frames.shared]
    assert Stager(None).place(Frames((b"code",), tuple(written)), limit_bytes=10).inline == b"code" + small + large
    renewed = Stager(store).renewed(payload)
    assert renewed == payload


def test_an_object_that_was_changed_after_put_is_not_sent() -> None:
    """What its digest names is something else; no bucket has it under that name."""
    data = bytearray(b"x" * OUT_OF_BAND_MIN_BYTES)
    written = Written(Frames((memoryview(data),)), is_of_home=False)
    written.pieces = (memoryview(data),)
    data[0] = 0
    store = MemoryObjectStore("bucket")
    with pytest.raises(EncodeError, match="was changed after put"):
        Stager(store).place(Frames((b"",), (written,)), limit_bytes=10)
    assert store.requests["PUT"] == 0


def test_what_is_large_is_asked_for_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session may have sent it; what is smaller is sent at once."""
    monkeypatch.setattr("lambdamagic.jobs.staging._ASK_MIN_BYTES", 50)
    store = MemoryObjectStore("bucket")
    for _ in range(2):
        stager = Stager(store)
        for size in (49, 50, 51):
            stager.place(Frames((b"x" * size,)), limit_bytes=0)
    assert (store.requests["HEAD"], store.requests["PUT"]) == (4, 4)


def test_what_two_threads_send_at_once_is_sent_once() -> None:
    """The second waits for the first."""
    began, go_on = threading.Event(), threading.Event()

    class Slow(MemoryObjectStore):
        def put(self, *args: Any, **more: Any) -> None:
            began.set()
            assert go_on.wait(20)
            super().put(*args, **more)

    store = Slow("bucket")
    stager, frames = Stager(store), Frames((b"x" * 100,))
    threads = [threading.Thread(target=stager.place, args=(frames,), kwargs={"limit_bytes": 0}) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert began.wait(20)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert store.requests["PUT"] == 1


def test_permissions_are_renewed_when_half_of_their_time_has_passed() -> None:
    """Or with other credentials; once for all invocations, until they have to be again."""
    clock, store = ManualClock(), Signing()
    stager, began = Stager(store, clock), clock.monotonic()
    payload = stager.place(Frames((b"code", b"x" * 100)), limit_bytes=0)
    clock.advance(PRESIGN_EXPIRES_S / 2 - 1)
    assert stager.fresh(payload, began) is payload
    clock.advance(1)
    later = stager.fresh(payload, began)
    assert later is not payload and later == payload
    clock.advance(PRESIGN_EXPIRES_S / 2 - 1)
    assert stager.fresh(payload, began) is later
    clock.advance(1)
    latest = stager.fresh(payload, began)
    assert latest is not later
    store.name = "two"
    other = stager.fresh(payload, began)
    assert "Credential=two%2F" in other.frames[0].url
    assert stager.fresh(payload, began) is other
    assert stager.fresh(payload, clock.monotonic()) is not payload
    store.name = ""
    assert stager.fresh(payload, clock.monotonic()) is payload


def test_only_the_latest_renewed_permissions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are long, and have many programs."""
    monkeypatch.setattr("lambdamagic.jobs.staging._RENEWED_KEPT", 2)
    clock, stager = ManualClock(), Stager(MemoryObjectStore("bucket"))
    payloads = [stager.place(Frames((bytes([n]),)), limit_bytes=0) for n in range(3)]
    began = clock.monotonic() - PRESIGN_EXPIRES_S
    stager = Stager(stager.store, clock)
    first = [stager.fresh(each, began) for each in payloads]
    assert [stager.fresh(each, began) is known for each, known in zip(payloads[1:], first[1:], strict=True)] == [
        True
    ] * 2
    assert stager.fresh(payloads[0], began) is not first[0]


def test_a_payload_for_many_events_is_placed_once() -> None:
    """At the first call; its permissions are renewed."""
    clock, store = ManualClock(), Signing()
    payload = Stager(store, clock).placed_once(Frames((b"x" * 100,)), limit_bytes=0)
    assert store.requests["PUT"] == 0
    first = payload()
    assert payload() is first
    clock.advance(PRESIGN_EXPIRES_S)
    assert payload() is not first
    assert store.requests["PUT"] == 1


def test_permissions_must_outlast_an_invocation_and_its_wait() -> None:
    """If they cannot, that is said once; without a bucket there are none that end."""
    assert Stager(None).links_last_s(900.0) == float("inf")
    store = Signing(lasts_s=6_000.0)
    stager = Stager(store)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stager.links_last_s(6_000.0, queued_s=600.0) == 6_000.0
        assert stager.links_last_s(100.0) == 6_000.0
    with pytest.warns(UserWarning, match=r"expire in 100 minutes.*longer \(up to 6001 s\)") as shown:
        assert stager.links_last_s(6_001.0) == 6_000.0
        assert stager.links_last_s(6_001.0) == 6_000.0
    assert len(shown) == 1 and shown[0].filename == __file__
    assert store.needed_s == [6_660.0, 160.0, 6_061.0, 6_061.0]


def test_a_function_may_write_only_its_attempts_objects() -> None:
    """Its result in parts, its answer, its heartbeat, and the values that stay."""
    store = MemoryObjectStore("bucket")
    stager = Stager(store)
    uploads = stager.uploads("job", "a")
    assert [each.key for each in uploads] == [keys.result_key("job", "a", part) for part in range(RESULT_PARTS)]
    stay = stager.stay("job", "a")
    assert stay is not None and stay.key == keys.stayed_key("job", "a")
    live = stager.live("job", "a", 2.5)
    for url, key in (
        *((each.url, each.key) for each in (*uploads, stay)),
        (stager.answer_url("job", "a"), keys.answer_key("job", "a")),
        (live.put_url, keys.live_key("job", "a")),
    ):
        store.upload(url, [key.encode()])
        assert bytes(store.get(key)) == key.encode()
    assert bytes(store.fetch(live.get_url)) == keys.live_key("job", "a").encode()
    assert bytes(store.fetch(live.answer_url)) == keys.answer_key("job", "a").encode()
    assert isinstance(live, Live) and live.every_s == 2.5
    stager.mark_cancelled("job")
    assert bytes(store.fetch(stager.cancel_url("job"))) == b"cancelled"
    assert isinstance(stay, Upload)


def test_without_a_bucket_nothing_may_be_written() -> None:
    """Everything is sent inline."""
    stager = Stager(None)
    assert (stager.uploads("job", "a"), stager.stay("job", "a"), stager.cancel_url("job")) == ((), None, "")
    stager.mark_cancelled("job")


def test_heartbeats_are_found_and_forgotten_by_their_attempts() -> None:
    """With the requests that were uploaded for them, if there are any."""
    store = MemoryObjectStore("bucket")
    stager = Stager(store)
    for attempt in ("a", "b", "c"):
        store.put(keys.live_key("job", attempt), [attempt.encode()])
        store.put(keys.trigger_key("f", "job", attempt), [b"request"])
    assert {name: info.size_bytes for name, info in stager.signs_of_life("job").items()} == {"a": 1, "b": 1, "c": 1}
    stager.forget_signs("job", ["a"])
    assert set(stager.signs_of_life("job")) == {"b", "c"}
    assert store.exists(keys.trigger_key("f", "job", "a"))
    stager.forget_signs("job", ["b"], triggered="f")
    assert set(stager.signs_of_life("job")) == {"c"}
    assert [store.exists(keys.trigger_key("f", "job", each)) for each in "abc"] == [True, False, True]
    assert (stager.stored_jobs(), stager.has_answer("job", "c")) == (["job"], False)
    store.put(f"{keys.jobs_prefix()}no job of ours/x", [b""])
    assert stager.stored_jobs() == ["job"]


def test_an_answer_is_read_with_its_signature_and_stays() -> None:
    """One that is not there was lost; whoever resumes the job reads it again."""
    store, key = MemoryObjectStore("bucket"), b"k" * 32
    stager = Stager(store)
    with pytest.raises(InvocationLostError, match="its answer is not in the bucket"):
        stager.read_answer("job", "a", key)
    store.put(keys.answer_key("job", "a"), [seal({"x": 1}, key=key, job_id="job", attempt_id="a")])
    assert stager.has_answer("job", "a")
    for _ in range(2):
        assert stager.read_answer("job", "a", key) == b'{"x": 1}'
