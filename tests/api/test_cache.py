"""`cache=True`: a known result is not computed again, an unknown one is."""

from __future__ import annotations

import json

import pytest

import lambdamagic
from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.api.options import Access
from lambdamagic.config import load_settings
from lambdamagic.events import InvocationFinished, TaskFinished
from lambdamagic.protocol import keys
from lambdamagic.targets.secret import secret_file

SQUARE = "def square(x):\n    open(LOG, 'a').write('x')\n    return x * SCALE"


@pytest.fixture
def log(tmp_path, define):
    """Returns how often code ran since it was last asked."""
    path = tmp_path / "log"
    define(f"LOG = {str(path)!r}")
    define("SCALE = 2")

    def runs() -> int:
        count = len(path.read_text()) if path.exists() else 0
        path.unlink(missing_ok=True)
        return count

    return runs


@pytest.fixture
def store(monkeypatch):
    """The bucket behind the executors; what was kept is gone afterwards. It is written at a map's end only."""
    monkeypatch.setattr("lambdamagic.jobs.memo._FLUSH_S", 1e9)
    found = process.target(load_settings().settings, Access()).stager.store
    yield found
    found.delete([info.key for info in found.list(keys.cache_prefix())])


@pytest.fixture
def square(define, log, store):
    """A function that counts its runs."""
    return define(SQUARE)


def mapped(fn, items, **options):
    """Map with a new executor, and return the results and the events."""
    heard = []
    with LambdaExecutor(max_workers=2, cache=True, **options) as executor:
        executor.add_listener(heard.append)
        return list(executor.map(fn, items)), heard


def test_a_second_map_runs_only_what_is_new(square, log, faults):
    """Known tasks cost no invocation, and one LIST and two GETs cover all of them."""
    assert mapped(square, range(50))[0] == [2 * x for x in range(50)]
    assert log() == 50
    faults.stats(reset=True)
    found, heard = mapped(square, range(50))
    assert found == [2 * x for x in range(50)] and log() == 0
    asked = faults.stats()["requests"]
    assert "Invoke" not in asked.get("lambda", {})
    assert asked["s3"] == {"ListObjectsV2": 1, "GetObject": 2}
    cached = [event for event in heard if isinstance(event, TaskFinished) and event.is_cached]
    assert len(cached) == 50 and not any(isinstance(event, InvocationFinished) for event in heard)
    assert mapped(square, [3, 77, 4, 78])[0] == [6, 154, 8, 156]
    assert log() == 2


def test_submit_and_map_know_the_same(square, log):
    """A call is its arguments, however it was made."""
    with LambdaExecutor(cache=True) as executor:
        assert executor.submit(square, 5).result() == 10
        assert executor.submit(square, 5).result() == 10
        assert list(executor.map(square, [5, 6])) == [10, 12]
    assert log() == 2
    assert lambdamagic.remote(cache=True)(square)(6) == 12
    assert log() == 0


def test_a_windowed_map(square, log):
    """Items that are pulled later are looked up too."""
    mapped(square, range(0, 12, 2))
    log()
    with LambdaExecutor(cache=True) as executor:
        assert list(executor.map(square, iter(range(12)), buffersize=4)) == [2 * x for x in range(12)]
    assert log() == 6


def test_the_values_that_a_callable_reads_are_part_of_its_key(square, log, define):
    """Another global, another body: other tasks. The same again: known."""
    mapped(square, [1])
    define("SCALE = 3; OTHER = 1")
    assert mapped(square, [1])[0] == [3]
    changed = define(SQUARE.replace("square", "cube").replace("* SCALE", "** 3"))
    assert mapped(changed, [2])[0] == [8]
    assert log() == 3
    define("SCALE = 2; AGAIN = 1")
    moved = {}
    exec("\n\n\n" + SQUARE, square.__globals__, moved)
    assert mapped(moved["square"], [1])[0] == [2]
    assert log() == 0


def test_exceptions_are_not_kept(define, log, store):
    """What failed runs again; what did not is known."""
    fragile = define("def fragile(x):\n    open(LOG, 'a').write('x')\n    return 1 / x")
    with LambdaExecutor(cache=True) as executor:
        for _ in range(2):
            results = executor.map(fragile, [1, 0], chunksize=2)
            assert next(results) == 1
            with pytest.raises(ZeroDivisionError):
                next(results)
    assert log() == 3


def test_clearing(square, log, store, define):
    """One callable's outcomes, or all."""
    other = define("def other(x):\n    open(LOG, 'a').write('x')\n    return x")
    fn = lambdamagic.remote(cache=True)(square)
    assert list(fn.map([1, 2])) == [2, 4]
    mapped(other, [1])
    assert log() == 3
    assert fn.cache_clear() == 2
    assert list(fn.map([1])) == [2]
    mapped(other, [1])
    assert log() == 1
    assert lambdamagic.cache_clear() > 0
    assert not list(store.list(keys.cache_prefix()))


def test_a_planted_outcome_is_not_read(square, log, store):
    """An index that is not signed with this user's secret is passed over, and a pack that was changed is not read."""
    mapped(square, [1])
    log()
    names = [info.key for info in store.list(keys.cache_prefix())]
    index, pack = sorted(names)
    document = json.loads(store.get(index))
    kept = store.get(pack)
    store.put(pack, [kept.replace(b"K\x02", b"K\x63")])
    assert mapped(square, [1])[0] == [2]
    assert log() == 1
    store.delete([info.key for info in store.list(keys.cache_prefix())])
    document["signature"] = "0" * 64
    store.put(index, [json.dumps(document).encode()])
    store.put(pack, [kept])
    assert mapped(square, [1])[0] == [2]
    assert log() == 1
    assert secret_file().stat().st_mode & 0o777 == 0o600


def test_tasks_that_cannot_be_distinguished_run(define, log, store):
    """An argument without a fingerprint is a miss; a callable that reads one is reported by a warning."""
    define("class Odd:\n    def __reduce__(self):\n        raise RuntimeError\nODD = Odd()")
    odd = define("def odd(x):\n    open(LOG, 'a').write('x')\n    return x()")
    mapped(odd, [abs] and [lambda: 1])
    mapped(odd, [lambda: 1])
    assert log() == 1
