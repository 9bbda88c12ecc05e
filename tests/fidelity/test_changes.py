"""Changes that a cell makes to what it was given, through whatever holder, are there afterwards as in the kernel."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

CHANGES = constructs("""
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
= a decimal context
import decimal
ctx = decimal.Context(prec=5)
---
ctx.prec = 9
ctx.traps[decimal.Inexact] = True
ctx.rounding = decimal.ROUND_UP
---
ctx.prec, ctx.traps[decimal.Inexact], ctx.rounding
= decimal flags of a context
import decimal
ctx = decimal.Context(prec=3)
---
ctx.divide(decimal.Decimal(1), decimal.Decimal(3))
---
ctx.flags[decimal.Inexact]
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
= a view of a captured array
import numpy as np
a = np.arange(6)
---
v = a[1:]
v[0] = 99
---
a.tolist(), v.base is a, np.shares_memory(v, a)
= a view of a captured array changed afterwards
import numpy as np
a = np.arange(6.0).reshape(2, 3)
---
row, t, flat = a[0], a.T, a.ravel()
---
row[:] = 7
t[2, 1] = -1
a.tolist(), t.tolist(), flat.tolist()
= a view in a container
import numpy as np
a = np.zeros(4)
box = {}
---
box['v'] = a[:2]
box['v'] += 5
---
box['v'][1] = 8
a.tolist()
= an out argument and a large array
import numpy as np
big = np.zeros(100_000)
---
np.add(big, 1, out=big)
part = big[10:20]
part[:] = 3
---
float(big.sum()), np.shares_memory(part, big)
= an array inside an object
import numpy as np
class M:
    def __init__(self): self.w = np.zeros(3)
m = M()
---
m.w += 1
m.w[0] = 9
w = m.w
---
m.w.tolist(), w is m.w
= an array resized and reshaped in place
import numpy as np
a = np.arange(6)
b = a
---
a.shape = (2, 3)
---
a.shape, b.shape, b is a
= read-only flags of arrays
import numpy as np
a = np.arange(3)
---
a.flags.writeable = False
a.setflags(write=False)
---
a.flags.writeable
= an array of objects
import numpy as np
o = np.array([[1], [2, 3]], dtype=object)
alias = o
---
o[0].append(5)
o[1] = 'x'
---
o.tolist(), alias is o
= a masked and a structured array
import numpy as np
m = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
s = np.zeros(2, dtype=[('a', int), ('b', float)])
---
m[0] = 9
m.mask[2] = True
s['a'] = 4
---
m.filled(-1).tolist(), m.mask.tolist(), s['a'].tolist()
= a Series' name and an index' names
import pandas as pd
s = pd.Series([1, 2], name='a')
d = pd.DataFrame({'x': [1, 2]}, index=pd.Index([5, 6], name='i'))
alias = d
---
s.name = 'b'
d.index.name = 'j'
d.columns.name = 'c'
d.attrs['k'] = 1
d.flags.allows_duplicate_labels = False
s.flags.allows_duplicate_labels = False
---
seen = s.name, d.index.name, d.columns.name, d.attrs, alias is d
seen, d.flags.allows_duplicate_labels, s.flags.allows_duplicate_labels
= names of an index of its own
import pandas as pd
i = pd.Index([1, 2], name='a')
m = pd.MultiIndex.from_tuples([(1, 2)], names=['p', 'q'])
---
i.name = 'b'
m.names = ['r', 's']
---
i.name, list(m.names)
= a frame in a list in a dictionary
import pandas as pd
box = {'frames': [pd.DataFrame({'x': [1, 2]})]}
f = box['frames'][0]
---
box['frames'][0]['y'] = 3
f.loc[0, 'x'] = 10
---
f.to_dict(), box['frames'][0] is f
= frames that share memory until one is written
import pandas as pd
d = pd.DataFrame({'x': [1, 2], 'y': [3, 4]})
e = d.rename(columns={'y': 'z'})
s = d['x']
---
d.loc[0, 'x'] = 9
---
d['x'].tolist(), e['x'].tolist(), s.tolist(), e.__setitem__('x', 0), d['x'].tolist()
= a frame in a closure
import pandas as pd
def make():
    d = pd.DataFrame({'x': [1]})
    def add(c, v):
        d[c] = v
        return list(d)
    return add
add = make()
---
add('y', 2)
---
add('z', 3)
= an Axes in an array of Axes
%matplotlib inline
import matplotlib.pyplot as plt
fig, axes = plt.subplots(2, 2)
---
axes[0, 0].set_title('top')
axes[0, 0].plot([1, 2])
axes[1, 1].set_xlabel('x');
---
plt.close('all')
top = axes[0, 0]
top.get_title(), axes[1, 1].get_xlabel(), len(top.lines), top.figure is fig, fig.axes[0] is top
= a generator function's default and a partial's keyword
from functools import partial
def f(x, into=[]):
    into.append(x)
    return into
p = partial(f, into=[])
---
f(1); f(2); p(3)
---
f(4), p(5), p.keywords
= a list held by a partial in a dictionary
from functools import partial
acc = []
ops = {'add': partial(acc.append)}
del acc
---
ops['add'](1)
---
ops['add'].func.__self__
= an instance reached through a bound method only
class Log:
    def __init__(self): self.rows = []
    def add(self, x): self.rows.append(x); return len(self.rows)
