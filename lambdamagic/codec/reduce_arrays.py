"""How arrays and their containers are pickled: memory shared here is shared where they are read."""

from __future__ import annotations

import gc
import pickle
import sys
from typing import Any

from lambdamagic.codec import array_views as views
from lambdamagic.codec import rebuild
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared
from lambdamagic.codec.writing import Writing


def numpy_rule(writing: Writing, value: Any) -> Any:
    """Reduce numpy objects that numpy's own pickling would copy, or cannot pickle."""
    if writing.share is not None and (shared := writing.share(value)) is not None:
        return refer_to_shared(writing, shared)
    if type(value).__name__ in ("finfo", "iinfo"):
        return type(value), (value.dtype,)
    if type(value).__name__ == "ufunc":
        return _ufunc(value)
    if type(value).__name__ != "ndarray":
        return NotImplemented
    if id(value) in writing.views:
        return rebuild.array_view, views.reduced(value, writing.views[id(value)])
    flags = value.flags
    if not (flags.c_contiguous or flags.f_contiguous or value.dtype.hasobject):
        # Its memory is laid out otherwise where it is read; whoever answers must know that.
        return rebuild.detached, (value.copy("C"), flags.writeable)
    if value.dtype.kind in "biufc" and value.dtype.isbuiltin == 1 and value.size:
        order = "C" if flags.c_contiguous else "F"
        return rebuild.array, (pickle.PickleBuffer(value), value.dtype, value.shape, order)
    return NotImplemented


def _ufunc(value: Any) -> Any:
    """Make one of `numpy.frompyfunc` again, whose function only the garbage collector shows."""
    functions = [each for each in gc.get_referents(value) if callable(each) and not isinstance(each, type)]
    if not value.__name__.endswith("(vectorized)") or len(functions) != 1:
        return NotImplemented
    return sys.modules["numpy"].frompyfunc, (functions[0], value.nin, value.nout)


def pandas_block(value: Any) -> Any:
    """Keep frames apart that share memory until one is written: where they are read, they do not know of it."""
    found: tuple[Any, ...] = value.__reduce__() if hasattr(value, "mgr_locs") else ()
    if len(found) < 2 or not found[1] or type(found[1][0]).__name__ != "ndarray":
        return NotImplemented
    function, (values, *rest), *others = found
    return function, (values.view(), *rest), *others


def refer_to_shared(writing: Writing, value: Shared) -> Any:
    """Refer to a shared object by its digest; a small one is written as it is."""
    if value.size_bytes < SHARED_MIN_BYTES:
        return value.__reduce__()
    written = value.written(writing.home)
    writing.shared.update({each.digest: each for each in (written, *written.shared)})
    if written.is_of_home:
        writing.is_of_home = True
        writing.functions.extend(written.functions)
    writing.modules |= written.modules
    return rebuild.shared, (written.digest,)
