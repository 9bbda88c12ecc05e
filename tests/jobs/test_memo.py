"""Outcomes that are kept in the bucket: which are found again, and which are not trusted."""

from __future__ import annotations

import builtins
import json
import sys
import types
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np
import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.fingerprint import NoFingerprintError
from lambdamagic.codec.home import Home
from lambdamagic.errors import BucketMissingError
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.memo import Memo, callable_key, clear
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.envelope import Response, TaskSummary
from lambdamagic.storage.memory_store import MemoryObjectStore

_KEY, _SECRET = "c" * 64, b"s" * 32
_HOME = Home({"__name__": "__main__", "__builtins__": builtins})


class Bucket:
    """A bucket, and the outcomes of one callable in it."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryObjectStore("bucket"), ManualClock()
        self.memo = self.session()

    def session(self, *, secret: bytes = _SECRET, key: str = _KEY) -> Memo:
        """Return what another session knows."""
        return Memo(self.store, secret, key, _HOME, self.clock)

    def keep(self, values: dict[int, Any], **more: Any) -> None:
        """Keep these values, each under its task's own number as its key."""
        self.memo.keep(arrival(values, **more), {task: f"k{task}" for task in values})

    @property
    def names(self) -> list[str]:
        return [info.key for info in self.store.list("")]

    def changed(self, suffix: str, change: Any) -> None:
        """Change the one object with such a name."""
        (name,) = [each for each in self.names if each.endswith(suffix)]
        self.store.put(name, [change(bytes(self.store.get(name)))])


def arrival(values: dict[int, Any], **more: Any) -> Arrival:
    """Return an invocation's answer; of an exception only the summary says it."""
    encoder, summaries = Encoder(_HOME), []
    for value in values.values():
        if isinstance(value, Exception):
            encoder.dump({"error": str(value)})
            summaries.append(TaskSummary(0.0, str(value)))
        else:
            encoder.dump({"value": value})
            summaries.append(TaskSummary(0.0))
    response = Response(versions.here(), "done", tasks=summaries)
    return replace(Arrival(Unit(tuple(values)), response, [*encoder.frames().segments], None, None), **more)


def test_what_was_kept_is_found_in_this_session_and_in_others():
    """Before it is written and after; by the positions in which it is asked for, however often."""
    bucket = Bucket()
    large = bytearray(b"x" * 3_000_000)
    bucket.keep({0: "a", 1: [1]})
    bucket.keep({2: large})
    wanted = ["k1", "other", None, "k0", "k2", "k1"]
    found = {0: [1], 3: "a", 4: large, 5: [1]}
    assert bucket.memo.find(wanted) == found
    assert bucket.names == []
    bucket.memo.flush()
    for memo in (bucket.memo, bucket.session()):
        assert memo.find(wanted) == found
        assert memo.find(wanted) == found
        assert memo.find(["other", None]) == {}
    assert bucket.session(key="d" * 64).find(wanted) == {}


def test_values_that_are_found_twice_are_separate():
    """Changing one changes neither the other nor what is kept."""
    bucket = Bucket()
    bucket.keep({0: bytearray(b"x" * 3_000_000)})
    for flushes in (False, True):
        if flushes:
            bucket.memo.flush()
        bucket.memo.find(["k0"])[0][:] = b"y" * 3_000_000
        assert bucket.memo.find(["k0"]) == {0: bytearray(b"x" * 3_000_000)}


def test_arrays_are_found_with_their_buffers():
    """Each has its own memory; what stayed in the bucket, or came another way, is no value."""
    bucket = Bucket()
    bucket.keep({0: np.arange(5_000), 1: np.arange(9_000)})
    other = Encoder(_HOME)
    other.dump({"stayed": 0})
    bucket.memo.keep(arrival({2: "a"}, frames=[*other.frames().segments]), {2: "k2"})
    for memo in (bucket.memo, bucket.session()):
        for _ in range(2):
            found = memo.find(["k0", "k1", "k2"])
            assert sorted(found) == [0, 1]
            np.testing.assert_array_equal(found[0], np.arange(5_000))
            np.testing.assert_array_equal(found[1], np.arange(9_000))
            found[0][:] = 7
        bucket.memo.flush()


def test_one_listing_and_one_read_of_each_pack():
    """Later calls know what was found then; a pack that holds nothing wanted is not read."""
    bucket = Bucket()
    for number in range(2):
        bucket.keep({2 * number: number, 2 * number + 1: number})
        bucket.memo.flush()
    memo = bucket.session()
    bucket.store.requests.clear()
    assert memo.find(["k0", "k1"]) == {0: 0, 1: 0}
    assert (bucket.store.requests["LIST"], bucket.store.requests["GET"]) == (1, 3)
    assert memo.find(["k2"]) == {0: 1}
    assert (bucket.store.requests["LIST"], bucket.store.requests["GET"]) == (1, 4)


