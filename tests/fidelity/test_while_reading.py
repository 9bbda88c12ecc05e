"""What the classes of a notebook say to pickle and to readers of attributes runs as in the kernel: not at all."""

from __future__ import annotations

import threading

import pytest

from lambdamagic.codec import rebuild_code
from tests.fidelity.constructs import agrees, constructs

READ = constructs(r"""
= attribute access that is logged in a list
class Log: seen = []
class L:
    def __init__(self): self.a = 1
    def __getattribute__(self, n): Log.seen.append(n); return super().__getattribute__(n)
l = L(); ls = [l, {1: l}]; Log.seen.clear()
---
l.a; l.b = 2; l.b
Log.seen[-2:]
---
[n for n in Log.seen if n != '__class__'], len(ls)
= a logging class that the cell makes
class Log: seen = []
---
class L:
    def __init__(self): self.a = [1]
    def __getattribute__(self, n): Log.seen.append(n); return object.__getattribute__(self, n)
l = L(); l.a.append(2); ls = (l, l)
---
[n for n in Log.seen if n != '__class__'], ls[1].a
= attributes that getstate leaves out
class G:
    def __init__(self): self.a, self.kept = 1, object()
    def __getstate__(self): return {'a': self.a}
g = G(); gs = [g]; kept = g.kept
---
g.a += 1; g.b = 5; del g.kept
---
g.a, g.b, hasattr(g, 'kept'), gs[0] is g
= a cache and a lock that getstate leaves out
import threading
class G:
    def __init__(self): self.a, self.lock, self.cache = 1, threading.Lock(), {}
    def __getstate__(self):
        d = self.__dict__.copy(); del d['lock']; del d['cache']; return d
    def __setstate__(self, s): self.__dict__.update(s); self.lock = threading.Lock(); self.cache = {}
    def get(self, k):
        with self.lock: self.cache[k] = k * 2
        self.a += 1
        return self.cache[k]
g = G(); g.get(1); cache = g.cache
---
g.get(3), g.cache, g.cache is cache
---
g.a, cache, g.cache is cache
= getstate that counts, within what the cell makes
calls = []
class G:
    def __init__(self, x): self.x = x; self.big = list(range(3))
    def __getstate__(self): calls.append('get'); return {'x': self.x}
    def __setstate__(self, s): calls.append('set'); self.x = s['x']; self.big = None
g = G([1])
---
g.x.append(2); h = [G(g.x)]
---
g.x, h[0].x is g.x, h[0].big, g.big, calls
= a tree of nodes with a memo that getstate leaves out
class N:
    def __init__(self, kids=()): self.kids = list(kids); self.memo = {}
    def __getstate__(self): return {'kids': self.kids}
    def __setstate__(self, s): self.kids = s['kids']; self.memo = {}
    def size(self):
        if 'n' not in self.memo: self.memo['n'] = 1 + sum(k.size() for k in self.kids)
        return self.memo['n']
t = N([N(), N([N()])])
---
t.size()
---
t.memo, t.kids[1].memo
= slots and a getstate of the notebook's
class S:
    __slots__ = ('a', 'b')
    def __init__(self): self.a = [1]; self.b = 2
    def __getstate__(self): return (self.a,)
    def __setstate__(self, s): (self.a,) = s
s = S()
---
s.a.append(2); s.b = 7
---
s.a, s.b
= keys whose hash needs names of the cell
---
EPS = 0.5
import math
def norm(x): return math.floor(x / EPS)
class K:
    def __init__(self, x): self.x = x
    def __eq__(self, o): return norm(self.x) == norm(o.x)
    def __hash__(self): return hash(norm(self.x))
d = {K(1.1): 'a'}; s = {K(3)}
len(d)
---
d[K(1.2)] = 'b'; s.add(K(3.1)); e = {K(9): d}
len(d), len(s)
---
d[K(1)], e[K(9.1)] is d
= a view of an instance's attributes
import types
class A: pass
a = A(); a.x = 1
---
p = types.MappingProxyType(vars(a)); d = a.__dict__
---
a.y = 2
dict(p), d is vars(a)
---
d['w'] = 1
a.w, dict(p)
""")


NEEDS_ITS_MODULE = """
import threading
class G:
    def __init__(self): self.a = 1; self.it = iter('abc'); self.gen = (c for c in self.it); next(self.gen)
    def __getstate__(self): return {'a': self.a}
    def __setstate__(self, s): self.a = s['a']; self.lock = threading.Lock()
g = G()
"""


@pytest.mark.parametrize("title", READ)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_code_of_a_class_while_it_is_sent(notebook, title):
    """It leaves the notebook as the kernel does."""
    agrees(notebook, READ[title])


def test_a_setstate_that_needs_names_of_its_cell(notebook):
    """They are bound when it runs here."""
    notebook.remote(NEEDS_ITS_MODULE)
    assert notebook.ok("g.a, g.lock.locked()").value == (1, False)


def test_hooks_of_parents_in_other_threads():
    """A class that another thread makes while one is rebuilt is seen by its parent."""
    seen = []

    class Parent:
        def __init_subclass__(cls, **options):
            seen.append((cls.__name__, options))

    other = threading.Thread(target=lambda: type("Other", (Parent,), {}, tag=1))

    with rebuild_code._put_aside(rebuild_code._hooks_of((Parent,))):
        other.start()
        other.join()
        type("Rebuilt", (Parent,), {})
    assert seen == [("Other", {"tag": 1})]
    type("Later", (Parent,), {})
    assert [name for name, _ in seen] == ["Other", "Later"]
