"""How instances of the notebook's classes, containers and exceptions are taken apart, and made again."""

from __future__ import annotations

import collections
import copyreg
import enum
import sys
import threading
from typing import Any

import pytest

from lambdamagic.codec import rebuild, reduce_instances
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.home import Home
from lambdamagic.codec.reduce_instances import (
    exception_rule,
    instance_rule,
    is_sent_whole,
    needs_rule,
    state_with_originals,
)
from lambdamagic.codec.reducers import Reducers


def _made(source: str) -> dict[str, Any]:
    """Return what source makes in a notebook."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)
    return scope


def _rule(value: Any) -> Any:
    return instance_rule(Reducers(Home({})), value)


def _parts(value: Any) -> tuple[str, Any, Any, str]:
    make, arguments, state, _, _, setter = _rule(value)
    return make.__name__, arguments, state, setter.__name__


def _sent(source: str, name: str = "x") -> Any:
    home = Home(_made(source))
    encoder, there = Encoder(home), Home({"__name__": "__main__"}, answers=True)
    encoder.dump(home.namespace[name])
    return Decoder(encoder.frames().segments, there).load()


_PLAIN = "class A:\n    pass\nx = A()\nx.a, x.b = [1], 2"
_HASHED = """
class A:
    __slots__ = ('s', 't', '__dict__')
    def __hash__(self): return hash((self.a, self.s))
    def __eq__(self, other): return True
x = A()
x.a, x.b, x.c, x.s, x.t = 1, [2], ('k', (3, None)), b's', {}
"""


def test_what_pickle_makes_as_it_should() -> None:
    """Plain instances, enumerations, and classes that say how they are pickled."""
    assert _rule(_made(_PLAIN)["x"]) is NotImplemented
    assert _rule(_made("import enum\nclass A(enum.Enum):\n    x = 1\nx = A.x")["x"]) is NotImplemented
    assert _rule(_made("class A:\n    def __reduce__(self): return A, ()\nx = A()")["x"]) is NotImplemented
    assert _rule(_made("class A(bytearray): pass\nx = A()")["x"]) is NotImplemented
    assert _rule(_made("class A(int): pass\nx = A(3)")["x"]) is NotImplemented


def test_what_a_hash_may_need_is_there_first() -> None:
    """Numbers, texts and tuples of them, in attributes and slots; a key may be hashed before the rest is read."""
    value = _made(_HASHED)["x"]
    make, (cls, known), state, setter = _parts(value)
    assert (make, cls, setter) == ("keyed", type(value), "set_state")
    assert known == {"a": 1, "c": ("k", (3, None)), "s": b"s"}
    assert state == ({"a": 1, "b": [2], "c": ("k", (3, None))}, {"s": b"s", "t": {}})
    (found,) = _sent(f"{_HASHED}\nx = {{x: 1}}")
    assert (found.a, found.b, found.s, found.t) == (1, [2], b"s", {})
    value = _made("class A:\n    def __eq__(self, other): return True\nx = A()\nx.a = 1")["x"]
    assert _rule(value) is NotImplemented


@pytest.mark.parametrize(
    "method", ["__new__(cls, *a): return object.__new__(cls)", "__getattr__(self, n): raise NameError(n)"]
)
def test_code_of_the_class_does_not_run_where_it_is_made(method: str) -> None:
    """A `__new__`, or a method that answers for attributes."""
    scope = _made(f"class B:\n    def {method}\nclass A(B):\n    pass\nx = A()\nx.a = 1")
    assert _parts(scope["x"]) == ("bare", (scope["A"],), {"a": 1}, "set_state")


def test_a_dictionary_of_attributes_that_another_has() -> None:
    """It stays that one; an instance whose class leaves out some of its state has it whole."""
    scope = _made(f"{_PLAIN}\nheld = x.__dict__")
    assert _parts(scope["x"]) == ("bare", (scope["A"],), {"a": [1], "b": 2}, "share_state")
    first, second = _sent(f"{_PLAIN}\ny = A()\ny.__dict__ = x.__dict__\nx = [x, y]")
    assert vars(first) is vars(second)
    scope = _made("class A:\n    def __getstate__(self): return {}\nx = A()\nx.a = 1\nheld = x.__dict__")
    assert _parts(scope["x"])[3] == "share_whole"
    slots = "class A:\n    __slots__ = ('s', '__dict__')\nx = A()\nx.a, x.s = 1, 2\nheld = x.__dict__"
    value = _sent(slots)
    assert (value.a, value.s) == (1, 2)


_LEAVES = """
class A:
    def __init__(self): self.a, self.lock = [1], dict()
    def __getstate__(self): return {{'a': [*self.a]}}
    def __setstate__(self, state): raise AssertionError
