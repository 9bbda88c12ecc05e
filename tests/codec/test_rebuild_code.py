"""Functions, classes and enumerations of the notebook are made of their parts, without running their authors' code."""

from __future__ import annotations

import abc
import builtins
import ctypes
import enum
import sys
import threading
import types
from typing import Any

import pytest

from lambdamagic.codec import rebuild_code as rebuild
from lambdamagic.codec.home import Home
from lambdamagic.codec.unbegun import progress


@pytest.fixture
def home() -> Any:
    """A home that is being loaded into."""
    found = Home({"__name__": "__main__"}, answers=True)
    with found.loading():
        yield found


def _code(source: str = "def f(): return g()") -> types.CodeType:
    compiled = compile(source, "<test>", "exec")
    return next(each for each in compiled.co_consts if isinstance(each, types.CodeType))


def test_functions_of_the_namespace_are_known_by_name(home: Home) -> None:
    """Those that were made in another one are not, also if it is equal."""
    made = rebuild.function(_code(), home.namespace, "f", None)
    assert home.find("f") is made
    assert home.namespace["__builtins__"] is builtins.__dict__
    other = dict(home.namespace)
    made = rebuild.function(_code("def g(): return f()"), other, "g", None)
    assert made.__globals__ is other
    assert home.find("g") is None
    scope: dict[str, Any] = {"__builtins__": {"len": len}}
    rebuild.function(_code(), scope, "f", None)
    assert scope == {"__builtins__": {"len": len}}


def _asserting(nested: bool) -> types.CodeType:
    code = _code()
    asserting = code.replace(co_names=("g", "@pytest_ar"))
    return code.replace(co_consts=(*code.co_consts, asserting)) if nested else asserting


@pytest.mark.parametrize("nested", [False, True])
def test_what_pytest_puts_into_a_module_of_tests_is_put_there(
    home: Home, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    """For functions that assert, or hold one that does; not for others, nor without pytest."""
    rewrite = sys.modules["_pytest.assertion.rewrite"]
    scope: dict[str, Any] = {}
    rebuild.function(_code(), scope, "f", None)
    assert scope.keys() == {"__builtins__"}
    rebuild.function(_asserting(nested), scope, "f", None)
    assert (scope["@py_builtins"], scope["@pytest_ar"]) == (builtins, rewrite)
    scope = {"@pytest_ar": 1}
    rebuild.function(_asserting(nested), scope, "f", None)
    assert scope.keys() == {"@pytest_ar", "__builtins__"}
    rebuild.function(_asserting(nested), home.namespace, "f", None)
    assert "@pytest_ar" not in home.namespace
    monkeypatch.setitem(sys.modules, "_pytest.assertion.rewrite", None)
    scope = {}
    assert rebuild.function(_asserting(nested), scope, "f", None).__name__ == "f"
    assert "@pytest_ar" not in scope


def test_functions_that_the_other_side_finds_by_name(home: Home) -> None:
    """They are noted where they are made; a name that is gone has none."""
    made = rebuild.named_function(_code(), home.namespace, "f", None)
    assert home.is_named(made)
    home.namespace["f"] = made
    assert rebuild.known_function("f") is made
    with pytest.raises(LookupError, match="the function g of a result is not defined in this session any more"):
        rebuild.known_function("g")


def test_what_a_function_is_given(home: Home) -> None:
    """Its attributes, the globals that it reads, and what Python has for each."""
    made = rebuild.function(_code(), {}, "f", None)
    rebuild.set_function(
        made, {"__dict__": {"a": 1}, "__globals__": {"g": 2}, "__doc__": "Says it.", "__defaults__": ()}
    )
    assert (made.__dict__, made.__globals__["g"], made.__doc__) == ({"a": 1}, 2, "Says it.")


def test_a_cell_is_filled_or_left_empty() -> None:
    """With the first of what it is given."""
    cell = rebuild.cell()
    rebuild.set_cell(cell, ())
    with pytest.raises(ValueError, match="empty"):
        cell.cell_contents  # is asked for
    rebuild.set_cell(cell, (1,))
    assert cell.cell_contents == 1


seen: list[str] = []


class Hooked:
    """Notes its classes."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        seen.append(cls.__name__)


class Slotted:
    """The same without attributes of its objects."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        seen.append(cls.__name__)


class Noting(type):
    """A metaclass of a library's, which notes its classes."""

    def __new__(mcs, name: str, bases: Any, body: Any, **kwargs: Any) -> Any:
        seen.append(f"new {name}")
        return super().__new__(mcs, name, bases, body)

    def __init__(cls, *args: Any) -> None:
        seen.append(f"init {cls.__name__}")


Own = type("Own", (Noting,), {"__module__": "__main__"})


def _made(metaclass: Any, bases: tuple[type, ...], **body: Any) -> Any:
    seen.clear()
    token = f"token {len(bases)} {metaclass.__name__} {sorted(body)} {bases}"
    return rebuild.new_class(metaclass, "Made", bases, {"__module__": "x", "__qualname__": "A.Made", **body}, token)


@pytest.mark.parametrize(
    ("metaclass", "bases", "body"),
    [
        (type, (), {}), (type, (object,), {}), (type, (Hooked,), {}), (type, (Slotted,), {"__slots__": ("a",)}),
        (type, (Slotted,), {}), (type, (dict,), {}), (type, (Hooked, dict), {}), (Noting, (), {}),
        (Noting, (Hooked,), {}),
        (Noting, (Slotted,), {"__slots__": ("a",)}), (Own, (Hooked,), {}), (Own, (), {}), (abc.ABCMeta, (Hooked,), {}),
        (type, (Exception,), {}), (Noting, (object,), {}),
    ],
)  # fmt: skip
def test_a_class_is_made_without_its_authors_code(home: Home, metaclass: Any, bases: Any, body: Any) -> None:
    """Neither hooks of its parents nor its metaclass run; it has the parents that it had."""
    made = _made(metaclass, bases, **body)
    assert seen == []
    assert made.__class__ is metaclass
    assert made.__bases__ == (bases or (object,))
    assert (made.__name__, made.__qualname__, made.__module__) == ("Made", "A.Made", "x")
    assert hasattr(made.__new__(made), "__dict__") is ("__slots__" not in body)
    type("Other", (Hooked,), {})
    assert seen == ["Other"]


def test_a_class_that_its_token_names_is_not_made_twice(home: Home) -> None:
    """It is foreign where it answers."""
    made = _made(type, ())
    assert _made(type, ()) is made
    assert home.is_foreign(made)


class _Pair(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int),)


