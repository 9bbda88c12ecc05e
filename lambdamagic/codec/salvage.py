"""Read a payload of which some part raises: the other parts are still read.

The C unpickler cannot continue after an exception of a user's `__setstate__` or `__new__`. This one, in Python and
slow, is only used when it has met one: a placeholder takes the place of what could not be made.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from lambdamagic.codec.failures import safe_str
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.codec.placeholder import Placeholder

#: The one of pickle's two that can be extended.
_Unpickler: Any = pickle._Unpickler  # the Python one


class SalvagingUnpickler(_Unpickler):  # type: ignore[misc]  # as above
    """Puts placeholders where classes raise.

    Attributes:
        broken: They, in order.
        failure: The first exception since this was set to None; also where a placeholder was referred to again.
    """

    def __init__(
        self, stream: Any, buffers: Iterable[Any], missing: Callable[[str, str, Exception], Any] | None
    ) -> None:
        super().__init__(stream, buffers=buffers)
        self._missing = missing
        self.broken: list[Placeholder] = []
        self.failure: BaseException | None = None
        self._failures: dict[int, BaseException] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Import a global, or return its stand-in."""
        try:
            return super().find_class(module_name, global_name)
        except (ImportError, AttributeError) as error:
            if self._missing is None:
                return self._placeholder(f"{module_name}.{global_name}", error)
            return self._missing(module_name, global_name, error)

    def _placeholder(self, made_by: Any, error: BaseException) -> Placeholder:
        name = made_by if isinstance(made_by, str) else getattr(made_by, "__name__", type(made_by).__name__)
        error.__traceback__ = None  # it would keep the frames
        reason = f"{type(error).__name__}: {safe_str(error)}"
        found = Placeholder(f"a {name}", name, reason, f"an object of {name}")
        self.broken.append(found)
        self._failures[id(found)] = error
        self.failure = self.failure or error
        return found

    def _get(self, opcode: bytes) -> None:
        _Unpickler.dispatch[opcode[0]](self)
        if id(self.stack[-1]) in self._failures:
            self.failure = self.failure or self._failures[id(self.stack[-1])]

    def _replace(self, value: Any, by: Placeholder) -> None:
        for number, known in list(self.memo.items()):
            if known is value:
                self.memo[number] = by
        if self.stack and self.stack[-1] is value:
            self.stack[-1] = by

    def _load_reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack[-1]
        try:
            self.stack[-1] = function(*args)
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as error:  # noqa: BLE001  # the user's code may raise anything, also SystemExit
            # A function that gives an object its state: the object is what could not be made.
            is_given = bool(args) and len(self.stack) > 1 and self.stack[-2] is args[0]
            subject = type(args[0]) if is_given else args[0] if args else function
            by = self._placeholder(subject if isinstance(subject, type) else function, error)
            self.stack.pop()
            if is_given:
                self._replace(args[0], by)
            self.stack.append(by)

    def _load_newobj(self) -> None:
        args = self.stack.pop()
        cls = self.stack.pop()
        self._make(cls, lambda: cls.__new__(cls, *args))

    def _load_newobj_ex(self) -> None:
        kwargs = self.stack.pop()
        args = self.stack.pop()
        cls = self.stack.pop()
        self._make(cls, lambda: cls.__new__(cls, *args, **kwargs))

    def _make(self, cls: Any, make: Callable[[], Any]) -> None:
        try:
            self.append(make())
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as error:  # noqa: BLE001  # as above
            self.append(self._placeholder(cls, error))

    def _fill(self, opcode: bytes, operands: int) -> None:
        """Run a step that fills an object by its own methods, with so many operands, or all that are above the mark."""
        value = self.stack[-1 - operands] if operands else self.metastack[-1][-1]
        if isinstance(value, Placeholder):
            if operands:
                del self.stack[-operands:]
            else:
                self.pop_mark()
            return
        try:
            _Unpickler.dispatch[opcode[0]](self)
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as error:  # noqa: BLE001  # as above
            while self.stack[-1] is not value:
                self.stack.pop()
            self._replace(value, self._placeholder(type(value), error))

    dispatch: ClassVar[dict[int, Any]] = {
        **_Unpickler.dispatch,
        pickle.REDUCE[0]: _load_reduce,
        pickle.NEWOBJ[0]: _load_newobj,
        pickle.NEWOBJ_EX[0]: _load_newobj_ex,
        pickle.BUILD[0]: lambda self: self._fill(pickle.BUILD, 1),
        pickle.APPEND[0]: lambda self: self._fill(pickle.APPEND, 1),
        pickle.SETITEM[0]: lambda self: self._fill(pickle.SETITEM, 2),
        pickle.APPENDS[0]: lambda self: self._fill(pickle.APPENDS, 0),
        pickle.SETITEMS[0]: lambda self: self._fill(pickle.SETITEMS, 0),
        pickle.ADDITEMS[0]: lambda self: self._fill(pickle.ADDITEMS, 0),
        pickle.BINGET[0]: lambda self: self._get(pickle.BINGET),
        pickle.LONG_BINGET[0]: lambda self: self._get(pickle.LONG_BINGET),
    }
