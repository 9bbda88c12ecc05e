"""How functions, classes, modules and their parts are taken apart."""

from __future__ import annotations

import ctypes
import enum
import math
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from lambdamagic.codec import rebuild
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_code import FunctionGlobals, is_made_by_code
from lambdamagic.codec.reducers import Reducers


def display() -> None:
    """Has the name of IPython's."""


def _notebook(source: str, **names: Any) -> tuple[Home, Reducers]:
    home = Home({"__name__": "__main__", **names})
    exec(source, home.namespace)
    return home, Reducers(home)


def _reduced(value: Any) -> Any:
    return Reducers(Home({})).reduce(value)


def test_display_is_what_it_is_there() -> None:
    """IPython's own; other functions of its module, and others of this name, are found by their names."""
    functions = pytest.importorskip("IPython.core.display_functions")
    assert _reduced(functions.display) == (rebuild.display, ())
    assert _reduced(functions.publish_display_data) is NotImplemented
    assert _reduced(display) is NotImplemented


def test_a_function_of_the_notebook_is_made_there() -> None:
    """Under its name, if it has that in the namespace; what it is, it is given later."""
    home, reducers = _notebook(
        "def f(a, b=1, *, c=2): 'Says it.'\ndef outer():\n    return lambda: None\ng = outer()\nh = f"
    )
    f = home.namespace["f"]
    f.note = 5
    make, arguments, state, _, _, setter = reducers.reduce(f)
    assert (make, setter) == (rebuild.named_function, rebuild.set_function)
    assert (arguments[0], arguments[2:]) == (f.__code__, ("f", None))
    assert state == {
        "__qualname__": "f", "__module__": "__main__", "__defaults__": (1,), "__kwdefaults__": {"c": 2},
        "__doc__": "Says it.", "__annotations__": {}, "__dict__": {"note": 5},
    }  # fmt: skip
    assert reducers.is_of_home
    assert reducers.functions == [f]
    make, _, state = reducers.reduce(home.namespace["g"])[:3]
    assert make is rebuild.function
    assert "__dict__" not in state
    home.namespace["f"] = home.namespace["g"]
    assert reducers.reduce(f)[0] is rebuild.function
    home.namespace["f"], home.answers = f, True
    assert reducers.reduce(f)[0] is rebuild.function


def test_a_function_that_the_other_side_finds_by_its_name() -> None:
    """Where it was asked for, and only what came under a name."""
    home, reducers = _notebook("def f(): ...\ndef g(): ...")
    home.answers = True
    f, g = home.namespace["f"], home.namespace["g"]
    home.note_named(f)
    assert reducers.reduce(f)[0] is rebuild.function
    reducers.refers_to_functions = True
    assert reducers.reduce(f) == (rebuild.known_function, ("f",))
    assert reducers.reduce(g)[0] is rebuild.function


def _globals_of(reducers: Reducers, function: Any) -> tuple[Any, Any]:
    """Return what stands for a function's globals, and which are sent with it."""
    arguments, state = reducers.reduce(function)[1:3]
    assert isinstance(arguments[1], FunctionGlobals)
    return reducers.reduce(arguments[1]), state.get("__globals__")


def _made_in(scope: dict[str, Any], source: str = "def f(): return used, nested()") -> Any:
    exec(source, scope)
    return scope["f"]


def test_globals_of_functions() -> None:
    """Those of the namespace, of a module, of one that code has made, or of a dictionary that code was run in."""
    home, reducers = _notebook("def f(): return used\nused = 1")
    assert _globals_of(reducers, home.namespace["f"]) == ((rebuild.namespace, ()), None)
    function = types.FunctionType((lambda: None).__code__, vars(math))
    assert _globals_of(reducers, function) == ((rebuild.module_globals, ("math",)), None)
    assert "math" in reducers.modules
    module = types.ModuleType("made")
    function = _made_in(vars(module))
    assert _globals_of(reducers, function)[1] == {"__name__": "made"}
    assert reducers.reduce(module)[0] is rebuild.made_module
    reducers.globals_by_id.clear()
    assert _globals_of(reducers, function) == ((rebuild.globals_of, (module,)), None)
    scope: dict[str, Any] = {"used": 2, "unused": 3, "inner": 4}
    function = _made_in(scope, "def f(): return used, [(lambda: inner) for _ in ()]")
    assert _globals_of(reducers, function) == ((dict, ()), {"used": 2, "inner": 4})
    reducers.scopes[id(scope)] = scope
    assert _globals_of(reducers, function) == ((rebuild.itself, (scope,)), None)


