"""Values that stay in the bucket: where they are, what reads them, and when their objects are deleted."""

from __future__ import annotations

import builtins
import gc
import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.frames import StoredAt
from lambdamagic.codec.home import Home
from lambdamagic.errors import BucketMissingError, IntegrityError, TargetError
from lambdamagic.jobs import remote_values as module
from lambdamagic.jobs.remote_values import RemoteValue, remote_values
from lambdamagic.protocol.stayed import Stayed, StayedValue
from lambdamagic.storage.memory_store import MemoryObjectStore

_HOME = Home({"__name__": "__main__", "__builtins__": builtins})


class Bucket(MemoryObjectStore):
    """A store that says what was deleted together."""

    def __init__(self) -> None:
        super().__init__("bucket")
        self.deleted: list[list[str]] = []
        self.some = threading.Condition()
        self.fails: Exception | None = None

    def delete(self, keys: Iterable[str]) -> None:
        with self.some:
            self.deleted.append([*keys])
            self.some.notify_all()
        if self.fails is not None:
            raise self.fails

    def until(self, is_so: Callable[[list[list[str]]], bool]) -> None:
        with self.some:
            assert self.some.wait_for(lambda: is_so(self.deleted), 20)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is freed is not gathered for long."""
    monkeypatch.setattr(module, "_GATHER_S", 0.01)


def left(
    store: MemoryObjectStore | None, *values: Any, key: str = "k", is_freed: bool = True
) -> dict[int, RemoteValue]:
    """Return references to values that a function left in one object, of tasks 3, 4 and so on."""
    body, stayed = b"head", []
    for task, value in enumerate(values, 3):
        encoder = Encoder(_HOME)
        encoder.dump(value)
        segments = [bytes(each) for each in encoder.frames().segments]
        data = b"".join(segments)
        sizes = tuple(map(len, segments))
        stayed.append(StayedValue(task, len(body), sizes, hashlib.sha256(data).hexdigest(), task == 4, f"kind {task}"))
        body += data
    if store is not None:
        store.put(key, [body])
    return dict(remote_values(Stayed(key, len(body), tuple(stayed)), store, key, is_freed=is_freed))


def test_a_value_refers_to_its_bytes_in_the_bucket() -> None:
    """Whoever reads it gets those; each with what it is."""
    store = Bucket()
    found = left(store, [1], bytearray(b"x" * 5_000))
    assert sorted(found) == [3, 4]
    first, second = found[3], found[4]
    assert (first.kind, repr(second)) == ("kind 3", "<in the bucket: kind 4>")
    for value, is_of_home in ((first, False), (second, True)):
        at = value.written(_HOME)
        assert (at.is_of_home, at.gives_copies, at.pieces, at.size_bytes) == (is_of_home, True, (), value.size_bytes)
        assert at.stored == StoredAt("k", 4 if value is first else 4 + first.size_bytes, len(store.get("k")))
        start = at.stored.start
        assert at.sha256 == (hashlib.sha256(store.get("k")[start : start + value.size_bytes]).hexdigest(),)


def test_an_answer_may_leave_nothing() -> None:
    """Or there is no bucket; one that names another object is refused."""
    assert remote_values(None, Bucket(), "k", is_freed=True) == {}
    assert left(None, 1) == {}
    with pytest.raises(IntegrityError, match="not its own"):
        remote_values(Stayed("other", 1, ()), Bucket(), "k", is_freed=True)


def test_a_value_is_read_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a range of the object, with its digest; each reader gets a copy. What has expired says so."""
    store = Bucket()

    class Ranges:
        def fetch_range(self, url: str, start: int, size: int, total: int, *, sha256: str) -> bytearray:
            body = store.fetch(url)
            assert total == len(body)
            data = body[start : start + size]
            assert hashlib.sha256(data).hexdigest() == sha256
            return data

    monkeypatch.setattr(module, "default_transfer", Ranges)
    found = left(store, [1], bytearray(b"x" * 5_000))
    assert (found[3].value, found[4].read(_HOME)) == ([1], bytearray(b"x" * 5_000))
    found[4].value[:] = b""
    assert found[4].value == bytearray(b"x" * 5_000)
    MemoryObjectStore.delete(store, ["k"])
    with pytest.raises(TargetError, match=r"^<in the bucket: kind 3> is no longer in the bucket") as caught:
        found[3].read(_HOME)
    assert caught.value.hint == "Run the job that made it again"


def test_an_object_is_deleted_with_the_last_reference_to_a_value_in_it() -> None:
    """Not before, and not at all where another process may resume the job."""
    store = Bucket()
    found = left(store, 1, 2, key="a")
    kept = left(store, 1, key="b", is_freed=False)
    one = found.pop(3)
    del found
    gc.collect()
    assert store.deleted == []
    del one, kept
    gc.collect()
    store.until(lambda deleted: deleted == [["a"]])


def test_objects_that_are_freed_together_are_deleted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one request for each bucket, with as many as one takes; the thread ends with the last."""
    monkeypatch.setattr(module, "_GATHER_S", 0.2)
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 3)
    store, other = Bucket(), Bucket()
    held = [left(store, 1, key=key) for key in "dcba"]  # a list lets its last go first
    more = left(other, 1, key="x")
    thread = module._bin._thread
    assert thread is not None and thread.daemon
    held.clear()
    store.until(lambda deleted: [key for keys in deleted for key in keys] == list("abcd"))
    assert store.deleted == [["a", "b", "c"], ["d"]]
    assert thread.is_alive() and other.deleted == []
    more.clear()
    other.until(lambda deleted: deleted == [["x"]])
    thread.join(20)
    assert not thread.is_alive()
    again = left(store, 1, key="e")
    again.clear()
    store.until(lambda deleted: deleted[-1] == ["e"])


@pytest.mark.parametrize("error", [BucketMissingError("gone"), RuntimeError("closed"), OSError("unwell")])
def test_an_object_that_cannot_be_deleted_expires(error: Exception) -> None:
    """The others are deleted all the same."""
    store, other = Bucket(), Bucket()
    store.fails = error
    held = [left(store, 1, key="a"), left(other, 1, key="b")]
    held.clear()
    other.until(lambda deleted: deleted == [["b"]])
    store.until(lambda deleted: deleted == [["a"]])
    later = left(other, 1, key="c")
    later.clear()
    other.until(lambda deleted: deleted == [["b"], ["c"]])
