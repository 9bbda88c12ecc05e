"""The lines of lambdamagic in a function's log."""

from __future__ import annotations

import pytest

from lambdamagic.protocol.joblog import (
    DISPLAYS_BEGIN,
    DISPLAYS_END,
    JOB_LINE,
    job_line,
    read_displays,
    without_displays,
)

_SHOWN = '[{"text/plain": "7"}, {}]'


def test_an_invocation_is_found_by_its_line():
    """The line that is written is the one that is looked for."""
    found = JOB_LINE.match(job_line("j1", "000001-0-7", 3, 12))
    assert found is not None and found.groupdict() == {"job": "j1", "first": "3", "last": "12"}


def test_displays_come_back():
    """Also with what the log puts behind a line."""
    assert read_displays(f"{DISPLAYS_BEGIN}{_SHOWN}{DISPLAYS_END}") == [{"text/plain": "7"}, {}]
    assert read_displays(f"{DISPLAYS_BEGIN}[]{DISPLAYS_END} \r\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        _SHOWN,
        f"{DISPLAYS_BEGIN}{_SHOWN}",
        f"{_SHOWN}{DISPLAYS_END}",
        f" {DISPLAYS_BEGIN}{_SHOWN}{DISPLAYS_END}",
        f"{DISPLAYS_BEGIN}{_SHOWN[:-2]}{DISPLAYS_END}",
        f"{DISPLAYS_BEGIN}{{}}{DISPLAYS_END}",
        f"{DISPLAYS_BEGIN}[1]{DISPLAYS_END}",
    ],
)
def test_a_line_that_is_not_whole_shows_nothing(line):
    """It was cut at an end, or the cell's code printed it."""
    assert read_displays(line) is None


def test_a_log_is_shown_without_displays():
    """All else stays as it was, its line ends too; the first line may have lost its beginning."""
    shown = f"{DISPLAYS_BEGIN}{_SHOWN}{DISPLAYS_END}"
    assert without_displays(f"lost{DISPLAYS_END}\na\r\n\n{shown} \nb\n{shown}\n") == "a\r\n\nb\n"
    assert without_displays(f"a{DISPLAYS_END} more\n") == f"a{DISPLAYS_END} more\n"
    assert without_displays("a\n\nb") == "a\n\nb"
