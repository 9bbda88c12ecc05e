"""What the fake can next to the contract."""

from __future__ import annotations

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.errors import BucketMissingError, TargetError
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import TransferError


def test_requests_are_counted() -> None:
    """Every operation leaves a count, refused ones too."""
    store = MemoryObjectStore()
    store.put("k", [b"x"])
    store.get("k")
    store.exists("k")
    [*store.list("")]
    store.delete(["k"])
    with pytest.raises(FileNotFoundError):
        store.get("k")
    assert store.requests == {"PUT": 1, "GET": 2, "HEAD": 1, "LIST": 1, "DELETE": 1}


def test_failures_are_scripted() -> None:
    """A scripted failure hits the next requests of its operation, which change nothing."""
    store = MemoryObjectStore()
    store.fail_next("PUT", TargetError("scripted"), times=2)
    for _ in range(2):
        with pytest.raises(TargetError, match="scripted"):
            store.put("k", [b"x"])
    assert not store.exists("k")
    store.put("k", [b"x"])
    assert store.get("k") == b"x"


def test_one_failure_is_scripted_unless_more_are_asked_for() -> None:
    """The request after it succeeds."""
    store = MemoryObjectStore()
    store.fail_next("GET", TargetError("scripted"))
    store.put("k", [b"x"])
    with pytest.raises(TargetError, match="scripted"):
        store.get("k")
    assert store.get("k") == b"x"


def test_a_bucket_can_be_missing() -> None:
    """As on S3, a missing bucket fails all but the question whether a key exists."""
    store = MemoryObjectStore("b")
    assert store.bucket == "b"
    store.missing = True
    for operation in (lambda: store.put("k", []), lambda: store.get("k"), lambda: store.delete(["k"])):
        with pytest.raises(BucketMissingError, match="'b'"):
            operation()
    assert not store.exists("k")


def test_urls_end() -> None:
    """A URL is good for as long as it was made for."""
    clock = ManualClock()
    store = MemoryObjectStore(clock=clock)
    store.put("k", [b"x"])
    url = store.presign_get("k", 60)
    clock.advance(59.9)
    assert store.fetch(url, 1) == b"x"
    for after_s in (0.1, 1.0):
        clock.advance(after_s)
        with pytest.raises(TransferError, match="expired") as caught:
            store.fetch(url, 1)
        assert caught.value.status == 403


def test_urls_of_another_store_are_refused() -> None:
    """A URL opens its own bucket only."""
    url = MemoryObjectStore("one").presign_put("k", 60)
    with pytest.raises(TransferError, match="another store") as caught:
        MemoryObjectStore("two").upload(url, [b"x"])
    assert caught.value.status == 403
    with pytest.raises(TransferError, match="not for GET") as caught:
        MemoryObjectStore("one").fetch(url, 1)
    assert caught.value.status == 403