def test_exceptions_and_outcomes_that_do_not_count_are_not_kept():
    """Those of the same invocation are found by their own frames."""
    bucket = Bucket()
    bucket.keep({0: ValueError("x"), 1: "a", 2: "b", 3: "c"}, superseded=frozenset({2}))
    bucket.memo.keep(arrival({4: "d", 5: "e"}), {4: None, 5: "k5"})
    for memo in (bucket.memo, bucket.session()):
        assert memo.find([f"k{number}" for number in range(6)]) == {1: "a", 3: "c", 5: "e"}
        bucket.memo.flush()


@pytest.mark.parametrize("more", [{"error": ValueError("x")}, {"response": None}, {"superseded": frozenset({0})}])
def test_an_invocation_without_an_outcome_that_counts_leaves_nothing(more: dict[str, Any]):
    """Nothing is written for it."""
    bucket = Bucket()
    bucket.keep({0: "a"}, **more)
    bucket.memo.keep(arrival({}), {})
    bucket.memo.keep(arrival({0: "a"}), {})
    bucket.memo.flush()
    assert (bucket.memo.find(["k0"]), bucket.names) == ({}, [])


def test_tasks_that_the_deadline_cut_off_are_not_kept():
    """The answer has outcomes of the first ones only."""
    bucket = Bucket()
    bucket.memo.keep(arrival({0: "a"}, unit=Unit((0, 1))), {0: "k0", 1: "k1"})
    assert bucket.memo.find(["k0", "k1"]) == {0: "a"}


def test_outcomes_are_written_when_they_are_many_or_old(monkeypatch: pytest.MonkeyPatch):
    """By their bytes, or by the time since the last writing; what was written counts for neither."""
    bucket = Bucket()
    size = sum(len(bytes(each)) for each in arrival({0: "a"}).frames)
    monkeypatch.setattr("lambdamagic.jobs.memo._FLUSH_BYTES", 3 * size)
    for packs in (1, 2):
        for number in range(3):
            assert len(bucket.names) == 2 * (packs - 1)
            bucket.keep({number: "a" if number < 2 else "a" * packs})
        assert len(bucket.names) == 2 * packs
    for packs in (3, 4):
        bucket.clock.advance(9.9)
        bucket.keep({0: "a"})
        assert len(bucket.names) == 2 * (packs - 1)
        bucket.clock.advance(0.1 if packs == 3 else 0.2)
        bucket.keep({0: "a"})
        assert len(bucket.names) == 2 * packs


def test_a_bucket_that_fails_costs_the_cache_only():
    """With a warning; what this session knows it still knows."""
    bucket = Bucket()
    bucket.keep({0: "a"})
    bucket.store.fail_next("PUT", BucketMissingError("gone"))
    with pytest.warns(RuntimeWarning, match="results could not be cached: gone") as shown:
        bucket.memo.flush()
    assert shown[0].filename == __file__
    assert bucket.memo.find(["k0"]) == {0: "a"}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"no json",
        lambda data: b"[]",
        lambda data: b'{"signature": "x"}',
        lambda data: b'{"body": "{}"}',
        lambda data: data.replace(b"k0", b"k7"),
        lambda data: b'{"body": "[]", "signature": ""}',
    ],
    ids=["no json", "a list", "no body", "no signature", "another key", "another body"],
)
def test_an_index_that_others_wrote_is_not_trusted(change: Any):
    """It is passed over, wherever it is in the listing; the others are read."""
    bucket = Bucket()
    bucket.keep({0: "a"})
    bucket.memo.flush()
    bucket.changed(".index", change)
    for number in (1, 2):
        bucket.keep({number: "b"})
        bucket.memo.flush()
    assert bucket.session().find([f"k{number}" for number in range(8)]) == {1: "b", 2: "b"}


def test_an_index_of_another_user_is_not_trusted():
    """Its signature is made with another secret; nor is one that was moved to another name."""
    bucket = Bucket()
    bucket.keep({0: "a"})
    bucket.memo.flush()
    assert bucket.session(secret=b"t" * 32).find(["k0"]) == {}
    index, pack = bucket.names
    moved = Bucket()
    for name in (index, pack):
        moved.store.put(f"{name[:-7]}x{name[-7:]}", [bytes(bucket.store.get(name))])
    assert moved.session().find(["k0"]) == {}