x = A()
x.lock = {}
"""


def test_what_a_state_leaves_out_is_sent_if_it_can_be() -> None:
    """A cache; where something cannot be sent, what the class says is."""
    found = _sent(_LEAVES.format("{1: 2}"))
    assert (found.a, found.lock) == ([1], {1: 2})
    assert _parts(_made(_LEAVES.format("[]"))["x"])[3] == "set_whole"
    assert _rule(_made(_LEAVES.format("__import__('sys')._getframe()"))["x"]) is NotImplemented
    assert _rule(_made(_LEAVES.format("[bytes(9 << 20)]"))["x"]) is NotImplemented
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    value = _made(_LEAVES.format("[]"))["x"]
    value.lock = deep
    assert _parts(value)[3] == "set_whole"
    while deep:
        deep = deep.pop()
    other = "class B:\n    def __getstate__(self): return {}\nB.__module__ = 'x'\nclass A(B): pass\nx = A()"
    assert _rule(_made(other)["x"]) is NotImplemented
    hooks = "class A:\n    def __getnewargs__(self): return ()\n    def __getstate__(self): return {}\nx = A()"
    assert _rule(_made(hooks)["x"]) is NotImplemented


def test_whether_it_can_be_sent_is_asked_once() -> None:
    """And not while that is found out for the object that leads to it."""
    writing = Reducers(Home({}))
    value = _made(_LEAVES.format("[]"))["x"]
    assert is_sent_whole(writing, value)
    value.lock = threading.Event()
    value.lock.held = sys.stdin
    assert is_sent_whole(writing, value)
    plain = _made("class A: pass\nx = A()\nx.a = 1")["x"]
    assert is_sent_whole(writing, plain)
    refused = _made(_LEAVES.format("__import__('sys')._getframe()"))["x"]
    assert not is_sent_whole(writing, refused)
    assert not is_sent_whole(writing, refused)
    writing.is_tried = True
    assert is_sent_whole(writing, refused)


@pytest.mark.parametrize(
    ("base", "made", "expected"),
    [
        ("int", "7", 7), ("str", "'ab'", "ab"), ("bytes", "b'ab'", b"ab"), ("float", "1.5", 1.5),
        ("tuple", "(1, [2])", (1, [2])),
    ],
)  # fmt: skip
def test_immutable_values_with_an_own_new(base: str, made: str, expected: Any) -> None:
    """They are made past it, of what is in them, whatever the class has made of their methods."""
    source = f"""
class A({base}):
    def __new__(cls, one, two): return {base}.__new__(cls, one)
    def __getitem__(self, at): raise AssertionError
    def __iter__(self): raise AssertionError
    __str__ = __int__ = __float__ = __iter__
x = A({made}, None)
"""
    found = _sent(source)
    native: Any = type(expected)
    assert native.__eq__(found, expected)
    assert type(found).__name__ == "A"
    make, _, state = _rule(_made(source)["x"])
    assert (make, state) == (rebuild.immutable, None)
    assert _rule(_made(f"{source}\nx.a = 1")["x"])[2] == {"a": 1}
    assert _sent(f"{source}\nx.a = 1").a == 1


_LIST = """
class A(list):
    def __init__(self, n): self.n = n
    def append(self, x): raise AssertionError
    extend = append
