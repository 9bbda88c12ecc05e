"""Files are sent with their content and position, as far as another machine can have them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.codec import opened_files
from lambdamagic.codec.opened_files import move, opened, position, taken

_TEXT = "ä line\r\nanother\n\nlast"
_BYTES = _TEXT.encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of four lines."""
    found = tmp_path / "found.txt"
    found.write_bytes(_BYTES)
    return found


def _sent(file: Any) -> Any:
    return opened(*taken(file))


def test_a_text_file(path: Path) -> None:
    """At its position, with its encoding, and how it treats what cannot be decoded."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        file.readline()
        found = _sent(file)
        assert (found.name, found.mode, found.encoding, found.errors) == (str(path), "r", "utf-8", "replace")
        assert found.tell() == file.tell() > 0
        assert found.read() == "another\n\nlast"
        assert file.read() == "another\n\nlast"
        found.seek(0)
        again = _sent(found)
        assert (again.read(), again.name) == (_TEXT.replace("\r\n", "\n"), str(path))


def test_a_binary_file(path: Path) -> None:
    """With all bytes, and at its position; also one that was sent before."""
    with path.open("rb") as file:
        file.seek(3)
        found = _sent(file)
        assert (found.name, found.mode, found.tell()) == (str(path), "rb", 3)
        assert found.read() == _BYTES[3:]
        assert not found.writable()
        again = _sent(found)
        assert (again.tell(), again.closed, again.seek(0), again.read()) == (len(_BYTES), False, 0, _BYTES)


@pytest.mark.parametrize("mode", ["r", "w", "rb", "wb", "r+b", "r+"])
def test_a_closed_file(path: Path, mode: str) -> None:
    """It is of the same kind, and closed; its content is not sent."""
    text: Any = {} if "b" in mode else {"encoding": "latin-1", "errors": "ignore"}
    file: Any = path.open(mode, **text)
    file.close()
    assert taken(file)[0] == b""
    found: Any = _sent(file)
    assert type(found) is type(file)
    assert (found.closed, found.mode, found.name) == (True, file.mode, str(path))
    if "b" not in mode:
        assert (found.encoding, found.errors) == ("latin-1", "ignore")


def test_what_another_machine_cannot_have(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are written, pipes, sockets, and what is too large."""
    refused = r"^cannot pickle '_io.{}' object$"
    for mode, kind in (("r+b", "BufferedRandom"), ("ab", "BufferedWriter"), ("a", "TextIOWrapper")):
        with path.open(mode) as file, pytest.raises(TypeError, match=refused.format(kind)):
            taken(file)
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as file, pytest.raises(TypeError, match=refused.format("BufferedReader")):
        taken(file)
    with pytest.raises(TypeError, match=refused.format("BufferedReader")):
        taken(io.BufferedReader(io.BytesIO(b"a")))
    monkeypatch.setattr(opened_files, "MAX_BYTES", len(_BYTES))
    with path.open("rb") as file:
        assert taken(file)[0] == _BYTES
        monkeypatch.setattr(opened_files, "MAX_BYTES", len(_BYTES) - 1)
        with pytest.raises(TypeError, match=refused.format("BufferedReader")):
            taken(file)


def test_a_position_while_lines_are_read(path: Path) -> None:
    """It is found from the lines that are left, and the file can be read on."""
    for newline in ("", "\n", None):
        for count in range(1, 5):
            with path.open(encoding="utf-8", newline=newline) as file:
                before = [next(file) for _ in range(count)]
                assert position(file) == len("".join(_BYTES.decode().splitlines(keepends=True)[:count]).encode())
                rest = file.read()
                assert "".join([*before, rest]) == (_TEXT if newline is not None else _TEXT.replace("\r\n", "\n"))


def test_positions_that_cannot_be_known(path: Path) -> None:
    """Of a closed file, of one that cannot be sought, and of lines that end otherwise."""
    with path.open("rb") as file:
        file.seek(5)
        assert position(file) == 5
    assert position(file) == -1
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\n")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert position(pipe) == -2
    path.write_bytes(b"a\x0bb\x0cc\nd\ne")
    with path.open() as text:
        next(text)
        assert position(text) == 6
        assert text.read() == "d\ne"
    path.write_bytes(b"a\nx\ry\n")
    with path.open(newline="\n") as text:
        next(text)
        assert position(text) == -2
    path.write_bytes(b"a\rb\rc\n")
    with path.open(newline="\n") as text:
        iterator: Iterator[str] = iter(text)
        next(iterator)
        assert position(text) == 6


def test_a_file_is_moved_or_closed(path: Path) -> None:
    """A position that is not known leaves it where it is."""
    with path.open("rb") as file:
        move(file, 4)
        assert file.tell() == 4
        move(file, 0)
        assert file.tell() == 0
        file.seek(2)
        move(file, -2)
        assert (file.tell(), file.closed) == (2, False)
        move(file, -1)
        assert file.closed