add = Log().add
---
add(1); add(2)
---
add(3), add.__self__.rows
= an object with slots in a tuple in a set
class S:
    __slots__ = ('v', 'w')
    def __init__(self, v): self.v = v
items = ({1}, S(1))
inside = {items[1]}
---
items[1].v += 1
items[1].w = [1]
items[0].add(2)
---
items[1].v, items[1].w, items[0], next(iter(inside)) is items[1]
= an object with a getstate of its own
class G:
    def __init__(self): self.a, self.cache = 1, {}
    def __getstate__(self): return {'a': self.a, 'cache': self.cache}
    def __setstate__(self, s): self.__dict__.update(s)
g = G()
alias = [g]
---
g.a = 2
g.cache['x'] = 1
---
g.a, g.cache, alias[0] is g
= an object with reduce of its own inside a closure
class R:
    def __init__(self, n): self.n = n
    def __reduce__(self): return (R, (self.n,))
def make():
    r = R(1)
    def up():
        r.n += 1
        return r.n
    return up
up = make()
---
up(); up()
---
up()
= module-level containers of the standard library
from collections import ChainMap, UserDict, UserList
c = ChainMap({'a': 1}, {'b': 2})
u, l = UserDict(a=1), UserList([1])
---
c['z'] = 5
u['b'] = 2
l.append(3)
---
dict(c), c.maps, u, l
= an iterator moves on
it = iter([1, 2, 3, 4])
import itertools
n = itertools.count(5)
z = zip('abc', range(3))
---
next(it), next(n), next(z)
---
next(it), next(n), next(z)
= one iterator under two names
it = iter(range(5))
pair = (it, it)
also = it
---
next(it), next(also)
---
next(pair[0]), next(also)
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
= a mapping proxy's dictionary
import types
d = {'a': 1}
view = types.MappingProxyType(d)
---
d['b'] = 2
---
dict(view)
= a dictionary's view
d = {'a': 1}
keys, items = d.keys(), d.items()
---
d['b'] = 2
sorted(keys)
---
d['c'] = 3
sorted(keys), len(items)
= a weak dictionary
import weakref
class K: pass
k = K()
w = weakref.WeakKeyDictionary({k: 1})
v = weakref.WeakValueDictionary(a=k)
r = weakref.ref(k)
---
w[k] = 2
r() is k, v['a'] is k
---
w[k], r() is k, v['a'] is k
= a StringIO and a BytesIO
import io
s, b = io.StringIO(), io.BytesIO(b'ab')
alias = s
---
s.write('hello')
b.read(1)
---
s.getvalue(), b.read(), alias is s, alias.write('!'), s.getvalue()
= a logger's level and a compiled pattern
import logging, re
log = logging.getLogger('mine')
p = re.compile('a+')
---
log.setLevel(logging.ERROR)
p.findall('aab')
---
log.level, log is logging.getLogger('mine'), p.findall('aa')
= a random generator of one's own
import random
import numpy as np
r, g, s = random.Random(1), np.random.default_rng(1), np.random.RandomState(1)
alias = r
---
r.random(), g.random(), s.rand()
---
r.random(), alias.random(), g.random(), s.rand()
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
= an exception that is held
err = ValueError('a')
---
err.args = ('b', 2)
err.note = [1]
err.add_note('hm')
---
err.args, err.note, err.__notes__
= an array.array and a memoryview's bytes
import array
a = array.array('i', [1, 2])
ba = bytearray(b'abc')
---
a.append(3)
ba[0:1] = b'XY'
---
a.tolist(), bytes(ba)
= a tree changed at its leaves
class Node:
    def __init__(self, v, kids=()): self.v, self.kids = v, list(kids)
leaf = Node(1)
root = Node(0, [Node(2, [leaf])])
---
root.kids[0].kids[0].v = 10
root.kids[0].kids.append(Node(3))
---
leaf.v, len(root.kids[0].kids), root.kids[0].kids[0] is leaf
= a parent that only its child knows
class N:
    def __init__(self, parent=None):
        self.parent, self.kids = parent, []
        if parent: parent.kids.append(self)
child = N(N())
---
child.parent.kids.append('x')
---
child.parent.kids[1], child.parent.kids[0] is child
= a scikit-learn model and the arrays that it holds
import numpy as np
from sklearn.linear_model import LinearRegression
m = LinearRegression()
box = [m]
---
m.fit(np.arange(3).reshape(-1, 1), [1, 2, 3])
m.mine = 'x'
---
m.coef_.round(6).tolist(), box[0] is m, m.mine
= a pipeline's inner step
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import numpy as np
scaler = StandardScaler()
pipe = make_pipeline(scaler)
---
pipe.fit(np.array([[1.0], [3.0]]))
---
scaler.mean_.tolist(), pipe.steps[0][1] is scaler
""")


@pytest.mark.parametrize("title", CHANGES)
def test_a_change_comes_back(notebook, title):
    """The notebook's objects are as the plain kernel leaves them."""
    agrees(notebook, CHANGES[title])