"""


def test_containers_are_filled_past_their_own_methods() -> None:
    """With attributes and slots, a factory and a length; one may be its own dictionary of attributes."""
    found = _sent(f"{_LIST}\nx = A(5)\nlist.extend(x, [1, x])")
    assert (found.n, found[0], found[1] is found) == (5, 1, True)
    found = _sent("import collections\nclass A(collections.defaultdict): pass\nx = A(list)\nx['a'] = 1\nx.note = 2")
    assert (found.default_factory, dict(found), found.note) == (list, {"a": 1}, 2)
    found = _sent("import collections\nclass A(collections.Counter): pass\nx = A('aab')\nx.note = 2")
    assert (found["a"], found["c"], found.note) == (2, 0, 2)
    found = _sent("import collections\nclass A(collections.deque): pass\nx = A([1, 2, 3], 2)")
    assert (found.maxlen, [*found]) == (2, [2, 3])
    found = _sent("class A(dict):\n    def __init__(self): self.__dict__ = self\nx = A()\nx['a'] = 1")
    assert (found.a, vars(found) is found) == (1, True)
    found = _sent("class A(dict): pass\nx = A(a=1)\nx.a = 1")
    assert (found == vars(found), vars(found) is found) == (True, False)
    found = _sent("class A(set):\n    __slots__ = ('s',)\nx = A([1])\nx.s = 2")
    assert (found.s, {*found}) == (2, {1})
    found = _sent("import collections\nclass A(collections.OrderedDict): pass\nx = A(b=1, a=2)")
    assert [*found.items()] == [("b", 1), ("a", 2)]
    assert isinstance(found, collections.OrderedDict)


class Needs:
    """A library's class that pickle would call with too little."""

    def __new__(cls, a: Any) -> Any:
        return super().__new__(cls)


class Optional:
    """Can be called without arguments."""

    def __new__(cls, a: Any = 1) -> Any:
        return super().__new__(cls)


class Hashed:
    """Its hash may need its attributes."""

    def __hash__(self) -> int:
        return 1


class OwnWay(Hashed):
    """Says how it is pickled."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OwnWay, ()


class Answers:
    """Has an answer for attributes."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Sets(Answers):
    """Takes its state itself."""

    def __setstate__(self, state: Any) -> None:
        """Take it."""


@pytest.mark.parametrize(
    ("cls", "expected"),
    [(Needs, True), (Optional, False), (Hashed, True), (OwnWay, False), (Answers, True), (Sets, False), (object, False),
     (int, False)],
)  # fmt: skip
def test_classes_of_libraries_that_pickle_would_ask_too_early(cls: type, expected: bool) -> None:
    """For arguments, a hash, or attributes."""
    assert needs_rule(cls) is expected


class Copies:
    """Gives copies of what it holds."""

    def __init__(self) -> None:
        self.items, self.table, self.names, self.other, self.less = [1], {"a": [2]}, {3}, (4,), [5]

    def __getstate__(self) -> Any:
        return {
            "items": [*self.items], "table": dict(self.table), "names": set(self.names), "other": self.other,
            "less": [], "changed": [1], "kind": {1}, "extra": 6,
        }  # fmt: skip


class Slotted:
    """Gives what pickle asks slots for."""

    __slots__ = ("a",)

    def __getstate__(self) -> Any:
        return (None, {"a": 1})


class Answering(Copies):
    """The same, with an answer for attributes."""

    def __getstate__(self) -> Any:
        return {"items": [1]}

    def __getattr__(self, name: str) -> Any:
        raise NameError(name)


class WithReduce(Copies):
    """Says how it is pickled."""

    def __reduce__(self) -> Any:
        return Copies, ()


class Listed(list[int], Answering):
    """Has items, too."""


class Color(enum.Enum):
    """Members stay members."""

    RED = 1

    def __getstate__(self) -> Any:
        return {}


