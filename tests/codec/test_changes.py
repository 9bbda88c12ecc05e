"""The state of a changed object is taken, and given to another one of its kind."""

from __future__ import annotations

import abc
import asyncio
import builtins
import collections.abc
import ctypes
import itertools
import pickle
import types
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

from lambdamagic.codec import kinds
from lambdamagic.codec.changes import apply, apply_class, state_to_send, without_builtins
from lambdamagic.codec.class_parts import ABC_MEMBERSHIP, ABC_REGISTRY
from lambdamagic.codec.placeholder import Placeholder
from lambdamagic.codec.reduce_code import FunctionGlobals
from lambdamagic.codec.tracking import Deleted, Tracked
from lambdamagic.codec.written_as import Called
from tests.codec.conversations import run


def _item(value: Any, kind: int) -> Tracked:
    item = Tracked(value, kind, 0)
    if kind in (kinds.FUNCTION, kinds.CELL):
        item.before = kinds.state_of(value, kind)
    return item


_COUNTED = "import functools\n@functools.lru_cache\ndef x(a): return [a]\n"
_MEMBER = "import enum\nclass E(enum.Enum):\n    A = 1\nx = E.A\nx.gone = 1\n"
_SLOTS = "class A:\n    __slots__ = ('n', 'm', '__dict__')\nx = A()\nx.n = 1\n"
_FILE = "from lambdamagic.codec.opened_files import opened\nx = opened(b'abc', 'n', 'rb', '', '', 0)"
_WEAK = "import weakref\nclass A: pass\none, two = A(), A()\nx = weakref.WeakValueDictionary(a=one)"
#: How an object is made on both sides, how it is changed on one, and what the other has afterwards.
_CHANGES = {
    "list": ("x = [1, 2]", "x[:] = [3]", "x == [3]"),
    "dict": ("x = {'a': 1}", "x['b'] = x.pop('a')", "x == {'b': 1}"),
    "set": ("x = {1}", "x.clear(); x.add(2)", "x == {2}"),
    "bytearray": ("x = bytearray(b'ab')", "x += b'c'", "x == b'abc'"),
    "array": ("import numpy\nx = numpy.zeros(4)", "x[3] = 1", "x.tolist() == [0, 0, 0, 1] and x.flags.writeable"),
    "shape": ("import numpy\nx = numpy.zeros(4)", "x.shape = 2, 2", "x.shape == (2, 2)"),
    "array of objects": ("import numpy\nx = numpy.array([None, 1])", "x[0] = 'a'", "x.tolist() == ['a', 1]"),
    "read-only": ("import numpy\nx = numpy.zeros(2)", "x[0] = 1; x.flags.writeable = False",
                  "x[0] == 1 and not x.flags.writeable"),
    "writable": ("import numpy\nx = numpy.zeros(2)\nx.flags.writeable = False", "x.flags.writeable = True; x[0] = 1",
                 "x[0] == 1 and x.flags.writeable"),
    "cache": (_COUNTED, "x(1); x(1); x.mark = 1", "x.cache_info()[:2] == (1, 1) and x.mark == 1 and x(1) == [1]"),
    "cleared cache": (_COUNTED + "x(1)", "x.cache_clear()", "x.cache_info().currsize == 0"),
    "file": (_FILE, "x.read(2)", "x.read() == b'c'"),
    "closed file": (_FILE, "x.close()", "x.closed"),
    "member": (_MEMBER, "x.mark = 2; del x.gone", "x.mark == 2 and not hasattr(x, 'gone') and x.value == 1"),
    "function": ("def x(a=1, *, b=2): return a\nx.gone = 1",
                 "x.__defaults__ = (3,); x.__kwdefaults__ = None; vars(x).clear()",
                 "x(b=1) == 3 and x.__kwdefaults__ is None and vars(x) == {}"),
    "keywords": ("def x(*, b=2): return b", "x.__kwdefaults__ = {'b': 3}", "x() == 3 and vars(x) == {}"),
    "code": ("def x(): return 1\nold = x.__code__", "x.__code__ = (lambda: 2).__code__", "x() == 2"),
    "same code": ("def x(): return 1\nold = x.__code__", "x.mark = 1", "x.__code__ is old and x.mark == 1"),
    "names": ("def x(): 'doc'", "x.__name__ = 'y'; x.__doc__ = None", "x.__name__ == 'y' and x.__doc__ is None"),
    "cell": ("import types\nx = types.CellType(1)", "x.cell_contents = 2", "x.cell_contents == 2"),
    "empty cell": ("import types\nx = types.CellType(1)", "del x.cell_contents", "repr(x).endswith('empty>')"),
    "variable": ("import contextvars\nx = contextvars.ContextVar('x')", "x.set(None)", "x.get(1) is None"),
    "variable that stayed empty": ("import contextvars\nx = contextvars.ContextVar('x')", "", "x.get(1) == 1"),
    "instance": ("class A: pass\nx = A()\nx.a = 1", "x.b = 2; del x.a", "vars(x) == {'b': 2}"),
    "slots": (_SLOTS, "x.m = 2; del x.n; x.d = 3", "x.m == 2 and not hasattr(x, 'n') and vars(x) == {'d': 3}"),
    "slots that stayed": (_SLOTS, "", "x.n == 1 and not hasattr(x, 'm')"),
    "other class": ("class A: pass\nclass B: pass\nx = A()", "x.__class__ = B", "type(x).__qualname__ == 'B'"),
    "same class": ("class A: pass\nx = A()", "x.a = 1", "type(x) is A"),
    "container": ("class L(list): pass\nx = L([1])", "x.append(2); x.a = 3",
                  "x == [1, 2] and x.a == 3 and type(x) is L"),
    "factory": ("import collections\nx = collections.defaultdict(int)", "x.default_factory = list", "x['a'] == []"),
    "weak": (_WEAK, "x.clear()", "len(x) == 0 and x.data == {}"),
    "opaque": ("import random\nx = random.Random(1)", "x.seed(2)", "x.random() == random.Random(2).random()"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*_CHANGES])
