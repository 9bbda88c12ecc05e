"""The three picklers: C, dill, cloudpickle, each with the same rules for notebook code.

The C pickler carries nearly everything at C speed, since `reducer_override` is asked only about objects that are no
plain data. dill is a pure-Python pickler (15 to 60 times slower on lists and dictionaries): `auto` turns to it only
when the C pickler has met something that it cannot do.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

from lambdamagic.codec.deep_pickler import PICKLE_PROTOCOL, BufferCallback, DeepPickler
from lambdamagic.codec.reducers import Reducers

Serializer = Literal["auto", "dill", "cloudpickle"]


class AnyPickler(Protocol):
    """The interface of a pickler that the encoder uses."""

    memo: Any

    def dump(self, obj: Any, /) -> None:
        """Append the pickle of one object; the memo is kept for the next."""


class CPickler(pickle.Pickler):
    """The C pickler with the by-value rules for notebook code."""

    def __init__(self, file: io.BytesIO, reducers: Reducers, buffer_callback: BufferCallback | None) -> None:
        super().__init__(file, PICKLE_PROTOCOL, buffer_callback=buffer_callback)
        self._reduce = reducers.reduce

    def reducer_override(self, obj: Any, /) -> Any:
        """Take notebook code apart by our rules, leave the rest to pickle."""
        return self._reduce(obj)


def _refuse_live_resources(obj: Any) -> None:
    # dill "carries" these by making others like them on the far side: an open file of another machine, a lock
    # that is shared with no one. In `auto` that would hide a mistake, so they are refused as plain pickle refuses them.
    if isinstance(obj, _LIVE_RESOURCES) and not isinstance(obj, io.StringIO | io.BytesIO):
        module = type(obj).__module__
        name = type(obj).__name__ if module == "builtins" else f"{module}.{type(obj).__name__}"
        raise TypeError(f"cannot pickle {name!r} object")


_LIVE_RESOURCES = (
    type(__import__("threading").Lock()),
    type(__import__("threading").RLock()),
    io.IOBase,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
)


def make_pickler(
    serializer: Literal["c", "deep", "dill", "dill-forced", "cloudpickle"],
    file: io.BytesIO,
    reducers: Reducers,
    buffer_callback: BufferCallback | None,
) -> AnyPickler:
    """Return a pickler of the wanted kind; dill and cloudpickle are imported only here, when asked for.

    Args:
        serializer: `c`; `deep` for data that are nested too deeply for it; `dill` as the fallback of `auto`, which
            refuses live resources; `dill-forced` as dill is.
        file: Where the stream goes.
        reducers: The by-value rules.
        buffer_callback: Takes large buffers out of the stream; None keeps them inside.
    """
    if serializer == "c":
        return CPickler(file, reducers, buffer_callback)
    if serializer == "deep":
        deep: AnyPickler = DeepPickler(file, reducers, buffer_callback)
        return deep
    if serializer == "cloudpickle":
        import cloudpickle

        class CloudPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle is untyped
            def reducer_override(self, obj: Any) -> Any:
                mine = reducers.reduce(obj)
                return super().reducer_override(obj) if mine is NotImplemented else mine

        return CloudPickler(file, PICKLE_PROTOCOL, buffer_callback=buffer_callback)
    import dill

    class DillPickler(dill.Pickler):  # type: ignore[misc]  # dill is untyped
        def reducer_override(self, obj: Any) -> Any:
            mine = reducers.reduce(obj)
            if mine is NotImplemented and serializer == "dill":
                _refuse_live_resources(obj)
            return mine

    # dill writes a dictionary that equals that of `__main__` as that one, and means the `__main__` that it imported.
    dill._dill._main_module = sys.modules["__main__"]
    made: AnyPickler = DillPickler(file, PICKLE_PROTOCOL, buffer_callback=buffer_callback)
    return made


#: Which picklers are tried for each setting, in order; `deep` only where data are nested too deeply for the first.
KINDS: dict[Serializer, tuple[str, ...]] = {
    "auto": ("c", "deep", "dill"),
    "dill": ("dill-forced",),
    "cloudpickle": ("cloudpickle",),
}

#: What a pickler raises for an object that it cannot carry: anything, as it runs the code of the object's class.
PICKLING_ERRORS = (Exception,)

_T = TypeVar("_T")


def first_that_can(serializer: Serializer, attempt: Callable[[str], _T]) -> _T:
    """Return what `attempt` returns for the first of a setting's picklers with which it does not raise.

    Raises:
        Any of `PICKLING_ERRORS`: What the last one raised.
    """
    failure: Exception | None = None
    is_deep = False
    for kind in KINDS[serializer]:
        if kind == "deep" and not is_deep:
            continue
        try:
            return attempt(kind)
        except PICKLING_ERRORS as error:
            failure = error
            is_deep = is_deep or _is_of_depth(error) or _is_of_depth(error.__cause__)
    assert failure is not None, "there is a pickler for each setting"
    raise failure


def _is_of_depth(error: BaseException | None) -> bool:
    """Whether data are too deep; code that calls itself without end leaves its frames in the traceback."""
    frames, traceback = 0, error.__traceback__ if error is not None else None
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    return isinstance(error, RecursionError) and frames < _MOST_FRAMES


_MOST_FRAMES = 100


def serializer_versions() -> dict[str, str]:
    """Return the versions of the serializers that have been used in this process."""
    found = {}
    for name in ("dill", "cloudpickle"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(module.__version__)
    return found
