"""The bound on concurrent calls is the executor's or the pool's: for all its calls and maps together."""

from __future__ import annotations

_SPAN = "(lambda time: (time.time(), time.sleep(0.15), time.time()))(__import__('time'))"


def _most_at_once(spans):
    moments = sorted([(begin, 1) for begin, _, _ in spans] + [(end, -1) for _, _, end in spans])
    return max(sum(change for _, change in moments[: count + 1]) for count in range(len(moments)))


def test_maps_and_calls_of_an_executor(executor):
    """Two workers run two tasks at once, whatever is asked of them."""
    maps = [executor.map(eval, [_SPAN] * 3, chunksize=1) for _ in range(4)]
    calls = [executor.submit(eval, _SPAN) for _ in range(3)]
    spans = [each for results in maps for each in results] + [call.result() for call in calls]
    assert _most_at_once(spans) == 2


def test_maps_and_calls_of_a_pool(pool):
    """The same for a pool."""
    maps = [pool.map_async(eval, [_SPAN] * 3, chunksize=1) for _ in range(3)]
    calls = [pool.apply_async(eval, (_SPAN,)) for _ in range(3)]
    iterator = pool.imap(eval, [_SPAN] * 3)
    spans = [each for results in maps for each in results.get()] + [call.get() for call in calls] + [*iterator]
    assert _most_at_once(spans) == 2
