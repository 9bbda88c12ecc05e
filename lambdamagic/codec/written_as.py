"""What is written in place of an object, or next to it."""

from __future__ import annotations

import gc
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lambdamagic.codec.containers import attributes_of
from lambdamagic.codec.rebuild import names_first, nothing, vars_of


class Unseen:
    """An object that is written only to get a memo number."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __reduce__(self) -> Any:
        return nothing, (self._value,)


class Called:
    """Is read as the result of calling a function without arguments."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def __reduce__(self) -> Any:
        return self._function, ()


class VarsOf:
    """Is read as the dictionary in which an instance has its attributes."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def __reduce__(self) -> Any:
        return vars_of, (self._instance,)


def of_instances(values: Iterable[Any], instances: Iterable[Any]) -> Iterator[tuple[dict[Any, Any], VarsOf]]:
    """Yield the dictionaries among the values, or that proxies show, in which instances have their attributes."""
    dicts = [found for value in values if (found := _dictionary_in(value)) is not None]
    owners = (
        {id(attributes_of(each)): each for each in instances if not issubclass(type(each), _OTHERS)} if dicts else {}
    )
    for each in dicts:
        if id(each) in owners:
            yield each, VarsOf(owners[id(each)])


#: Have attributes, but are written otherwise.
_OTHERS = (types.FunctionType, types.ModuleType, type)


def _dictionary_in(value: Any) -> dict[Any, Any] | None:
    if type(value) is types.MappingProxyType:
        value = next(iter(gc.get_referents(value)), None)
    return value if type(value) is dict else None


class NamesFirst:
    """Is read as no part: its names are bound from then on, until all is read."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def __reduce__(self) -> Any:
        return names_first, (self._names,)
