"""Placeholders of values that could not come back."""

from __future__ import annotations

from typing import Any, NoReturn

from lambdamagic.errors import ResultError


class Placeholder:
    """Replaces, in the notebook, a value that was bound remotely and cannot be pickled.

    Its repr says what it is; any use of it raises `ResultError` with the reason and what to do.
    """

    def __init__(self, name: str, type_name: str, reason: str, text: str) -> None:
        self.__dict__.update(_name=name, _type_name=type_name, _reason=reason, _text=text)

    def described(self) -> tuple[str, str, str]:
        """Return the value's type, the reason why it is not here, and its repr."""
        state = self.__dict__
        return state["_type_name"], state["_reason"], state["_text"]

    def __repr__(self) -> str:
        state = self.__dict__
        return f"<{state['_name']}: {state['_type_name']} that stayed on Lambda: {state['_reason']}>"

    def _explain(self, *args: Any, **kwargs: Any) -> NoReturn:
        state = self.__dict__
        raise ResultError(
            f"{state['_name']} is a {state['_type_name']} that could not come back from Lambda ({state['_reason']}); "
            f"on Lambda it was {state['_text']}",
            hint="Bind what you need of it in the same cell (for example list(...) of a generator, "
            ".read() of a file), or use it there before the cell ends",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_repr_", "_ipython_", "__")):
            raise AttributeError(name)  # asked by displays and by copy, which take "no" for an answer
        self._explain()

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._explain()

    __call__ = __iter__ = __next__ = __len__ = __getitem__ = __setitem__ = __contains__ = _explain
    __enter__ = __exit__ = __add__ = __radd__ = __sub__ = __mul__ = __truediv__ = __bool__ = _explain
    __lt__ = __le__ = __gt__ = __ge__ = __setattr__ = __await__ = __aiter__ = __float__ = __int__ = _explain


def stand_in(module_name: str, global_name: str, error: Exception) -> Any:
    """Return a stand-in for a module or class that the notebook does not have.

    A missing module gives a placeholder; a missing class gives a class whose instances are placeholders, so that the
    rest of an answer is read all the same.
    """
    reason = f"the notebook has no {error.name}" if isinstance(error, ImportError) and error.name else str(error)
    if not global_name:
        return Placeholder(module_name, "module", reason, f"the module {module_name}")

    class StandIn(_Absent):
        pass

    StandIn.__qualname__ = StandIn.__name__ = global_name
    StandIn.description = (global_name, f"{module_name}.{global_name}", reason, f"an object of {module_name}")
    return StandIn


class _Absent(Placeholder):
    """A placeholder that swallows whatever a pickle does to build the object that it stands for."""

    description: tuple[str, str, str, str]

    def __new__(cls, *args: Any, **kwargs: Any) -> _Absent:
        made = object.__new__(cls)
        Placeholder.__init__(made, *cls.description)
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take whatever the real class would have taken."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the state: nothing here can use it."""

    def append(self, item: Any) -> None:
        """Ignore an item."""

    def extend(self, items: Any) -> None:
        """Ignore items."""

    def __setitem__(self, key: Any, item: Any) -> None:  # type: ignore[override]  # the placeholder itself raises
        pass
