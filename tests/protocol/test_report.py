"""What the REPORT line of an invocation says that it cost."""

from __future__ import annotations

import pytest

from lambdamagic.protocol.report import Report, parse_report

_FIELDS = {
    "duration_ms": "Duration: 12.5 ms",
    "billed_ms": "Billed Duration: 113 ms",
    "memory_mb": "Memory Size: 512 MB",
    "peak_memory_mb": "Max Memory Used: 87 MB",
    "restore_ms": "Restore Duration: 20.25 ms",
    "init_ms": "Init Duration: 100.5 ms",
}
_NUMBERS = {
    "duration_ms": 12.5,
    "billed_ms": 113.0,
    "memory_mb": 512,
    "peak_memory_mb": 87,
    "restore_ms": 20.25,
    "init_ms": 100.5,
}


def line(*fields: str, request_id: str = "r-1") -> str:
    """Return a REPORT line with these fields."""
    return "".join(f"{part}\t" for part in (f"REPORT RequestId: {request_id}", *fields)) + "\n"


def init_line(ms: float, *, phase: str = "init", status: str = "timeout") -> str:
    """Return the line of an INIT that did not succeed."""
    return f"INIT_REPORT Init Duration: {ms} ms\tPhase: {phase}\tStatus: {status}\t\n"


def test_each_field_is_read():
    """All of them together, and each one alone: what a line lacks is 0."""
    assert parse_report(line(*_FIELDS.values())) == Report("r-1", **_NUMBERS)
    for name, text in _FIELDS.items():
        assert parse_report(line(text)) == Report("r-1", **{name: _NUMBERS[name]})
    assert parse_report(line()) == Report("r-1")


def test_an_environment_is_cold_after_init_or_restore():
    """However short either was; else it was warm."""
    assert not Report().is_cold
    assert Report(init_ms=0.5).is_cold
    assert Report(restore_ms=0.5).is_cold


def test_the_last_line_of_the_invocation_counts():
    """Its own, if its id is given; a line that another wrote, or that only resembles one, does not."""
    first, last = line(_FIELDS["duration_ms"], request_id="r-a"), line(_FIELDS["billed_ms"], request_id="r-b")
    assert parse_report(first + last) == Report("r-b", billed_ms=113.0)
    assert parse_report(first + last, "r-a") == Report("r-a", duration_ms=12.5)
    assert parse_report(first + last, "r-c") is None
    assert parse_report(f"x{first}a printed line\n") is None
    assert parse_report(f"{first}a printed line with r-b\n", "r-b") is None


@pytest.mark.parametrize("status", ["timeout", "error"])
def test_an_init_that_failed_before_is_billed_too(status):
    """In whole milliseconds, each time that it failed; REPORT has the INIT that succeeded only."""
    log = init_line(2.25, status=status) + init_line(1.5, status=status) + line(_FIELDS["billed_ms"])
    assert parse_report(log) == Report("r-1", billed_ms=113.0 + 4, failed_init_ms=3.75)


def test_other_lines_of_init_are_not_billed_again():
    """That of the phase `invoke` is part of REPORT's duration; what stands after START was printed by the function."""
    log = init_line(2, phase="invoke") + init_line(2, status="success") + f"x{init_line(2)}"
    log += f"START RequestId: r-1 Version: 1\n{init_line(3)}{line(_FIELDS['billed_ms'])}"
    assert parse_report(log) == Report("r-1", billed_ms=113.0)