def test_equal_globals_are_not_the_same() -> None:
    """A copy of the namespace, or of a module's, is a dictionary that nothing else has."""
    home, reducers = _notebook("used = 1")
    for scope in (dict(home.namespace), dict(vars(math))):
        function = types.FunctionType(compile("lambda: used", "", "eval").co_consts[0], scope)
        held = {name: scope[name] for name in ("__name__", "used") if name in scope}
        assert _globals_of(reducers, function) == ((dict, ()), held)
    own = sys.modules["__main__"]
    function = types.FunctionType((lambda: None).__code__, vars(own))
    home = Home({}, "__main__")
    assert _globals_of(Reducers(home), function) == ((rebuild.namespace, ()), None)
    function = types.FunctionType((lambda: None).__code__, {"__name__": 5})
    assert _globals_of(reducers, function) == ((dict, ()), {"__name__": 5})


def test_cells_and_code() -> None:
    """A cell has its content, or none; code is marshalled."""
    assert _reduced(types.CellType(5)) == (rebuild.cell, (), (5,), None, None, rebuild.set_cell)
    assert _reduced(types.CellType()) == (rebuild.cell, (), (), None, None, rebuild.set_cell)
    make, arguments = _reduced(display.__code__)
    assert make(*arguments) == display.__code__


class _Kind(types.ModuleType):
    pass


def _module(name: str, cls: Any = types.ModuleType, **held: Any) -> Any:
    found = cls(name)
    vars(found).update(held)
    return found


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (_module("made"), True), (_module("math"), True), (_module("made", _Kind), False), (math, False),
        (_module("made", __spec__=1), False), (_module("made", __loader__=1), False),
    ],
)  # fmt: skip
def test_modules_that_no_import_leads_to(module: Any, expected: bool) -> None:
    """Code has made them, and no loader; it has not put them where imports look."""
    assert is_made_by_code(module) is expected


def test_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names; those of code with what they hold; the notebook's own is the one there."""
    module = _module("made", a=1, __builtins__=2)
    monkeypatch.setitem(sys.modules, "made", module)
    assert not is_made_by_code(module)
    reducers = Reducers(Home({}))
    assert reducers.reduce(module) == (rebuild.module, ("made",))
    assert not reducers.is_of_home
    monkeypatch.delitem(sys.modules, "made")
    make, arguments, state, _, _, setter = reducers.reduce(module)
    assert (make, arguments, setter) == (rebuild.made_module, ("made",), rebuild.set_module)
    assert (state["a"], "__builtins__" in state) == (1, False)
    assert not reducers.is_of_home
    assert reducers.reduce(_module("__main__")) == (rebuild.main_module, ())
    assert reducers.is_of_home


def test_classes() -> None:
    """Those of Python and of ctypes by what leads to them; the notebook's by their parts; known ones by their token."""
    assert _reduced(type(iter([]))) is NotImplemented or _reduced(type(iter([])))[0] is rebuild.attribute
    place, name = _reduced(type(iter([])))[1]
    assert getattr(sys.modules[place], name) is type(iter([]))
    make, arguments = _reduced(type(ctypes.c_int))
    assert make(*arguments) is type(ctypes.c_int)
    assert _reduced(math.inf.__class__) is NotImplemented
    home, reducers = _notebook("class A:\n    x = 1")
    cls = home.namespace["A"]
    make, arguments, state, _, _, setter = reducers.reduce(cls)
    assert (make, setter) == (rebuild.new_class, rebuild.set_class)
    assert arguments == (
        type, "A", (object,), {"__module__": "__main__", "__qualname__": "A"}, home.token_of(cls)
    )  # fmt: skip
    of_python_313 = {"__firstlineno__", "__static_attributes__"}
    assert {name: each for name, each in state.items() if name not in of_python_313} == {"x": 1, "__doc__": None}
    assert reducers.is_of_home
    home.foreign.add(home.token_of(cls))
    assert reducers.reduce(cls) == (rebuild.known_class, (home.token_of(cls), "A"))


