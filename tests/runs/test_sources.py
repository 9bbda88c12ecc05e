"""Where a run's work comes from."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from lambdamagic.codec.each import iter_items
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.jobs.job import Unit
from lambdamagic.jobs.outcomes import encode_items
from lambdamagic.protocol.manifest import BLOCK_TASKS
from lambdamagic.runs.sources import ChunkedItems, Sizing, Units, runs_of

HOME = Home({"__name__": "__main__", "__builtins__": builtins})


def _encode(chunk: Any, first: int) -> Frames:
    return encode_items(HOME, chunk, first, "auto")


def _source(items: Any = None, *, chunksize: int = 3, **more: Any) -> ChunkedItems:
    return ChunkedItems(_encode, Sizing(3, 1_000_000, chunksize), items, **more)


def _carried(unit: Unit | None) -> tuple[tuple[int, ...], list[Any]]:
    assert unit is not None and unit.items is not None
    return unit.tasks, list(iter_items(unit.items().segments, HOME))


def test_chosen_tasks_are_grouped_by_neighbors() -> None:
    """An attempt's name says which tasks it carries only if they are neighbors."""
    source = _source("abcdefgh", runs=runs_of([0, 1, 4, 5, 6, 7]))
    assert [_carried(source.take(1)) for _ in range(3)] == [
        ((0, 1), ["a", "b"]),
        ((4, 5, 6), ["e", "f", "g"]),
        ((7,), ["h"]),
    ]
    assert source.is_dry


def test_scattered_tasks_share_a_chunk_where_that_is_allowed() -> None:
    """What a cache leaves over is not sent one by one, and a part of a chunk still has its own items."""
    source = _source("abcdefgh", runs=runs_of([0, 2, 3, 6]), joins=True)
    unit = source.take(1)
    assert _carried(unit) == ((0, 2, 3), ["a", "c", "d"])
    assert unit is not None and unit.part is not None
    assert _carried(unit.part((2, 3))) == ((2, 3), ["c", "d"])
    assert _carried(source.take(1)) == ((6,), ["g"])


def test_added_items_are_joined_and_released() -> None:
    """Items that come one by one share a chunk, wake the engine once, and leave the source when they are taken."""
    woken: list[int] = []
    source = _source()
    source.on_more(lambda: woken.append(1))
    for number in range(3):
        source.put_items([f"item {number}"], [range(number, number + 1)])
    assert len(woken) == 1
    assert not source.is_dry
    assert _carried(source.take(1)) == ((0, 1, 2), ["item 0", "item 1", "item 2"])
    assert (source.waiting, list(source._put_items)) == (0, [])
    source.close()
    assert source.is_dry


def test_a_dropped_source_is_over() -> None:
    """What waited is gone, and what comes afterwards is not taken."""
    source = _source()
    source.put_items("ab", [range(2)])
    source.drop()
    source.put_items("c", [range(2, 3)])
    assert source.take(1) is None
    assert source.is_dry


def test_arguments_of_a_known_number_are_kept_at_once_those_of_a_stream_as_they_are_sent() -> None:
    """What another process needs is there before the first task is sent, as far as it is known."""
    kept: list[range] = []
    whole = _source("abcd")
    whole.keep(lambda tasks, frames: kept.append(tasks))
    assert kept == [range(4)]
    stream = _source(chunksize=2)
    stream.keep(lambda tasks, frames: kept.append(tasks))
    stream.put_items("abcd", [range(4)])
    assert kept == [range(4)]
    _carried(stream.take(1))
    assert kept == [range(4), range(2)]


def test_no_chunk_spans_two_blocks_of_stored_arguments() -> None:
    """Who resumes the job points at one block for a chunk."""
    source = _source(range(BLOCK_TASKS + 10), chunksize=BLOCK_TASKS - 1)
    source.keep(lambda tasks, frames: None)
    taken = [_carried(source.take(1))[0] for _ in range(3)]
    last = BLOCK_TASKS - 1
    assert [(tasks[0], len(tasks)) for tasks in taken] == [(0, last), (last, 1), (BLOCK_TASKS, 10)]


def test_units_come_before_chunks_and_not_after_the_end() -> None:
    """Submitted units come first; a closed source takes none."""
    units = Units(is_open=True)
    units.put(Unit((0,)))
    units.put(Unit((1,)))
    assert units.take(1) == Unit((0,))
    assert units.drop_waiting() == [Unit((1,))]
    units.close()
    assert units.is_dry
    with pytest.raises(RuntimeError, match="after shutdown"):
        units.put(Unit((2,)))
