"""What others wrote (logs, labels, keys of the bucket, errors) is shown by a terminal, and does nothing there."""

from __future__ import annotations

import re

import pytest

from lambdamagic.appearance import printable
from lambdamagic.cli.output import Output
from lambdamagic.events import JobStarted
from lambdamagic.widgets.progress import ProgressListener

TITLE = "\x1b]0;owned\x07"
ODD = f"{TITLE}\u202e\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ümlauts\tand tabs", "plain, with ümlauts\tand tabs"),
        (f"{TITLE}x", "␛]0;owned\ufffdx"),
        ("\x1b[2J\x1b[H", "␛[2J␛[H"),
        ("a\rb", "ab"),
        ("\x9b2J", "\ufffd2J"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
        ("\u202eevil\u2066", "\ufffdevil\ufffd"),
        ("a \ud800 name \udcff", "a \ufffd name \ufffd"),
        ("\x1b]8;;http://x\x1b\\link", "␛]8;;http://x␛\\link"),
        ("\x1b[8m\x1b]52;c;eA==\x07", "\x1b[8m␛]52;c;eA==\ufffd\x1b[0m"),
    ],
)
def test_only_colors_are_left(text: str, shown: str) -> None:
    """Titles, clipboards, cursors and what C1 controls do are shown as text; a color ends with its line."""
    assert printable(text) == shown


def test_a_command_prints_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, notes, tables and errors."""
    out = Output()
    out.text(ODD)
    out.note(ODD)
    out.table(["job"], [[ODD]])
    out.problem("X", ODD, status=1, hint=ODD)
    printed = capsys.readouterr()
    assert not re.search("\x1b]|[\u202e\ud800]", printed.out + printed.err)
    assert printed.out.count("owned") == 2
    assert printed.err.count("owned") == 3


def test_a_view_shows_a_label_as_text() -> None:
    """A cell's first line may hold anything."""
    listener = ProgressListener()
    listener(JobStarted("j", f"work {TITLE}", 1, 128, False, 0.0))
    assert listener._progress.label == "work ␛]0;owned\ufffd"
