"""Values that stand for something, and are of any depth, travel where their state can be known."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

TRAVELLING = constructs(r"""
= matches of regular expressions
import re
m = re.search(r'(?P<a>\d+)-(\w)?', 'xx 12-y')
f = re.compile('b(.)').fullmatch('bc')
all_of = list(re.finditer(r'\w', 'ab c'))
look = re.compile('(?<=a)b').search('ab')
pos = re.compile('^b').match('ab', 1) or re.compile('b').match('ab', 1)
---
m['a'], m.groups(), m.span(), f[1], [x.start() for x in all_of], look.span(), pos.pos
n = re.match('a', 'ab')
---
m.groupdict(), n.span(), m.string, m.re.pattern, all_of[1].group(), look.span(), pos.pos
= a generator that has not begun
def up(n, *more, k=1, **kw):
    for i in range(n): yield i * k
    yield more, kw
g = up(3, 'm', k=2, z=5)
---
list(g)
---
list(g), type(g).__name__
= a generator that nobody asked
def up(n):
    yield from range(n)
g = up(3)
box = {'g': g}
---
x = 1
box['g'] is g
---
list(g), list(box['g'])
= a generator over a closure
def make(xs):
    def gen():
        for x in xs: yield x + 1
    return gen()
g = make([1, 2])
---
sum(g)
---
list(g)
= generator expressions
xs = [1, 2, 3]
g = (x * 2 for x in xs if x > 1)
h = (str(a) + b for a in range(2) for b in 'xy')
n = ((i, j) for i in xs for j in xs)
---
sum(g), len(list(n))
---
list(g), list(n), list(h)
= a generator made by the cell
xs = [1, 2]
---
g = (x for x in xs)
def gen():
    yield from xs
h = gen()
---
list(g), list(h)
= a coroutine that has not begun
async def f(x): return x + 1
c = f(2)
---
await c
---
try:
    c.send(None)
except RuntimeError as e:
    r = str(e)
r
= an asynchronous generator
async def f():
    yield 1
    yield 2
g = f()
---
[x async for x in g]
---
1
= locks and what is made of them
import threading, queue
lock, r, e, c = threading.Lock(), threading.RLock(), threading.Event(), threading.Condition()
s, b = threading.Semaphore(3), threading.BoundedSemaphore(2)
class Account:
    def __init__(self): self.lock, self.total = threading.Lock(), 0
    def add(self, x):
        with self.lock: self.total += x
a = Account()
---
with lock, r, c: a.add(5)
e.set()
s.acquire()
a.total
---
a.add(1), a.total, e.is_set(), lock.locked(), s._value
= queues with their content
import queue
q, l, p, s = queue.Queue(), queue.LifoQueue(), queue.PriorityQueue(), queue.SimpleQueue()
for each in (q, l, p, s): each.put(2); each.put(1)
---
q.get(), l.get(), p.get(), s.get()
q.put(7)
s.put(8)
---
q.get(), q.get(), l.get(), p.get(), s.get(), s.get(), q.empty()
= a lock of the cell
import threading, queue
---
lock = threading.Lock()
q = queue.Queue()
q.put([1])
---
lock.acquire(), q.get()
= sympy's lambdify
import sympy
x, y = sympy.symbols('x y')
f = sympy.lambdify((x, y), sympy.sin(x) ** 2 + y, 'numpy')
g = sympy.lambdify(x, x + 1, 'math')
---
import numpy as np
h = sympy.lambdify(x, sympy.cos(x))
round(float(f(1.0, 2.0)), 6), g(2), f(np.array([0.0]), 1).tolist()
---
g(3), round(float(h(0)), 3), round(float(f(0.0, 2.0)), 3)
= functions made by exec in a dictionary of their own
ns = {'base': 10}
exec('def f(x): return g(x) + base\ndef g(x): return x * 2', ns)
exec('def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)', ns)
f, even = ns['f'], ns['even']
---
f(1), even(10)
---
f(2), even(7)
= a linked list of some length
class Node:
    def __init__(self, v, nxt=None): self.v, self.next = v, nxt
head = None
for i in range(3000): head = Node(i, head)
def total(n):
    s = 0
    while n: s += n.v; n = n.next
    return s