def test_states_keep_the_objects_that_they_copy() -> None:
    """Where a list, a dictionary or a set is another one that holds the very same."""
    value = Copies()
    function, args, state, *rest = state_with_originals(value)
    assert (function, args, rest) == (copyreg.__newobj__, (Copies,), [None, None])  # type: ignore[attr-defined]
    same = {name for name in ("items", "table", "names", "other") if state[name] is getattr(value, name)}
    assert same == {"items", "table", "names", "other"}
    assert [state[name] for name in ("less", "changed", "kind", "extra")] == [[], [1], {1}, 6]
    for other in (WithReduce(), Color.RED, Hashed(), OwnWay(), Optional()):
        assert state_with_originals(other) is NotImplemented


def test_a_state_is_set_where_the_class_would_answer_for_it() -> None:
    """Past the class; others as pickle does."""
    assert state_with_originals(Slotted())[2:] == ((None, {"a": 1}), None, None)
    found = state_with_originals(Answering())
    assert (len(found), found[3:]) == (6, (None, None, rebuild.set_state))
    found = state_with_originals(Listed([1, 2]))
    assert ([*found[3]], found[4:]) == ([1, 2], (None, rebuild.set_state))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2], [1, 2], True), ([1], [2], False), ([1], [1, 2], False), ([1], (1,), False), ((1,), (1,), False),
        ({"a": 1}, {"a": 1}, True), ({"a": 1}, {"a": 2}, False), ({"a": 1}, {"b": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False), ({1, 2}, {2, 1}, True), ({1}, {2}, False), ({1, 2}, {1}, False),
        ([[]], [[]], False), ("a", "a", False),
    ],
)  # fmt: skip
def test_what_a_copy_is(one: Any, other: Any, expected: bool) -> None:
    """It holds the very same, in the same order."""
    assert reduce_instances._is_copy(one, other) is expected
    assert reduce_instances._is_copy(other, one) is expected


class Failed(Exception):
    """Is made of other arguments than it keeps."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Reduced(Exception):
    """Says how it is pickled."""

    def __reduce__(self) -> Any:
        return Reduced, ("again",)


def _exception(error: Any, cause: Any = None, context: Any = None) -> Any:
    error.__cause__, error.__context__ = cause, context
    return exception_rule(Reducers(Home({})), error)


def test_exceptions() -> None:
    """Without their own `__init__`, with those that they came from."""
    error, other = Failed(3), ValueError("other")
    assert _exception(error) == (rebuild.exception, (Failed, ("code 3",), {"code": 3}))
    found = _exception(error, other, other)
    assert found[:2] == (rebuild.exception, (Failed, ("code 3",), {"code": 3}))
    assert found[2:] == (({}, other, other, True), None, None, rebuild.set_exception)
    assert _exception(Failed(3), None, other)[2][:3] == ({}, None, other)
    assert _exception(Failed(3), other, None)[2][:3] == ({}, other, None)
    assert _exception(KeyError("k")) is NotImplemented
    assert _exception(Reduced()) is NotImplemented
    found = _exception(KeyError("k"), other)
    assert (found[:2], found[2]) == ((KeyError, ("k",)), ({}, other, None, True))
    noted = KeyError("k")
    noted.note = 5  # type: ignore[attr-defined]  # as code may
    assert _exception(noted, other)[2][0] == {"note": 5}
    assert _exception(Reduced(), None, other)[:2] == (Reduced, ("again",))


def test_exceptions_are_made_again() -> None:
    """With all fields that Python has for their kind."""
    source = "class A(SyntaxError):\n    def __init__(self, needed): pass\nx = A.__new__(A)\n"
    found = _sent(f"{source}SyntaxError.__init__(x, 'no', ('f', 1, 2, 't'))\nx.extra = 5\nx.__cause__ = KeyError(1)")
    assert (found.msg, found.lineno, found.extra, found.args) == ("no", 1, 5, ("no", ("f", 1, 2, "t")))
    assert (type(found.__cause__), found.__suppress_context__) == (KeyError, True)
