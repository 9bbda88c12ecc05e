"""Arguments, results and futures are released once they are used, here and where tasks run."""

from __future__ import annotations

from pathlib import Path

_PROGRAMS = Path(__file__).parent / "programs"


def test_no_more_than_the_standard_library_keeps(results):
    """Of all that calls and maps were given and gave, only what the program holds is alive afterwards."""
    ours, control = (results("kept.py", kind, cwd=_PROGRAMS) for kind in ("ours", "control"))
    held = "submit, the future is held: its result"
    assert ours.pop(held) == control.pop(held) == 1
    assert ours.pop("where tasks run") == [0, 0]
    assert ours.pop("map, each result as soon as it was taken") == control["map, each result as soon as it was taken"]
    assert set(ours.values()) == {0}, ours
