"""Which classes a class statement made, and which are written in C."""

from __future__ import annotations

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not a constant of C
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


def is_written_in_python(cls: type) -> bool:
    """Whether a class statement made a class: C types may be on the heap, too, as most are since Python 3.12."""
    return cls.__flags__ & (_HEAP_TYPE | _IMMUTABLE_TYPE) == _HEAP_TYPE


def native_base(cls: type) -> type:
    """Return the first of a class's bases that is written in C; `object` if it is the only one."""
    return next(base for base in cls.__mro__ if not is_written_in_python(base))
