"""Instances are sent whatever their classes do: pydantic, attrs, slots, hashes, attributes that are their own."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

CLASSES = constructs(r"""
= members that are texts, and members with several arguments
import enum, datetime
class Color(str, enum.Enum):
    RED = 'red'
    BLUE = 'blue'
class Unit(enum.Enum):
    "A unit."
    def __new__(cls, value, label):
        made = object.__new__(cls); made._value_ = value; made.label = label
        return made
    KM = 1, 'kilometer'
class Day(datetime.date, enum.Enum):
    FIRST = 2020, 1, 2
Color._note = 'added'
colors = [Color.RED, Unit.KM, Day.FIRST]
---
found = Color('blue'), Unit(1).label, Day.FIRST.year, Color.RED + '!', Color.RED is colors[0]
more = [*Color], Color._note, Unit.__doc__
colors.append(Unit.KM)
---
found[0] is Color.BLUE, colors[3] is colors[1], found, more
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
= a dictionary whose missing keys are made, and are attributes
class D(dict):
    def __missing__(self, k): self[k] = v = k * 2; return v
    def __getattr__(self, n):
        try: return self[n]
        except KeyError: raise AttributeError(n)
d = D(a=1)
---
d['zz']; d.new = 3; e = D(b=2)
---
dict(d), vars(d), dict(e)
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
= a ctypes structure and array
import ctypes
class S(ctypes.Structure):
    _fields_ = [('a', ctypes.c_int), ('b', ctypes.c_double)]
    def total(self): return self.a + self.b
s = S(1, 2.0); arr = (ctypes.c_int * 3)(1, 2, 3); held = [s]
---
s.a = 5; arr[0] = 9; t = S(7, 1.5)
s.total(), list(arr)
---
s.a, list(arr), held[0] is s, t.total(), type(t) is S
= a ctypes union with a nested structure
import ctypes
class P(ctypes.Structure):
    _fields_ = [('x', ctypes.c_short)]
    _pack_ = 1
class U(ctypes.Union):
    _fields_ = [('p', P), ('raw', ctypes.c_ubyte * 2)]
---
u = U(); u.p.x = 258
list(u.raw)
---
list(u.raw), u.p.x
""")


@pytest.mark.parametrize("title", CLASSES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_an_instance_is_sent(notebook, title):
    """It does there, and afterwards, what it does in the kernel."""
    agrees(notebook, CLASSES[title])
