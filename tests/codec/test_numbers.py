"""Memo numbers in the envelope: short as digits, long packed."""

from __future__ import annotations

import zlib

import pytest

from lambdamagic.codec.encode import pack_numbers, unpack_numbers


@pytest.mark.parametrize("count", [0, 1, 64, 65, 10_000])
def test_numbers_come_back(count: int) -> None:
    numbers = [*range(7, 7 + count)]
    assert unpack_numbers(pack_numbers(numbers)) == numbers


def test_many_numbers_are_packed() -> None:
    assert len(pack_numbers(range(10_000))) < 30_000


@pytest.mark.parametrize("text", ["1,", "one", "zlib:", "zlib:AAAA", "zlib:no base"])
def test_another_text_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, zlib.error)):
        unpack_numbers(text)


def test_few_numbers_are_digits() -> None:
    """To pack them costs more than it saves."""
    assert pack_numbers([7, 1 << 41]) == f"7,{1 << 41}"
    assert pack_numbers([7] * 64) == ",".join(["7"] * 64)
    assert pack_numbers([7] * 65).startswith("zlib:")
