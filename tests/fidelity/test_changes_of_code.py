"""What functions, closures, caches and classes of the notebook hold is changed by a cell as in the kernel."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

CODE = constructs("""
= a counting decorator
def counted(f):
    count = {'n': 0}
    def inner(*args):
        count['n'] += 1
        return f(*args)
    inner.count = lambda: count['n']
    return inner
@counted
def square(x): return x * x
---
[square(x) for x in range(3)]
---
square.count(), square(2), square.count()
= a counting decorator with nonlocal
def counted(f):
    n = 0
    def inner(*args):
        nonlocal n
        n += 1
        inner.n = n
        return f(*args)
    return inner
@counted
def cube(x): return x ** 3
---
cube(1); cube(2)
---
cube.n, cube(3), cube.n
= a memo dictionary in a closure
def memo(f):
    known = {}
    def inner(n):
        if n not in known: known[n] = f(n)
        return known[n]
    inner.known = known
    return inner
@memo
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
---
fib(20)
---
len(fib.known), sorted(fib.known)[-1]
= a memo that only the closure holds
def make():
    memo = {}
    def get(k):
        memo.setdefault(k, len(memo))
        return dict(memo)
    return get
get = make()
---
get('a'); get('b')
---
get('c')
= a Counter, a defaultdict, an OrderedDict and a deque in a closure
from collections import *
def make():
    c, d, o, q = Counter(), defaultdict(list), OrderedDict(a=1, b=2), deque(maxlen=2)
    def touch(x):
        c[x] += 1; d[x].append(x); o.move_to_end('a'); q.append(x)
        return c, d, o, q
    return touch
touch = make()
---
touch('x'); touch('y'); touch('x')
---
touch('z')
= a class whose methods close over a registry
def make():
    registry = []
    class Base:
        def __init_subclass__(cls): registry.append(cls.__name__)
        @staticmethod
        def all(): return list(registry)
    return Base
Base = make()
---
class One(Base): pass
class Two(Base): pass
---
Base.all()
= a class decorator's registry
plugins = {}
def register(cls):
    plugins[cls.__name__] = cls
    return cls
@register
class A: pass
---
@register
class B(A): pass
---
list(plugins), plugins['B'] is B, plugins['A'] is A, B.__mro__[1] is A
= a registry on the function itself
def register(f):
    register.all.append(f.__name__)
    return f
register.all = []
---
@register
def one(): pass
@register
def two(): pass
---
register.all
= singledispatch.register
from functools import singledispatch
@singledispatch
def show(x): return 'any'
@show.register
def _(x: int): return 'int'
---
@show.register
def _(x: str): return 'str'
show.register(list, lambda x: 'list')
show('a')
---
show('a'), show([]), show(1), show(1.5), sorted(t.__name__ for t in show.registry)
= singledispatchmethod.register
from functools import singledispatchmethod
class F:
    @singledispatchmethod
    def f(self, x): return 'any'
---
@F.f.register(int)
def _(self, x): return 'int'
F().f(1)
---
F().f(1), F().f('a')
= singledispatch over a class of the notebook
from functools import singledispatch
class P: pass
@singledispatch
def area(x): return 0
---
@area.register
def _(x: P): return 7
area(P())
---
area(P()), area(1)
= ABC.register
from abc import ABC, abstractmethod
class Shape(ABC):
    @abstractmethod
    def area(self): ...
class Square:
    def area(self): return 1
---
Shape.register(Square)
isinstance(Square(), Shape)
---
isinstance(Square(), Shape), issubclass(Square, Shape)
= ABC.register of a class of the cell and of a builtin
from abc import ABC
class Number(ABC): pass
---
class Mine: pass
Number.register(Mine); Number.register(int)
isinstance(3, Number)
---
isinstance(Mine(), Number), isinstance(3, Number), isinstance('', Number)
= attributes of functions
def f(a: int, b: str = 'x') -> float: "doc"
---
f.__doc__ = 'new doc'
f.__name__ = 'g'
f.__qualname__ = 'H.g'
f.__annotations__['c'] = list
f.__defaults__ = (5,)
f.tag = 1
f.__module__ = 'elsewhere'
---
f.__doc__, f.__name__, f.__qualname__, f.__annotations__, f.__defaults__, f.tag, f.__module__
= annotations of a function replaced
def f(a: int): pass
---
f.__annotations__ = {'a': str}
f.__kwdefaults__ = None
---
f.__annotations__
= attributes of a method, through the class
class K:
    def m(self): "d"
