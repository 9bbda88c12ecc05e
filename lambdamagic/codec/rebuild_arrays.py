"""Arrays that share memory, or have another layout where they came from."""

from __future__ import annotations

from typing import Any

from lambdamagic.codec import home as _home
from lambdamagic.codec.frames import OUT_OF_BAND_MIN_BYTES


def array(buffer: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    """Return an array as it is where it was made: views of it have it as their base, and a small one owns its memory.

    numpy's own pickling gives a view of another array, which is the base of all its views.
    """
    import numpy

    made = numpy.ndarray(shape, dtype, buffer, order=order)
    if made.nbytes >= OUT_OF_BAND_MIN_BYTES:
        return made
    copied = made.copy(order)
    copied.flags.writeable = made.flags.writeable
    return copied


def detached(array: Any, writeable: bool) -> Any:
    """Return an array that has another memory layout at its origin: no view of it can be shown there."""
    array.flags.writeable = writeable
    _home.active().note_detached(array)
    return array


def array_view(
    owner: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, writeable: bool
) -> Any:
    """Return a numpy array on the memory of another one."""
    import numpy

    flat = (owner if owner.flags.c_contiguous else owner.T).reshape(-1)
    made = _slice(flat, dtype, shape, strides, offset)
    if made is None:
        made = numpy.ndarray(shape, dtype, buffer=flat.view("u1"), offset=offset, strides=strides)
    made.flags.writeable = writeable and made.flags.writeable
    return made


def _slice(flat: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """Return a view by slicing, so that its `base` is the array itself; None where that is not possible."""
    size = flat.itemsize
    if dtype != flat.dtype or not size or offset % size or not shape or 0 in shape:
        return None
    first = offset // size
    if len(shape) == 1 and strides[0] > 0 and strides[0] % size == 0:
        step = strides[0] // size
        return flat[first : first + (shape[0] - 1) * step + 1 : step]
    for order in (1, -1):
        expected = size
        for length, stride in list(zip(shape, strides, strict=True))[::-order]:
            if stride != expected:
                break
            expected *= length
        else:
            part = flat[first : first + expected // size]
            return part.reshape(shape) if order == 1 else part.reshape(shape[::-1]).T
    return None
