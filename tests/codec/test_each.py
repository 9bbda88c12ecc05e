"""Items that are read one by one: what one of them raises does not end the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.codec.each import Unreadable, read_each, read_items, write_items
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home

_numbers = itertools.count()


def _fail(kind: type[BaseException]) -> Any:
    raise kind(next(_numbers))


class Broken:
    """Cannot be made."""

    def __init__(self, kind: type[BaseException] = ValueError) -> None:
        self._kind = kind

    def __reduce__(self) -> Any:
        return _fail, (self._kind,)


def _segments(items: list[Any]) -> tuple[Any, ...]:
    encoder = Encoder(Home({}))
    write_items(encoder, items)
    return encoder.frames().segments


@pytest.mark.parametrize(
    ("items", "is_plain"),
    [
        ([], True),
        ([1, 2.0, True, "a", b"b", None, 1j], True),
        ([(1, "a"), ()], True),
        ([(1, [2])], False),
        ([(1,), 2], False),
        ([[1]], False),
    ],
)
def test_plain_items_are_one_part(items: list[Any], is_plain: bool) -> None:
    """They cannot fail alone; others are a part each."""
    segments = _segments(items)
    assert [*Decoder(segments, Home({})).parts()] == ([True, items] if is_plain else [False, *items])
    assert read_items(segments, Home({})) == items


def test_an_item_that_cannot_be_made_is_unreadable() -> None:
    """With what its code raised when it was first read; those before and behind it are read."""
    first = next(_numbers) + 1
    found = read_items(_segments([[1], Broken(), [2], Broken(KeyError), [3]]), Home({}))
    assert [found[0], found[2], found[4]] == [[1], [2], [3]]
    errors = [each.error for each in found if isinstance(each, Unreadable)]
    assert [(type(each), each.args) for each in errors] == [(ValueError, (first,)), (KeyError, (first + 2,))]
    assert errors[0].__traceback__ is None


@pytest.mark.parametrize("kinds", [[KeyboardInterrupt], [ValueError, KeyboardInterrupt, ValueError]])
def test_an_interruption_is_no_failure_of_an_item(kinds: list[type[BaseException]]) -> None:
    """It ends the reading."""
    with pytest.raises(KeyboardInterrupt):
        read_items(_segments([Broken(kind) for kind in kinds]), Home({}))


@pytest.mark.parametrize("is_broken", [False, True])
def test_items_behind_bytes_that_cannot_be_read(is_broken: bool) -> None:
    """The last one says so: where the next begins is unknown."""
    first: Any = Broken() if is_broken else [1]
    stream = bytes(_segments([first, [2], [3], [4]])[0])
    cut = stream[: stream.rindex(b"K\4")] + b"\xff" + stream[-3:]
    found = read_items([cut], Home({}))
    assert len(found) == 4
    assert found[1:3] == [[2], [3]]
    assert isinstance(found[3], Unreadable)
    assert isinstance(found[0].error, ValueError) if is_broken else found[0] == [1]


def test_what_is_missing_is_asked_for() -> None:
    """Also where an item before it was broken."""
    missing: Callable[..., Any] = lambda module, name, error: f"{module}.{name}"
    stream = b"\x80\5cno_such_module\nname\n."
    assert [*read_each([stream], Home({}), missing=missing)] == ["no_such_module.name"]
    encoder = Encoder(Home({}))
    encoder.dump(Broken())
    found = [*read_each([bytes(encoder.frames().segments[0]) + stream], Home({}), missing=missing)]
    assert isinstance(found[0], Unreadable)
    assert found[1:] == ["no_such_module.name"]
