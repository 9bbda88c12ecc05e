"""Changes that a cell makes to what it was given, through whatever holder, are there afterwards as in the kernel."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

CHANGES = constructs("""
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
= iterators at their end
import itertools
c, cy, z = itertools.count(5), itertools.cycle('ab'), zip('ab', [1, 2])
ch, acc, isl = itertools.chain([1], [2, 3]), itertools.accumulate([1, 2, 3]), itertools.islice(range(9), 1, 8, 3)
box = [ch]
next(c), next(cy), next(ch), next(acc), next(isl), next(z)
---
next(c), next(cy), next(ch), next(acc), next(isl)
---
r = next(c), next(cy), list(ch), list(acc), list(isl), list(z)
---
r, list(ch), list(acc), list(isl), list(z), box[0] is ch, next(c)
= iterators of containers at their end, under another name
its = {'l': iter([1, 2]), 't': iter((1,)), 's': iter('ab'), 'r': iter(range(3)), 'd': iter({'k': 1}), 'e': iter({3})}
l, t, s, r, d, e = its.values()
---
[list(each) for each in (l, t, s, r, d, e)]
---
[list(each) for each in its.values()], its['l'] is l, its['d'] is d
= all that itertools makes
import itertools as it
made = [it.takewhile(bool, [1, 2, 0]), it.dropwhile(bool, [1, 0, 2]), it.filterfalse(bool, [0, 1, 0]),
    it.starmap(max, [(1, 2), (3, 2)]), it.compress('abc', [1, 0, 1]), it.zip_longest('a', 'bc', fillvalue='-'),
    it.product('ab', [1]), it.permutations('ab'), it.combinations('abc', 2), it.repeat('r', 3), it.count(0.5, 0.25),
    it.combinations_with_replacement('ab', 2), it.accumulate([1, 2], initial=5), it.chain.from_iterable(['ab', 'c'])]
for each in made: next(each)
---
first = [next(each, None) for each in made]
first
---
first, [list(it.islice(each, 4)) for each in made]
= a __getstate__ that gives copies of lists, dictionaries and sets
class G:
    def __init__(self): self.rows, self.d, self.s, self.n, self.skip = [1], {'k': [1]}, {1}, 0, object
    def __getstate__(self):
        s = {k: (v.copy() if hasattr(v, 'copy') else v) for k, v in self.__dict__.items()}
        s.pop('skip', None)
        return s
g = G(); rows, d, s = g.rows, g.d, g.s; held = [g]
---
g.rows.append(2); g.d['k'].append(3); g.d['z'] = 1; s.add(2); g.n += 1
rows
---
rows, d, s, g.rows is rows, g.d is d, g.s is s, g.n, held[0] is g
= numpy's older generator and a bit generator, each held twice
import numpy as np
class Sim:
    def __init__(self, rng): self.rng = rng
rng, bits = np.random.RandomState(0), np.random.PCG64(1)
s, gen, held = Sim(rng), np.random.Generator(bits), {'bits': bits}
---
s.rng.rand(), held['bits'].random_raw(), gen.random()
---
rng.rand(), s.rng is rng, bits.random_raw(), gen.random(), gen.bit_generator is bits, held['bits'] is bits
""")


@pytest.mark.parametrize("title", CHANGES)
def test_a_change_comes_back(notebook, title):
    """The notebook's objects are as the plain kernel leaves them."""
    agrees(notebook, CHANGES[title])
