"""Permissions that are renewed before they end."""

from __future__ import annotations

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.protocol.keys import blob_key
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import TransferError


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


def test_what_rides_inline_needs_no_permission():
    """And no bucket."""
    clock = ManualClock()
    stager = Stager(None, clock)
    payload = stager.place(Frames((b"code",)), limit_bytes=100)
    clock.advance(PRESIGN_EXPIRES_S)
    assert stager.fresh(payload, 0.0) == payload


def test_what_was_sent_long_ago_is_asked_for_and_sent_again_if_it_is_gone():
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