def test_metaclasses_of_c_make_their_classes_themselves(home: Home) -> None:
    """A structure of ctypes is laid out then."""
    made = _made(type(_Pair), (ctypes.Structure,), _fields_=[("x", ctypes.c_int), ("y", ctypes.c_int)])
    assert (ctypes.sizeof(made), made.__bases__) == (8, (ctypes.Structure,))
    assert rebuild._hooks_of((_Pair,)) == {}
    assert ctypes.sizeof(_made(type(_Pair), (_Pair,))) == 4


class _OfC(type(ctypes.Structure)):  # type: ignore[misc]  # its metaclass
    pass


_OfC.__module__ = "__main__"


def test_a_metaclass_that_insists_on_its_own_way(home: Home) -> None:
    """Bases of C may want more than a class's."""
    made = _made(_OfC, (_Pair,), z=1)
    assert (type(made), made.z, ctypes.sizeof(made)) == (_OfC, 1, 4)


def test_hooks_that_can_be_put_aside() -> None:
    """All of the parents' but object's; none where one is of a class that cannot be changed."""

    class Plain:
        pass

    class Child(Hooked, Plain):
        pass

    assert rebuild._hooks_of((Child, Slotted)) == {each: vars(each)["__init_subclass__"] for each in (Hooked, Slotted)}
    assert rebuild._hooks_of((Plain, int)) == {}
    metaclass: Any = type(ctypes.Structure)
    hooked = metaclass("Hooked", (ctypes.Structure,), {"__init_subclass__": lambda cls: None})
    assert rebuild._hooks_of((hooked,)) is None


