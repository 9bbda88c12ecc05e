"""Shell commands have a terminal, and a pipe where the machine gives none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lambdamagic.worker import terminal


def _lines_of(command: str) -> str:
    with terminal.opened() as (source, sink):
        process = subprocess.Popen(["sh", "-c", command], stdout=sink, stderr=sink)
        text = "".join(terminal.texts(source, sink))
        process.wait()
    return text


def test_a_command_has_a_terminal() -> None:
    """It is of IPython's size, and its lines end as a terminal ends them."""
    assert _lines_of("test -t 1 && echo yes; stty size < /dev/stdout") == "yes\r\n24 80\r\n"


def test_a_machine_without_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is the same."""

    def refuses() -> None:
        raise OSError("out of pty devices")

    monkeypatch.setattr("pty.openpty", refuses)
    assert _lines_of("printf 'one\\ntwo'; test -t 1 || echo no") == "one\r\ntwono\r\n"


def test_no_descriptor_is_left_open() -> None:
    """Each is closed once, so that none of another's is closed."""
    before = {each.name for each in Path("/proc/self/fd").iterdir()}
    _lines_of("echo x")
    assert {each.name for each in Path("/proc/self/fd").iterdir()} == before
