"""Digests taken next to a transfer."""

from __future__ import annotations

import hashlib
import threading

import pytest

from lambdamagic.errors import IntegrityError
from lambdamagic.storage.hashing import CheckedDigest, HashBehind

BODY = bytes(range(256)) * 12_000


def test_it_follows_what_is_ready() -> None:
    """Whatever the steps in which bytes become ready, all are hashed once and in order."""
    for steps in ([0], [1, 5, 400_000], [*range(0, len(BODY), 70_001)], [len(BODY)]):
        seen = hashlib.sha256()
        with HashBehind(seen.update) as behind:
            behind.follow([memoryview(BODY)[:100], memoryview(BODY)[100:]])
            for ready in steps:
                behind.advance(ready)
        assert seen.digest() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("first", [len(BODY), 1 << 19])
def test_it_never_runs_ahead(first: int) -> None:
    """No byte is hashed before it is said to be there, in one view or in the second of two."""
    gate = threading.Event()
    hashed: list[int] = []

    def update(data: memoryview) -> None:
        hashed.append(len(data))
        if sum(hashed) > 1 << 19:
            gate.set()

    with HashBehind(update) as behind:
        behind.follow([memoryview(BODY)[:first], memoryview(BODY)[first:]])
        behind.advance((1 << 20) + (1 << 19))
        assert gate.wait(30)
        assert sum(hashed) <= (1 << 20) + (1 << 19)
        behind.advance(len(BODY))
    assert sum(hashed) == len(BODY)


@pytest.mark.parametrize("ready", [0, len(BODY) - 1])
def test_the_first_and_the_last_byte_wait_to_be_there(ready: int) -> None:
    """A view of one byte is not hashed before anything is there, nor the last byte one too early."""
    hashed: list[int] = []
    all_of_it = threading.Event()

    def update(data: memoryview) -> None:
        hashed.append(len(data))
        if sum(hashed) > ready:
            all_of_it.set()

    with HashBehind(update) as behind:
        behind.follow([memoryview(BODY)[:1], memoryview(BODY)[1:]])
        behind.advance(ready)
        assert not all_of_it.wait(0.2)  # a thread that is too early is at once
        behind.advance(len(BODY))
    assert sum(hashed) == len(BODY)


def test_it_hashes_while_the_rest_is_on_its_way() -> None:
    """Bytes that have come are hashed in pieces, none of them empty, before the others come."""
    begun = threading.Event()
    hashed: list[int] = []

    def update(data: memoryview) -> None:
        hashed.append(len(data))
        if sum(hashed) >= 2 << 20:
            begun.set()

    with HashBehind(update) as behind:
        behind.follow([memoryview(BODY)])
        behind.advance(2 << 20)
        assert begun.wait(30)
    assert min(hashed) > 0
    assert len(hashed) < 10
    assert sum(hashed) == len(BODY)


def test_an_error_ends_it_early() -> None:
    """When the transfer fails no thread waits for a digest, and the thread is gone."""
    threads = set(threading.enumerate())
    with pytest.raises(RuntimeError), HashBehind(hashlib.sha256().update) as behind:
        behind.follow([memoryview(BODY)])
        raise RuntimeError
    assert not set(threading.enumerate()) - threads


def test_hashing_without_a_listener_costs_nothing() -> None:
    """Without a hasher and an expected digest no thread is made."""
    threads = set(threading.enumerate())
    with HashBehind(CheckedDigest(None, None, "k").wanted) as behind:
        behind.follow([memoryview(BODY)], ready=len(BODY))
        assert not set(threading.enumerate()) - threads


def test_the_callers_hasher_and_the_check_both_see_all() -> None:
    """A hasher and an expected digest may be given together."""
    seen = hashlib.sha256()
    assert CheckedDigest(seen, None, "k").wanted is not None
    assert CheckedDigest(None, "00", "k").wanted is not None
    digest = CheckedDigest(seen, hashlib.sha256(b"ab").hexdigest(), "k")
    digest.update(memoryview(b"a"))
    with pytest.raises(IntegrityError, match="'k'"):
        digest.check()
    digest.update(memoryview(b"b"))
    digest.check()
    assert seen.hexdigest() == hashlib.sha256(b"ab").hexdigest()