_ENUMS = """
import dataclasses, datetime, enum, types
class Own(enum.EnumMeta):
    pass
class Color(enum.Enum):
    _ignore_ = ["ignored"]
    ignored = 1
    RED = 1
    ALSO = 1
    BLUE = 2
    limit = property(lambda self: 5)
    @enum.property
    def shown(self): return 7
    @types.DynamicClassAttribute
    def dynamic(self): return 8
    def low(self): return self.name.lower()
    def __str__(self): return "mine"
    @classmethod
    def _missing_(cls, value): return cls.RED
Color.later, Color._hidden, Color.back, Color.kept_ = [1], 2, Color, 3
Color._also_ = Color.__x = 4
Color.RED.note = "first"
class Pair(enum.Enum):
    def __new__(cls, a, b):
        made = object.__new__(cls)
        made._value_ = a
        made.b = b
        return made
    ONE = 1, 2
    TWO = 3, 4
class Coordinate(bytes, enum.Enum):
    def __new__(cls, value, label):
        made = bytes.__new__(cls, [value, value])
        made._value_ = value
        made.label = label
        return made
    def __init__(self, value, label):
        self.seen = [label]
    X = 7, "x"
    Y = 8, "y"
    Z = 7, "z"
class Level(enum.IntEnum):
    def __new__(cls, value, label="none"):
        made = int.__new__(cls, value)
        made._value_ = value
        made.label = label
        return made
    LOW = 1, "low"
    HIGH = 2
class Text(str, enum.Enum):
    A = "a"
class Noted(str):
    def noted(self): return self + "!"
class Mixed(Noted, enum.Enum):
    A = "a"
class Day(datetime.date, enum.Enum):
    FIRST = 2020, 1, 2
@dataclasses.dataclass
class Point:
    x: int
    y: int
class Points(Point, enum.Enum):
    A = 1, 2
class Slotted:
    __slots__ = ("x",)
    def __init__(self, x): self.x = x
class Table(dict, enum.Enum):
    ONE = {"a": 1}
class Part(Slotted, enum.Enum):
    HALF = 1
class Plain(enum.Enum):
    "Says it."
    ONE = 1
class Number(enum.IntFlag):
    ONE = 1
    TWO = 2
"""


@pytest.fixture
def enums() -> Iterator[dict[str, Any]]:
    """Enumerations as they arrive."""
    from lambdamagic.codec.encode import Decoder, Encoder

    home, _ = _notebook(_ENUMS)
    encoder, there = Encoder(home), Home({"__name__": "__main__"}, answers=True)
    names = ("Color", "Pair", "Plain", "Number", "Coordinate", "Level", "Text", "Mixed", "Day", "Points")
    encoder.dump({name: home.namespace[name] for name in names})
    yield Decoder(encoder.frames().segments, there).load()


def test_enumerations_arrive_as_they_are(enums: dict[str, Any]) -> None:
    """Members and aliases, methods, what they override, and what was given to the class or to a member."""
    color = enums["Color"]
    assert [*color.__members__.items()] == [("RED", color.RED), ("ALSO", color.RED), ("BLUE", color.BLUE)]
    assert (color.RED.limit, color.RED.low(), str(color.BLUE), color(77)) == (5, "red", "mine", color.RED)
    assert (color.later, color._hidden, color.back) == ([1], 2, color)
    assert (vars(color.RED)["note"], hasattr(color.BLUE, "note")) == ("first", False)
    assert [(each.value, each.b) for each in enums["Pair"]] == [(1, 2), (3, 4)]
    coordinate, level = enums["Coordinate"], enums["Level"]
    assert [(each.name, each.value, bytes(each), each.label, each.seen) for each in coordinate] == [
        ("X", 7, b"\x07\x07", "x", ["x"]), ("Y", 8, b"\x08\x08", "y", ["y"])
    ]  # fmt: skip
    assert (coordinate.Z, coordinate(8), "__init__" in vars(coordinate)) == (coordinate.X, coordinate.Y, True)
    assert [coordinate._new_member_(coordinate, 9, "n").label, coordinate.__new__ is enum.Enum.__new__] == ["n", True]
    assert [(each + 1, each.label) for each in level] == [(2, "low"), (3, "none")]
    assert ("__init__" in vars(level), level.LOW < level.HIGH) == (False, True)
    text, mixed, day, points = (enums[name] for name in ("Text", "Mixed", "Day", "Points"))
    assert (text.A + "b", text("a"), mixed.A.noted(), day.FIRST.year, points.A.x, points.A.y, points.A.value.y) == (
        "ab", text.A, "a!", 2020, 1, 2, 2
    )  # fmt: skip
    assert (enums["Plain"].__doc__, str(enums["Plain"].ONE)) == ("Says it.", "Plain.ONE")
    number = enums["Number"]
    assert (number.ONE | number.TWO, number(3).name, issubclass(number, enum.IntFlag)) == (3, "ONE|TWO", True)