def test_another_object_is_given_the_change(name: str) -> None:
    """And the state is a copy, which later changes do not reach."""
    setup, body, check = _CHANGES[name]
    there: dict[str, Any] = {"__name__": "__main__"}
    here: dict[str, Any] = {"__name__": "__main__"}
    for namespace in (there, here):
        run(setup, namespace)
    item = _item(there["x"], kinds.kind_of_value(there["x"]))
    target = here["x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy would rather not have a shape set
        run(body, there)
    state = state_to_send(item)
    if item.kind == kinds.OPAQUE:
        state = there["x"]
    apply(target, item.kind, state)
    assert run(check, here)
    assert here["x"] is target


def test_a_value_is_sent_and_not_its_number() -> None:
    """What is written of a container is another one, of an opaque object what it is reduced to."""
    for value in ([1], {1: 2}, {1}):
        kind = kinds.kind_of_value(value)
        state = state_to_send(_item(value, kind))
        assert state == value
        assert state is not value
    array = np.zeros(2)
    view, writeable = state_to_send(_item(array, kinds.ARRAY))
    assert view.base is array
    assert writeable is True
    data = bytearray(b"a")
    sent = state_to_send(_item(data, kinds.BYTES))
    data[0] = 66
    assert bytes(sent) == b"a"


def test_only_what_is_new_of_a_function_is_sent() -> None:
    """Neither its code nor its names, if these stayed."""

    def function() -> None:
        """Do nothing."""

    item = _item(function, kinds.FUNCTION)
    assert state_to_send(item) == (None, {}, {}, None, {})
    function.__qualname__ = "other"
    assert state_to_send(item)[4] == {"__qualname__": "other"}


def test_builtins_are_those_of_the_reader() -> None:
    """Where code was run in a dictionary; other names and other builtins are the dictionary's."""
    scope: dict[str, Any] = {"a": 1}
    exec("", scope)
    copied = without_builtins(scope)
    assert isinstance(copied["__builtins__"], Called)
    assert {**copied, "__builtins__": 0} == {"a": 1, "__builtins__": 0}
    assert scope["__builtins__"] is vars(builtins)
    own = {**vars(builtins)}
    assert without_builtins({"__builtins__": own})["__builtins__"] is own
    assert isinstance(state_to_send(_item(scope, kinds.DICT))["__builtins__"], Called)


def test_a_functions_globals_keep_their_builtins() -> None:
    """They are first, as code has put them there."""
    scope: dict[str, Any] = {"gone": 1}
    exec("def f(): return len([a])", scope)
    function = scope["f"]
    apply(FunctionGlobals(function), kinds.DICT, {"f": function, "a": 1, "__builtins__": None})
    assert [*scope] == ["__builtins__", "f", "a"]
    assert scope["__builtins__"] is function.__builtins__
    assert function() == 1


def test_what_stayed_on_the_other_side_is_no_state() -> None:
    """The reason is raised."""
    with pytest.raises(TypeError, match=r"^the reason$"):
        apply([], kinds.LIST, Placeholder("x", "list", "the reason", "[1]"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_iterators_that_moved() -> None:
    """By their state, or by what is left; at the end of a chain none of its parts is asked."""
    moved = iter([1, 2, 3])
    next(moved)
    target = iter([1, 2, 3])
    apply(target, kinds.STATE, state_to_send(_item(moved, kinds.STATE)))
    assert [*target] == [2, 3]
    for left in (0, 1, 2, 3):
        moved, target = iter([1, 2, 3]), iter([1, 2, 3])
        assert len([*itertools.islice(moved, 3 - left)]) == 3 - left
        state = state_to_send(_item(moved, kinds.ENDED))
        assert state == left
        apply(target, kinds.ENDED, state)
        assert [*target] == [1, 2, 3][3 - left :]
    part = iter([1])
    chained = itertools.chain(part)
    apply(chained, kinds.ENDED, 0)
    assert ([*chained], [*part]) == ([], [1])


def _generator() -> Any:
    yield 1


async def _coroutine() -> None:
    pass


async def _asynchronous() -> Any:
    yield 1


def test_generators_that_ended() -> None:
    """One that has only begun is not sent; the other side's ends without running."""
    begun, ended, target = (_generator() for _ in range(3))
    next(begun)
    with pytest.raises(TypeError, match=r"^a generator that has begun cannot be sent$"):
        pickle.dumps(state_to_send(_item(begun, kinds.GENERATOR)))
    assert [*ended] == [1]
    apply(target, kinds.GENERATOR, pickle.loads(pickle.dumps(state_to_send(_item(ended, kinds.GENERATOR)))))
    assert [*target] == []
    coroutine, asynchronous = _coroutine(), _asynchronous()
    apply(coroutine, kinds.GENERATOR, False)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)
    apply(asynchronous, kinds.GENERATOR, False)

    async def left() -> list[int]:
        return [each async for each in asynchronous]

    assert asyncio.run(left()) == []


def test_an_instance_of_a_redefined_class_keeps_it() -> None:
    """The notebook's new class of the same name is meant; slots that it lacks are left out."""
    old, new = (type("A", (), {"__slots__": slots}) for slots in (("a", "b"), ("a",)))
    value: Any = old()
    value.a = value.b = 1
    target: Any = new()
    apply(target, kinds.INSTANCE, state_to_send(_item(value, kinds.INSTANCE)))
    assert type(target) is new
    assert target.a == 1


def test_constants_of_a_parser_are_those_here() -> None:
    """`argparse` compares them by identity."""
    import argparse

    parser = argparse.ArgumentParser()
    cls, attributes, slots = state_to_send(_item(parser, kinds.INSTANCE))
    suppressed = "".join([*argparse.SUPPRESS])
    assert suppressed is not argparse.SUPPRESS
    apply(parser, kinds.INSTANCE, (cls, {**attributes, "argument_default": suppressed}, slots))
    assert parser.argument_default is argparse.SUPPRESS


def test_attributes_of_weak_containers_are_not_sent() -> None:
    """Those that they have are their machinery."""

    class Held:
        pass

    one, two = Held(), Held()
    source, target = weakref.WeakSet([one]), weakref.WeakSet([two])
    machinery = target._remove  # type: ignore[attr-defined]  # what it is made with
    apply(target, kinds.CONTAINER, state_to_send(_item(source, kinds.CONTAINER)))
    assert [*target] == [one]
    assert target._remove is machinery  # type: ignore[attr-defined]


class _Guarded(type):
    def __setattr__(cls, name: str, value: Any) -> None:
        raise AssertionError(name)

    def __delattr__(cls, name: str) -> None:
        raise AssertionError(name)


def test_a_class_is_changed() -> None:
    """Past a metaclass that would not have it; what was registered is registered here."""

    class Guarded(metaclass=_Guarded):
        gone = 1

    apply_class(Guarded, {"gone": Deleted, "new": 2})
    assert (hasattr(Guarded, "gone"), Guarded.new) == (False, 2)  # type: ignore[attr-defined]

    class Abstract(abc.ABC):  # noqa: B024  # it needs no methods here
        pass

    class Member:
        pass

    apply_class(Abstract, {ABC_REGISTRY: [Member]})
    assert issubclass(Member, Abstract)
    apply_class(Member, {ABC_MEMBERSHIP: [collections.abc.Sized]})
    assert issubclass(Member, collections.abc.Sized)

    class Pair(ctypes.Structure):
        _fields_ = (("a", ctypes.c_int),)

    apply_class(Pair, {"mark": 1})
    assert Pair.mark == 1  # type: ignore[attr-defined]


def test_modules_that_code_has_made_are_filled() -> None:
    """Their builtins stay."""
    source, target = types.ModuleType("m"), types.ModuleType("m")
    exec("x = 1", vars(source))
    apply(target, kinds.INSTANCE, state_to_send(_item(source, kinds.INSTANCE)))
    assert target.x == 1
