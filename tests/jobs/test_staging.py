"""Permissions that are renewed before they end."""

from __future__ import annotations

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.frames import Frames
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
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