def test_enumerations_are_sent_without_what_python_adds() -> None:
    """Nor what a member has under another of its names."""
    home, reducers = _notebook(_ENUMS)
    make, arguments, given, _, _, setter = reducers.reduce(home.namespace["Color"])
    assert (make, setter) == (rebuild.new_enum, rebuild.set_members)
    body = arguments[4]
    assert arguments[3] == {"RED": 1, "ALSO": 1, "BLUE": 2}
    assert {each for each in body if each not in ("__static_attributes__", "__firstlineno__")} == {
        "__module__", "__qualname__", "limit", "low", "__str__", "_missing_", "__doc__"
    }  # fmt: skip
    assert given == {
        "RED": {"note": "first"},
        "": {"later": [1], "_hidden": 2, "kept_": 3, "_also_": 4, "__x": 4, "back": home.namespace["Color"]},
    }
    assert len(reducers.reduce(home.namespace["Plain"])) == 2
    assert reducers.reduce(home.namespace["Part"])[0] is rebuild.new_enum
    assert reducers.reduce(home.namespace["Table"])[0] is rebuild.new_enum
    assert "__new__" not in reducers.reduce(home.namespace["Plain"])[1][4]
    assert "__new__" in reducers.reduce(home.namespace["Pair"])[1][4]


class Owner:
    """A class of an installed module, for all that the codec knows."""

    def method(self) -> None:
        """Can be imported."""

    @classmethod
    def of_class(cls) -> None:
        """Is bound to the class."""


def test_methods_are_bound_there() -> None:
    """Those of the notebook's classes and objects, and functions that an import leads to; others as pickle does."""
    owner = Owner()
    assert _reduced(owner.method) == (rebuild.bound_method, (Owner.method, owner))
    assert _reduced(Owner.of_class) is NotImplemented
    local = types.MethodType(lambda self: None, owner)
    assert _reduced(local) is NotImplemented
    assert _reduced(types.MethodType(len, owner)) is NotImplemented
    home, reducers = _notebook("class A:\n    def f(self): ...\n    @classmethod\n    def g(cls): ...\na = A()")
    a, cls = home.namespace["a"], home.namespace["A"]
    assert reducers.reduce(a.f) == (rebuild.bound_method, (cls.f, a))
    assert reducers.reduce(cls.g) == (rebuild.bound_method, (vars(cls)["g"].__func__, cls))
    assert reducers.reduce(types.MethodType(len, a)) == (rebuild.bound_method, (len, a))


def test_methods_of_a_shell_are_those_of_the_one_there() -> None:
    """By their names."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.__new__(shells.InteractiveShell)
    assert _reduced(shell.run_cell) == (rebuild.shell_method, ("run_cell",))


def test_methods_without_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no shell's."""
    monkeypatch.delitem(sys.modules, "IPython.core.interactiveshell", raising=False)
    owner = Owner()
    assert _reduced(owner.method)[0] is rebuild.bound_method


class _Mapping(dict[str, int]):
    pass


def test_views_of_dictionaries() -> None:
    """Of the dictionary itself; a class's, or another mapping, is copied."""
    held = {"a": 1}
    make, (content,) = _reduced(types.MappingProxyType(held))
    assert make is rebuild.mapping_proxy
    assert content is held
    for other in (_Mapping(a=1), {"__module__": "x"}):
        make, (content,) = _reduced(types.MappingProxyType(other))
        assert content == other
        assert content is not other
        assert type(content) is dict


def test_descriptors_and_super() -> None:
    """By what they are made of."""
    function: Any = display
    assert _reduced(property(function, None, function, "Says it.")) == (
        property,
        (function, None, function, "Says it."),
    )
    assert _reduced(staticmethod(function)) == (staticmethod, (function,))
    assert _reduced(classmethod(function)) == (classmethod, (function,))
    owner = Owner()
    assert _reduced(super(Owner, owner)) == (rebuild.bound_super, (Owner, owner))
