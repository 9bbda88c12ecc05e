"""Classes of the notebook, captured whole, give the kernel's answers."""

from __future__ import annotations

import pytest

CASES = {
    "plain class": (
        """
        class A:
            k = 2
            def __init__(self, x):
                self.x = x
            def f(self):
                return self.x * self.k
        """,
        "A(3).f()",
        "6",
    ),
    "instance": (
        """
        class A:
            def __repr__(self):
                return f'A({self.x})'
        a = A(); a.x = 1
        """,
        "a",
        "A(1)",
    ),
    "inheritance and super": (
        """
        class A:
            def f(self):
                return 'A'
        class B(A):
            def f(self):
                return 'B' + super().f()
        """,
        "B().f(), B.__mro__[1] is A",
        "('BA', True)",
    ),
    "multiple inheritance": (
        """
        class A:
            a = 1
        class B:
            b = 2
        class C(A, B):
            pass
        """,
        "C.a, C.b, [c.__name__ for c in C.__mro__]",
        "(1, 2, ['C', 'A', 'B', 'object'])",
    ),
    "properties and kinds of methods": (
        """
        class A:
            n = 0
            @property
            def p(self):
                return 'p'
            @classmethod
            def make(cls):
                cls.n += 1
                return cls
            @staticmethod
            def s(x):
                return x
        """,
        "A().p, A.make().n, A.s(4)",
        "('p', 1, 4)",
    ),
    "dataclass": (
        """
        from dataclasses import dataclass, field
        @dataclass(order=True)
        class P:
            x: int
            tags: list = field(default_factory=list)
            @property
            def double(self):
                return 2 * self.x
        """,
        "sorted([P(2), P(1, ['a'])])[0], P(4).double, P(1) == P(1)",
        "(P(x=1, tags=['a']), 8, True)",
    ),
    "frozen dataclass with slots": (
        """
        from dataclasses import dataclass
        @dataclass(frozen=True, slots=True)
        class P:
            x: int
        p = P(1)
        """,
        "p, hash(p) == hash(P(1)), {p: 1}[P(1)]",
        "(P(x=1), True, 1)",
    ),
    "dataclass tools": (
        """
        import dataclasses
        @dataclasses.dataclass
        class P:
            x: int = 1
        """,
        "dataclasses.asdict(dataclasses.replace(P(), x=5)), [f.name for f in dataclasses.fields(P)]",
        "({'x': 5}, ['x'])",
    ),
    "enum": (
        """
        import enum
        class Color(enum.Enum):
            RED = 1
            GREEN = 2
            def low(self):
                return self.name.lower()
        c = Color.RED
        """,
        "c is Color.RED, Color(2).low(), [m.name for m in Color]",
        "(True, 'green', ['RED', 'GREEN'])",
    ),
    "flags and int enums": (
        """
        import enum
        class P(enum.Flag):
            R = enum.auto()
            W = enum.auto()
        class N(enum.IntEnum):
            ONE = 1
        """,
        "(P.R | P.W) == P(3), P.R in (P.R | P.W), N.ONE + 1, P.R",
        "(True, True, 2, <P.R: 1>)",
    ),
    "named tuple": (
        """
        from typing import NamedTuple
        from collections import namedtuple
        class A(NamedTuple):
            x: int
            y: int = 2
        B = namedtuple('B', 'a b')
        """,
        "A(1), B(1, 2)._replace(a=3), A(1)._asdict()",
        "(A(x=1, y=2), B(a=3, b=2), {'x': 1, 'y': 2})",
    ),
    "metaclass": (
        """
        class Registry(type):
            made = []
            def __new__(mcls, name, bases, body):
                cls = super().__new__(mcls, name, bases, body)
                mcls.made.append(name)
                return cls
            def shout(cls):
                return cls.__name__.upper()
        class Thing(metaclass=Registry):
            pass
        """,
        "Registry.made, Thing.shout(), type(Thing) is Registry",
        "(['Thing'], 'THING', True)",
    ),
    "__init_subclass__ does not run again": (
        """
        seen = []
        class Base:
            def __init_subclass__(cls, **kw):
                seen.append(cls.__name__)
        class Child(Base):
            pass
        """,
        """
        class Other(Base): pass
        seen
        """,
        "['Child', 'Other']",
    ),
    "abstract class": (
        """
        import abc
        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...
        class Square(Shape):
            def area(self):
                return 4
        Shape.register(int)
        """,
        "Square().area(), isinstance(3, Shape), isinstance('', Shape)",
        "(4, True, False)",
    ),
    "abstract class stays abstract": (
        """
        import abc
        class S(abc.ABC):
            @abc.abstractmethod
            def f(self): ...
        """,
        """
        try:
            S()
        except TypeError:
            kind = 'abstract'
        kind
        """,
        "'abstract'",
    ),
    "slots": (
        """
        class A:
            __slots__ = ('x', '__y')
            def __init__(self):
                self.x, self.__y = 1, 2
            def y(self):
                return self.__y
        a = A()
        """,
        "a.x, a.y(), hasattr(a, '__dict__')",
        "(1, 2, False)",
    ),
    "descriptor": (
        """
        class Doubled:
            def __set_name__(self, owner, name):
                self.name = '_' + name
            def __get__(self, obj, cls=None):
                return 2 * getattr(obj, self.name)
            def __set__(self, obj, value):
                setattr(obj, self.name, value)
        class A:
            v = Doubled()
        a = A(); a.v = 4
        """,
        "a.v",
        "8",
    ),
    "operators": (
        """
        class V:
            def __init__(self, x): self.x = x
            def __add__(self, o): return V(self.x + o.x)
            def __eq__(self, o): return self.x == o.x
            def __hash__(self): return hash(self.x)
            def __repr__(self): return f'V{self.x}'
        v = V(1)
        """,
        "v + V(2), v == V(1), {v: 'k'}[V(1)]",
        "(V3, True, 'k')",
    ),
    "cached property": (
        """
        import functools
        class A:
            @functools.cached_property
            def slow(self):
                return 42
        a = A()
        """,
        "a.slow, a.slow",
        "(42, 42)",
    ),
    "nested class": (
        """
        class A:
            class B:
                x = 1
        b = A.B()
        """,
        "b.x, type(b) is A.B, A.B.__qualname__",
        "(1, True, 'A.B')",
    ),
    "class made in a function": (
        """
        def make(k):
            class C:
                def f(self):
                    return k
            return C
        C = make(3)
        c = C()
        """,
        "c.f(), type(c) is C",
        "(3, True)",
    ),
    "generic class": (
        """
        from typing import Generic, TypeVar
        T = TypeVar('T')
        class Box(Generic[T]):
            def __init__(self, x: T):
                self.x = x
        b = Box[int](3)
        """,
        "b.x, Box[int].__origin__ is Box",
        "(3, True)",
    ),
    "protocol": (
        """
        from typing import Protocol, runtime_checkable
        @runtime_checkable
        class HasF(Protocol):
            def f(self): ...
        class A:
            def f(self): ...
        """,
        "isinstance(A(), HasF), isinstance(3, HasF)",
        "(True, False)",
    ),
    "typed dict and new type": (
        """
        from typing import TypedDict, NewType
        class D(TypedDict):
            a: int
        User = NewType('User', int)
        """,
        "D(a=1), User(5)",
        "({'a': 1}, 5)",
    ),
    "subclass of a builtin": (
        """
        class L(list):
            def total(self):
                return sum(self)
        l = L([1, 2]); l.tag = 't'
        """,
        "l, l.total(), l.tag, type(l) is L",
        "([1, 2], 3, 't', True)",
    ),
    "exception class": (
        """
        class Bad(Exception):
            def __init__(self, code):
                super().__init__(f'code {code}')
                self.code = code
        """,
        """
        try:
            raise Bad(3)
        except Bad as e:
            got = e.code, str(e)
        got
        """,
        "(3, 'code 3')",
    ),
    "context manager": (
        """
        class C:
            def __enter__(self): return 1
            def __exit__(self, *a): return True
        """,
        """
        with C() as c:
            1 / 0
        c
        """,
        "1",
    ),
    "own pickling": (
        """
        class A:
            def __getstate__(self): return {'x': self.x}
            def __setstate__(self, s): self.x = s['x'] + 1
        a = A(); a.x = 1
        """,
        "a.x >= 1, type(a) is A",
        "(True, True)",
    ),
    "weak references and slots of a graph": (
        """
        class N:
            def __init__(self, parent=None):
                self.parent, self.children = parent, []
                if parent: parent.children.append(self)
        root = N(); leaf = N(root)
        """,
        "leaf.parent is root, root.children[0] is leaf",
        "(True, True)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_class_gives_the_kernels_answer(notebook, name):
    """The value and the output of the cell are those of the same cell in the kernel."""
    setup, body, expected = CASES[name]
    assert notebook.agrees(setup, body).text == expected