---
head.next.v = 0
total(head)
---
total(head), head.next.v
= a linked list that the cell makes
class Node:
    __slots__ = ('v', 'next')
    def __init__(self, v, nxt=None): self.v, self.next = v, nxt
---
head = None
for i in range(3000): head = Node(i, head)
n = 0
---
node, n = head, 0
while node: node, n = node.next, n + 1
n
= nests of lists, tuples and dictionaries
deep, pairs, tree = [], (), {}
for i in range(2000):
    deep, pairs, tree = [deep], (i, pairs), {'in': tree}
del i
---
inner, n = deep, 0
while inner: inner, n = inner[0], n + 1
inner.append('end')
pairs = (0, pairs)
tree['new'] = 1
n
---
inner, n = deep, 0
while len(inner) and inner[0] != 'end': inner, n = inner[0], n + 1
m, left = pairs, 0
while m: m, left = m[1], left + 1
got = n, inner, left, sorted(tree)
del deep, inner, pairs, m, tree, n, left
got
= a chain of decorators
def wrap(f):
    def inner(): return f() + 1
    return inner
def f(): return 0
for _ in range(80): f = wrap(f)
---
f()
---
f()
= a doubly linked ring
class N:
    def __init__(self, v): self.v, self.prev, self.next = v, self, self
ring = N(0)
for i in range(1, 1500):
    n = N(i); n.prev, n.next = ring.prev, ring; ring.prev.next = n; ring.prev = n
del n
---
ring.prev.v = -1
ring.next.next.v
---
ring.prev.v, ring.prev.next is ring
= pydantic models of the notebook
from pydantic import BaseModel, Field, field_validator
from typing import Optional
class Item(BaseModel):
    name: str
    price: float = Field(gt=0)
    tags: list[str] = []
    @field_validator('name')
    @classmethod
    def upper(cls, v): return v.upper()
class Order(BaseModel):
    items: list[Item]
    note: Optional[str] = None
o = Order(items=[Item(name='a', price=1)])
---
o.items.append(Item(name='b', price=2))
o.note = 'x'
o.items[0].tags.append('t')
[i.name for i in o.items]
---
o.model_dump(), isinstance(o.items[1], Item), Item(name='q', price=3).name, o == Order(**o.model_dump())
= a pydantic model of the cell
from pydantic import BaseModel, ValidationError
---
class User(BaseModel):
    id: int
    @property
    def double(self): return self.id * 2
u = User(id='3')
try:
    User(id='x')
except ValidationError as e:
    n = e.error_count()
u
---
u.double, User(id=4).double, isinstance(u, User), n
= attrs classes
import attr, attrs
@attrs.define
class P:
    x: int
    y: list = attrs.field(factory=list)
    def norm(self): return self.x ** 2
@attr.s(frozen=True, hash=True)
class F:
    a = attr.ib(default=1)
p, f = P(3), F()
---
p.y.append(1)
p.x += 1
d = {f: 1}
p.norm(), attrs.asdict(p)
---
p, f in d, P(4, [1]) == p, attrs.evolve(p, x=1)
= attrs classes of the cell
import attrs
---
@attrs.define
class Q:
    v: int = 1
    def up(self):
        super().__init__()
        return self.v + 1
q = Q()
q.up()
---
q.up(), Q(5), q == Q()
= an object that holds its own bound method
class C:
    def __init__(self):
        self.n = 0
        self.call = self.up
        self.table = {'up': self.up}
    def up(self): self.n += 1; return self.n
c = C()
---
c.call(); c.table['up']()
---
c.n, c.call.__self__ is c, c.table['up'](), c.n
= a class that holds a bound method of an instance
class H:
    def go(self): return type(self).__name__
class K: pass
K.handler = H().go
k = K()
---
k.handler()
---
k.handler(), K.handler.__self__.go()
= keys hashed by attributes within a ring
class Node:
    def __init__(self, name): self.name, self.near = name, {}
    def __hash__(self): return hash(self.name)
    def __eq__(self, o): return self.name == o.name
a, b = Node('a'), Node('b')
a.near[b] = 1; b.near[a] = 2
known = {a, b}
---
a.near[b] += 1
c = Node('c'); c.near[a] = 3; a.near[c] = 4
len(known)
---
a.near[b], a.near[c], a in known, [n.name for n in a.near], c.near[a]
= a key with slots and a dataclass key in a ring
from dataclasses import dataclass, field
@dataclass(eq=True, unsafe_hash=True)
class D:
    name: str
    out: dict = field(default_factory=dict, compare=False)