def test_hooks_run_in_other_threads_meanwhile() -> None:
    """With the class and its keywords; afterwards they run here again."""
    with rebuild._put_aside({Hooked: vars(Hooked)["__init_subclass__"]}):
        seen.clear()
        type("Here", (Hooked,), {})
        other = threading.Thread(target=types.new_class, args=("There", (Hooked,), {"key": 1}))
        other.start()
        other.join()
        assert seen == ["There"]
    type("After", (Hooked,), {})
    assert seen == ["There", "After"]
    with pytest.raises(KeyError), rebuild._put_aside({Hooked: vars(Hooked)["__init_subclass__"]}):
        raise KeyError
    type("Last", (Hooked,), {})
    assert seen[-1] == "Last"


class Abstract(abc.ABC):
    """Has registered classes."""

    @abc.abstractmethod
    def needed(self) -> None:
        """Nothing calls it."""


def test_what_a_class_is_given(home: Home) -> None:
    """Registrations, and attributes past its metaclass."""

    class Meta(abc.ABCMeta):
        def __setattr__(cls, name: str, value: Any) -> None:
            assert name != "a"
            super().__setattr__(name, value)

    made = _made(Meta, ())
    rebuild.set_class(made, {"_abc_registry": [str], "_abc_membership": [Abstract], "a": 1, "__doc__": "Says it."})
    assert issubclass(str, made)
    assert issubclass(made, Abstract)
    assert (made.a, made.__doc__) == (1, "Says it.")


def test_a_class_that_a_library_registers_is_registered_here(home: Home) -> None:
    """By the metaclass's `__init__`; that of other metaclasses is not called."""

    class YAMLObjectMetaclass(Noting):
        __module__ = "yaml"

    made = _made(YAMLObjectMetaclass, ())
    assert seen == []
    rebuild.set_class(made, {"a": 1})
    assert (seen, made.a) == (["init Made"], 1)
    rebuild.set_class(_made(Noting, ()), {"a": 1})
    assert seen == []


def test_an_enumeration(home: Home) -> None:
    """Its members' values may be functions; members have what they were given, and the class too."""
    body = {"__module__": "x", "__qualname__": "A.Made", "twice": lambda self: self.value}
    members = {"ONE": 1, "CALL": len, "TWO": lambda: 2, "ALSO": 1}
    made: Any = rebuild.new_enum(enum.EnumMeta, "Made", (enum.Enum,), members, body, "token")
    assert [*made.__members__] == ["ONE", "CALL", "TWO", "ALSO"]
    assert (made.ONE.value, made.CALL.value, made.TWO.value(), made.ALSO) == (1, len, 2, made.ONE)
    assert (made.__module__, made.__qualname__, made.ONE.twice()) == ("x", "A.Made", 1)
    rebuild.set_members(made, {"": {"limit": 5}, "CALL": {"note": "b"}})
    assert (made.limit, made.CALL.note, hasattr(made.ONE, "note")) == (5, "b", False)
    rebuild.set_members(made, {"ONE": {"note": "a"}})
    assert made.ONE.note == "a"
    assert rebuild.new_enum(enum.EnumMeta, "Made", (enum.Enum,), members, {}, "token") is made


def test_a_generator_that_has_not_begun_is_called_for() -> None:
    """One of an expression takes iterators; a function's argument is as it was."""

    def function(items: Any, second: Any = 0) -> Any:
        yield items

    made = rebuild.called(function, ([1],), {}, "name", "A.name")
    assert (made.__name__, made.__qualname__, next(made)) == ("name", "A.name", [1])
    generator: Any = (each for each in [1])
    expression = types.FunctionType(generator.gi_code, {})
    made = rebuild.called(expression, ([1, 2],), {}, "<genexpr>", "<genexpr>")
    assert [*made] == [1, 2]
    moved = function.__code__.replace(co_varnames=("items", ".0"))
    assert next(rebuild.called(types.FunctionType(moved, {}), ([3], [4]), {}, "n", "n")) == [3]


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async_generator"])
def test_one_that_has_ended(kind: str) -> None:
    """It is of the kind, has its name, and gives nothing."""
    made = rebuild.ended(kind, "name", "A.name")
    assert (type(made).__name__, made.__name__, made.__qualname__) == (kind, "name", "A.name")
    assert progress(made) == "closed"
    if kind == "async_generator":
        with pytest.raises(StopAsyncIteration):
            made.asend(None).send(None)