def test_a_signed_index_of_another_form_is_passed_over():
    """A newer version may write one."""
    bucket = Bucket()
    for number, body in enumerate(("[]", "{}", '{"sha256": "x", "size": 1, "entries": [[["k0"], [-1]]]}')):
        name = f"{keys.cache_prefix(_KEY)}{number}.index"
        signature = keys.sign(_SECRET, "cache", name, body)
        bucket.store.put(name, [json.dumps({"signature": signature, "body": body}).encode()])
    bucket.keep({5: "a"})
    bucket.memo.flush()
    assert bucket.session().find(["k0", "k5"]) == {1: "a"}


@pytest.mark.parametrize("change", [None, lambda data: data[::-1], lambda data: b""])
def test_a_pack_that_was_changed_or_has_expired_is_not_used(change: Any):
    """The task runs again."""
    bucket = Bucket()
    bucket.keep({0: "a"})
    bucket.memo.flush()
    if change is None:
        bucket.store.delete([name for name in bucket.names if name.endswith(".pack")])
    else:
        bucket.changed(".pack", change)
    assert bucket.memo.find(["k0"]) == {}
    assert bucket.session().find(["k0"]) == {}


def test_an_index_that_has_expired_since_the_listing_is_passed_over():
    """Objects expire at any moment."""
    bucket = Bucket()
    for number in range(2):
        bucket.keep({number: "a"})
        bucket.memo.flush()
    bucket.store.fail_next("GET", FileNotFoundError("gone"))
    assert list(bucket.session().find(["k0", "k1"]).values()) == ["a"]


def test_an_outcome_that_cannot_be_read_here_is_computed_again():
    """Its class may be gone; the others are found."""
    bucket = Bucket()
    gone = arrival({0: "a"})
    bucket.memo.keep(replace(gone, frames=[b"no pickle"]), {0: "k0"})
    bucket.keep({1: "b"})
    for _ in range(2):
        assert bucket.memo.find(["k0", "k1"]) == {1: "b"}
        bucket.memo.flush()


def test_outcomes_are_forgotten_by_their_callable_or_all():
    """With the number of objects."""
    bucket = Bucket()
    bucket.keep({0: "a"})
    bucket.memo.flush()
    other = bucket.session(key="d" * 64)
    other.keep(arrival({0: "b"}), {0: "k0"})
    other.flush()
    assert clear(bucket.store, _KEY) == 2
    assert (bucket.session().find(["k0"]), bucket.session(key="d" * 64).find(["k0"])) == ({}, {0: "b"})
    assert clear(bucket.store) == 2
    assert bucket.names == []


def test_a_call_is_known_by_its_arguments():
    """Equal ones have the same key; what cannot be distinguished from others has none."""
    memo = Bucket().memo
    assert memo.key_of([1], {"a": 2}) == memo.key_of((1,), {"a": 2})
    assert len({memo.key_of(*call) for call in (([1], {}), ([2], {}), ([], {"a": 1}), ([[1]], {}))}) == 4
    assert memo.key_of([{sys}], {}) is None


def key_of(fn: Any, **more: Any) -> str:
    """Return the key of a callable in a program."""
    nothing: Any = None
    return callable_key(_HOME, Program(Encoder(_HOME), nothing, nothing, [], {}, **more), fn)


def test_a_callable_is_known_by_its_code_and_by_what_it_reads():
    """By each part of its program, wherever it is held."""
    more: list[dict[str, Any]] = [
        {},
        {"modules_digest": "x"},
        {"code": ("x",)},
        {"values": {"a": 1}},
        {"values": {"a": 2}},
        {"values": {"b": 1}},
        {"held": {"m.a": 1}},
    ]
    found = [key_of(abs, **each) for each in more]
    assert found == [key_of(abs, **each) for each in more]
    assert len({*found, key_of(len)}) == len(more) + 1
    with pytest.raises(NoFingerprintError, match=r"^names cannot be cached: a set holds an object of type module"):
        key_of(abs, values={"names": {sys}})


def test_a_callable_is_known_by_the_versions_of_what_it_imports(monkeypatch: pytest.MonkeyPatch):
    """By the packages', also of those that do not say theirs; Python's own and ours are in other parts of it."""
    imports = frozenset({"json.decoder", "math", "os", "re", "__main__", "lambdamagic.api", "dateutil.parser", "x_y_z"})
    monkeypatch.setitem(sys.modules, "x_y_z", types.ModuleType("x_y_z"))
    monkeypatch.setitem(sys.modules, "dateutil", package := types.ModuleType("dateutil"))
    without = key_of(abs, imports=imports)
    sys.modules["x_y_z"].__version__ = ""
    package.__version__ = metadata.version("python-dateutil")
    assert key_of(abs, imports=imports) == without
    for own in ("json", "lambdamagic", "__main__"):
        monkeypatch.setattr(sys.modules[own], "__version__", "other", raising=False)
    assert key_of(abs, imports=imports) == without
    package.__version__ = "other"
    assert key_of(abs, imports=imports) != without