d = D('x')
d.out[d] = 'self'
---
d.out[d] = 'changed'
d.out[D('x')]
---
d.out[d], len(d.out)
= AttrDict
class AttrDict(dict):
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        self.__dict__ = self
a = AttrDict(x=1)
---
a.y = 2
a['z'] = a.x + 5
b = AttrDict(q=[1])
---
a.z, a['y'], b.q, vars(a) is a, a.__dict__ is a, b.__dict__ is b, setattr(a, 'w', 1), a['w']
= a class whose attributes are another object's
class Shared:
    _state = {}
    def __init__(self): self.__dict__ = self._state
a, b = Shared(), Shared()
a.x = 1
---
b.x = 2
c = Shared()
c.y = 3
a.x, a.y
---
a.x, b.y, c.x, setattr(a, 'z', 5), b.z, Shared._state['z']
= slots all the way
class A: __slots__ = ('a', '__dict__')
class B(A): __slots__ = ('b', '__weakref__')
class C(B): __slots__ = 'c'
o = C(); o.a = 1; o.b = [2]; o.other = 5
---
o.c = o.b
o.b.append(3)
del o.a
o.more = 1
---
hasattr(o, 'a'), o.b is o.c, o.b, o.other, o.more
= instances pickled by the cell
class P:
    def __init__(self, x): self.x = x
def make(x): return P(x)
---
import pickle, copy
data = pickle.dumps(make(3))
again = pickle.loads(data)
other = copy.deepcopy(again)
type(again) is P, other.x
---
pickle.loads(data).x, type(again) is P
= a class that the cell does not name pickled by the cell
class Q:
    def __init__(self): self.v = 2
q = Q()
def size(): return __import__('pickle').loads(__import__('pickle').dumps(q)).v
---
size()
---
q.v
= named tuples, typed dictionaries and generics
from collections import namedtuple
from typing import NamedTuple, TypedDict, Generic, TypeVar
T = TypeVar('T')
P = namedtuple('P', 'x y', defaults=[0])
class Q(NamedTuple):
    a: int
    b: list = []
class D(TypedDict):
    k: int
class Box(Generic[T]):
    def __init__(self, v: T): self.v = v
p, q, d, b = P(1), Q(2), D(k=1), Box[int](3)
---
p._replace(y=5), q.b.append(1), d['k'], b.v
r = P(7, 8)
---
p, q, r.y, Box[str]('s').v, P._fields, isinstance(r, P)
= partial functions, methods of types and operators
from functools import partial, partialmethod, reduce, cmp_to_key
import operator
class C:
    def set(self, v, k=0): self.v = (v, k)
    on = partialmethod(set, True)
c = C(); f = partial(C.set, c); key = cmp_to_key(lambda a, b: b - a); get = operator.attrgetter('v')
---
f(3, k=1); w = get(c); c.on()
sorted([1, 3, 2], key=key), w
---
c.v, w
= an exception group and a chain
try:
    try: 1 / 0
    except ZeroDivisionError as e: raise ValueError('v') from e
except ValueError as e: err = e
g = ExceptionGroup('g', [ValueError(1), TypeError(2)])
---
type(err.__cause__).__name__, g.exceptions[1].args
---
err.args, [type(x).__name__ for x in g.exceptions]
= a context variable and a template
import string, contextlib
t = string.Template('$a')
@contextlib.contextmanager
def tag(n):
    yield n + 1
---
with tag(1) as v: pass
t.substitute(a=1), v
---
v
= a file opened for reading
import tempfile, pathlib
path = pathlib.Path(tempfile.gettempdir()) / 'lambdamagic-fidelity.txt'
_ = path.write_text('one\ntwo\nthree\n')
f, raw = open(path), open(path, 'rb')
first = f.readline()
---
f.readline(), raw.read(3), f.name == str(path), f.mode
---
f.readline(), raw.read(), f.close(), raw.close(), f.closed
""")


@pytest.mark.parametrize("title", TRAVELLING)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_a_value_travels(notebook, title):
    """It does there, and afterwards, what it does in the kernel."""
    agrees(notebook, TRAVELLING[title])
