"""What goes wrong with one call is that call's own: it fails with what was raised, and all others continue."""

from __future__ import annotations

from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).parent / "programs"


def test_failures_that_the_standard_library_survives(results):
    """Objects that raise while they are pickled, iterables that raise, tasks that exit: as in its pools."""
    assert results("trouble.py", "safe", "ours", cwd=_PROGRAMS) == results(
        "trouble.py", "safe", "control", cwd=_PROGRAMS
    )


def test_failures_that_break_the_standard_librarys_pools(results):
    """Objects that raise or exit where they are made again, callbacks that exit: only theirs fails, nothing waits."""
    found = results("trouble.py", "hard", "ours", cwd=_PROGRAMS)
    for kind in ("ValueError", "SystemExit", "GeneratorExit"):
        assert found.pop(f"argument is not made, {kind}") == kind
        assert found.pop(f"result is not made, {kind}") == kind
        assert found.pop(f"others beside {kind}") == [0, 1, 2]
    one_chunk = ["1", "EncodeError", "3", "KeyError", "IndexError", "6", "SystemExit", "8"]
    results_of_six = ["{}", "ValueError", "ResultEncodeError", "{}", "KeyError", "{}"]
    numbers = iter(["0", "3", "5", "6", "9", "11"])
    assert found == {
        "callback that exits": [1, 2],
        "callback of a pool that exits": [1, [1]],
        "imap, one chunk": one_chunk,
        "imap, results": [next(numbers) if each == "{}" else each for each in results_of_six * 2],
        "imap, same object twice": ["IndexError", "2", "IndexError"],
        "map goes on behind": 5,
    }


@pytest.mark.parametrize("chunksize", [-1, 0])
@pytest.mark.parametrize("method", ["map", "starmap", "map_async", "starmap_async", "imap", "imap_unordered"])
def test_chunks_of_nothing(lambda_pool, method, chunksize):
    """A chunk has at least one task; the standard library says so for imap, and returns None for each item of a map."""
    with pytest.raises(ValueError, match="Chunksize must be"):
        getattr(lambda_pool, method)(abs, [1], chunksize=chunksize)