---
K.m.__doc__ = 'other'
K.m.flag = True
---
K.m.__doc__, K.m.flag, K().m.flag
= attributes of a staticmethod, a classmethod, a property
class K:
    @staticmethod
    def s(): pass
    @classmethod
    def c(cls): pass
    @property
    def p(self): return 1
---
K.s.x = 1
K.__dict__['c'].__func__.x = 2
K.p.fget.x = 3
---
K.s.x, K.c.x, K.p.fget.x
= attributes of enum members
from enum import Enum, Flag
class Color(Enum):
    RED = 1
    BLUE = 2
---
Color.RED.label = 'rouge'
Color.BLUE.count = [1]
Color.default = Color.RED
---
Color.RED.label, Color.BLUE.count, Color.default is Color.RED
= an enum member with a mutable attribute
from enum import Enum
class Planet(Enum):
    EARTH = (1, 2)
    def __init__(self, a, b):
        self.moons = []
        self.a = a
e = Planet.EARTH
---
e.moons.append('moon')
e.a = 5
---
Planet.EARTH.moons, Planet.EARTH.a, e is Planet.EARTH
= an enum class that was given its own member
from enum import Enum
class Color(Enum):
    RED = 1
Color.default = Color.RED
Color.all = [Color.RED]
---
Color.default is Color.RED, Color.all
---
Color.default is Color.RED, Color.all[0] is Color.RED
= an enum class gets a method
from enum import Enum
class Color(Enum):
    RED = 1
---
Color.shout = lambda self: self.name + '!'
Color.RED.shout()
---
Color.RED.shout()
= a cached function's cache
from functools import lru_cache, cache
calls = []
@lru_cache(maxsize=None)
def slow(x):
    calls.append(x)
    return x * 2
---
slow(1); slow(2); slow(1)
---
calls, slow(1), calls
= a mutable value in a cached function
from functools import cache
@cache
def bucket(k): return []
---
bucket('a').append(1)
bucket('a')
---
bucket('a')
= what a cached function writes
from functools import lru_cache
log = {}
@lru_cache
def f(x):
    log[x] = True
    return x
---
f(3)
---
log
= a cached property's value
from functools import cached_property
class C:
    @cached_property
    def rows(self): return []
c = C()
---
c.rows.append(1)
---
c.rows, c.__dict__
= a registry of singledispatch that two cells on Lambda fill
from functools import singledispatch
@singledispatch
def show(x): return 'any'
---
show.register(int, lambda x: 'int')
---
show.register(list, lambda x: 'list')
sorted(t.__name__ for t in show.registry)
---
show([]), len(show.registry)
= an attribute of a class through an instance's type
class C:
    count = 0
    seen = []
    def __init__(self):
        type(self).count += 1
        C.seen.append(self.count)
c = C()
---
C(); C()
---
C.count, C.seen, type(c) is C
= a metaclass with a registry
class Meta(type):
    known = {}
    def __new__(m, name, bases, ns):
        cls = super().__new__(m, name, bases, ns)
        m.known[name] = cls
        return cls
class A(metaclass=Meta): pass
---
class B(A): pass
---
sorted(Meta.known), Meta.known['B'] is B, Meta.known['A'] is A
= a function given another function's code
def f(): return 1
g = f
---
def other(): return 2
f.__code__ = other.__code__
---
f(), g(), g is f
= a function in a class replaced
class C:
    def m(self): return 1
c = C()
---
old = C.m
C.m = lambda self: old(self) + 1
c.m()
---
c.m()
= Python's own abstract class, registered here
import collections.abc, numbers, os
class V: pass
class W: pass
collections.abc.Sequence.register(V); numbers.Number.register(W); os.PathLike.register(W)
v = V()
---
abc = collections.abc
ones = [isinstance(v, each) for each in (abc.Sequence, abc.Mapping)]
ones, [isinstance(W(), each) for each in (numbers.Number, os.PathLike)]
= Python's own abstract class, registered there
from collections.abc import Mapping, Sequence
class V: pass
class U: pass
Mapping.register(U)
---
Sequence.register(V)
class W: pass
Sequence.register(W)
---
[isinstance(each(), kind) for each in (V, U, W) for kind in (Sequence, Mapping)]
""")


@pytest.mark.parametrize("title", CODE)
def test_a_change_of_code_comes_back(notebook, title):
    """Functions and classes are as the plain kernel leaves them."""
    agrees(notebook, CODE[title])
