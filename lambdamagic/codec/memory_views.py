"""Views of memory: which part of an object's memory a `memoryview` shows, and the same part again."""

from __future__ import annotations

import importlib
import math
import struct
from typing import Any


def parts(view: memoryview) -> tuple[Any, ...]:
    """Return the arguments of `view` for a view.

    Raises:
        TypeError: It shows memory in a way that cannot be described so.
    """
    try:
        held = view.obj
    except ValueError:
        return (None,)  # released
    size, refusal = view.itemsize, TypeError("cannot pickle 'memoryview' object: its parts are not next to each other")
    if view.ndim != 1 and not view.c_contiguous:
        raise refusal
    strides: Any = view.strides
    step = strides[0] if view.ndim == 1 else size
    if step % size or len(view.format) != 1:
        raise refusal
    start = _address(view) - _address(memoryview(held)) if view.nbytes else 0
    return held, start, view.format, step // size, view.shape, view.readonly


def view(held: Any, *how: Any) -> Any:
    """Return a view of an object's memory, as `parts` describes it; one that was released for None."""
    if held is None:
        released = memoryview(b"")
        released.release()
        return released
    start, form, step, shape, is_readonly = how
    made: Any = memoryview(held).cast("B")
    size = struct.calcsize(form)
    if len(shape) == 1:
        count = shape[0]
        first, last = sorted((start, start + (count - 1) * step * size)) if count else (start, start - size)
        made = made[first : last + size].cast(form)[::step]
    else:
        made = made[start : start + size * math.prod(shape)].cast(form, shape)
    return made.toreadonly() if is_readonly and not made.readonly else made


def _address(shown: memoryview) -> int:
    """Return where the first element of a view is."""
    ctypes: Any = importlib.import_module("ctypes")

    class Buffer(ctypes.Structure):  # type: ignore[misc]  # CPython's Py_buffer
        _fields_ = (
            ("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t),
            ("itemsize", ctypes.c_ssize_t), ("readonly", ctypes.c_int), ("ndim", ctypes.c_int),
            ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p),
            ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
        )  # fmt: skip

    found = Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(shown), ctypes.byref(found), _FULL_READ_ONLY)
    try:
        return int(found.buf)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(found))


_FULL_READ_ONLY = 0x011C  # PyBUF_FULL_RO: strides, format, and no wish to write
