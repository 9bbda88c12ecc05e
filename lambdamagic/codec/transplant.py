"""Move new content into an existing object with its own pickling, so that all names for it stay valid.

A DataFrame or an estimator that a cell changed comes back as a new object. Where its kind is known, the notebook's
object receives the new object's content; otherwise the names are bound to the new object.
"""

from __future__ import annotations

import _queue
import _random
import array
import sys
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.class_parts import module_of
from lambdamagic.codec.containers import attributes_of, slot_names
from lambdamagic.codec.written_classes import native_base

Transplant = Callable[[Any, Any], None]


def transplant_for(cls: type) -> Transplant | None:
    """Return the function that moves content between objects of a class; None where that is not known to work.

    Both sides ask, and must come to the same answer: it depends on the class alone.
    """
    if issubclass(cls, _random.Random):
        return _random_state
    if cls is array.array:
        return _items
    if cls is _queue.SimpleQueue:
        return _queued
    if type(cls).__module__ == "_ctypes":
        return _memory
    module = module_of(cls)
    if module == "numpy" and cls.__name__ == "ndarray":
        return _elements
    if module.startswith("numpy.random"):
        return _NUMPY_RANDOM.get(cls.__name__)
    if module == "decimal" and cls.__name__ == "Context":
        return _decimal_context
    if any(module_of(base).split(".")[0] == "pandas" for base in cls.__mro__):
        if any(base.__name__ == "Index" for base in cls.__mro__):
            return _names
        return _pandas if hasattr(cls, "_update_inplace") else None
    return _attributes if native_base(cls) is object else None


def holds_attributes(cls: type) -> bool:
    """Return whether objects of a class are looked into, since all that they hold is in their attributes."""
    return transplant_for(cls) is _attributes


def _random_state(target: Any, source: Any) -> None:
    target.setstate(source.getstate())
    if hasattr(source, "__dict__"):
        target.__dict__.update(source.__dict__)


def _items(target: Any, source: Any) -> None:
    target[:] = source


def _memory(target: Any, source: Any) -> None:
    ctypes = sys.modules["ctypes"]
    if isinstance(target, ctypes._CFuncPtr):  # where a function is belongs to the process
        target.restype, target.argtypes = source.restype, source.argtypes
        return
    ctypes.memmove(ctypes.addressof(target), ctypes.addressof(source), ctypes.sizeof(target))
    target.__dict__.update(source.__dict__)


def _queued(target: Any, source: Any) -> None:
    for queue, other in ((target, None), (source, target)):
        while not queue.empty():
            item = queue.get()
            if other is not None:
                other.put(item)


def _elements(target: Any, source: Any) -> None:
    target[...] = source


def _generator_state(target: Any, source: Any) -> None:
    target.bit_generator.state = source.bit_generator.state


def _legacy_state(target: Any, source: Any) -> None:
    target.set_state(source.get_state(legacy=False))


def _stream_state(target: Any, source: Any) -> None:
    target.state = source.state


_NUMPY_RANDOM: dict[str, Transplant] = {
    "Generator": _generator_state,
    "RandomState": _legacy_state,
    **dict.fromkeys(("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"), _stream_state),
}


def _pandas(target: Any, source: Any) -> None:
    # What pandas itself calls for inplace=True: it also drops what the object had cached.
    target._update_inplace(source)
    target.attrs = dict(source.attrs)
    target.flags.allows_duplicate_labels = source.flags.allows_duplicate_labels
    for name in source._metadata:  # a Series' name, and what subclasses have
        object.__setattr__(target, name, getattr(source, name, None))


def _names(target: Any, source: Any) -> None:
    # All that can change of an index.
    target.names = source.names


def _decimal_context(target: Any, source: Any) -> None:
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        setattr(target, name, getattr(source, name))
    target.flags.update(source.flags)
    target.traps.update(source.traps)


def _attributes(target: Any, source: Any) -> None:
    held = attributes_of(target)
    if held is not None:
        if not any("__getstate__" in vars(base) for base in type(target).__mro__ if base is not object):
            held.clear()  # else what it leaves out of its state stays
        held.update(attributes_of(source) or {})
    for name in slot_names(type(target)):
        if hasattr(source, name):
            object.__setattr__(target, name, getattr(source, name))
        elif hasattr(target, name):
            object.__delattr__(target, name)
