"""Which classes a class statement made: the flag that says so in Python 3.11 says it of most C types since 3.12."""

from __future__ import annotations

import array
import collections
import decimal
import io
import queue
from typing import Any

import pytest

from lambdamagic.codec.written_classes import is_written_in_python, native_base

_OF_C = [
    object, list, collections.deque, collections.defaultdict, collections.OrderedDict, array.array, queue.SimpleQueue,
    io.BytesIO, decimal.Decimal,
]  # fmt: skip


@pytest.mark.parametrize("cls", _OF_C)
def test_a_class_of_c(cls: Any) -> None:
    """It is its own native base, and that of its subclasses, however Python made it."""
    assert not is_written_in_python(cls)
    assert native_base(cls) is cls
    written = type("Written", (type("Base", (cls,), {}),), {})
    assert is_written_in_python(written)
    assert native_base(written) is cls


def test_a_class_that_mixes_in() -> None:
    """The first that is written in C counts."""
    mixed = type("Mixed", (type("Mixin", (), {}), collections.Counter), {})
    assert native_base(mixed) is dict
