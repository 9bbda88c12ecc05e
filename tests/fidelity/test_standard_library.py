"""Objects of the standard library that pickle has no way for: as the plain kernel leaves them."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

pytestmark = pytest.mark.filterwarnings("default")

LIBRARY = constructs("""
= hashes without data, and digests of those with data
import hashlib, hmac
h = hashlib.sha256(); k = hashlib.md5(b'x'); m = hmac.new(b'k', b'a', 'sha256')
b = hashlib.blake2b(b'q', digest_size=8)
---
h.update(b'b'); r = h.hexdigest(), k.hexdigest(), m.hexdigest(), b.hexdigest(), h.name, h.digest_size, k.block_size
s = hashlib.sha3_256(); s.update(b'1'); s.update(b'2')
kept, h, s = {'h': lambda h=h: h, 's': lambda s=s: s}, None, None
---
h, s = kept['h'](), kept['s']()
found = h.hexdigest(), s.copy().digest(), s.name, m.digest(), b.digest_size, h.name, s.block_size
del h, s, kept; found
= an iterator of matches that the cell has begun
import re
---
its = re.finditer(r'(\\w)=(\\d)', 'x=1 y=2 z=3'); n = next(its).groups(); both = [its, its]
---
type(its).__name__, next(its).groups(), both[1] is its, [m.group() for m in both[0]], list(its)
= source compiled by the shell
pass
---
c = get_ipython().compile('1 + 1', '<x>', 'eval'); t = get_ipython().compile.ast_parse('x = 1')
r = eval(c), t.body[0].targets[0].id, get_ipython().compile.reset_compiler_flags()
---
r
= threads that have ended
import threading
class Box: pass
box, done = Box(), []
---
box.threads = [threading.Thread(target=done.append, args=(i,), name=f't{i}') for i in range(2)]
[each.start() for each in box.threads]
[each.join() for each in box.threads]
[each.is_alive() for each in box.threads]
---
sorted(done), box.threads[0].name, box.threads[0].is_alive(), box.threads[1].join()
= a thread of the notebook that ended before
import threading
class Worker(threading.Thread):
    def run(self): self.result = [1]
class Box: pass
box = Box()
box.worker = Worker(name='w'); box.worker.start(); box.worker.join()
---
box.worker.result.append(2)
box.worker.is_alive(), box.worker.ident is not None
---
box.worker.result, box.worker.is_alive(), box.worker.name
= a pool of threads that was shut down, and its futures
from concurrent.futures import ThreadPoolExecutor
---
with ThreadPoolExecutor(2) as pool:
    futures = [pool.submit(pow, n, 2) for n in range(3)]
class Box: pass
box = Box(); box.pool, box.futures = pool, futures; del pool, futures
[each.result() for each in box.futures]
---
[each.done() for each in box.futures], box.pool._shutdown
= readers and writers of csv
import csv, io
out = io.StringIO()
w = csv.writer(out, delimiter=';', lineterminator='!')
dw = csv.DictWriter(out, ['a', 'b'], dialect='excel-tab')
r = csv.reader(io.StringIO('a,b\\n1,2\\n3,4\\n')); next(r)
---
w.writerow([1, 'x;y']); dw.writeheader()
first = next(r); w.dialect.delimiter, r.line_num, first
---
w.writerow([2]), out.getvalue(), list(r)
= readers and writers that the cell makes
import csv, io
lines = ['a|b', 'c|d', 'e|f']
---
r = csv.reader(iter(lines), delimiter='|'); next(r)
out = io.StringIO(); w = csv.writer(out); w.writerow(next(r))
---
w.writerow(next(r)), out.getvalue(), r.line_num
= a reader of an open file
import csv
with open('t.csv', 'w') as f: f.write('a,b\\n1,2\\n3,4\\n5,6\\n')
f = open('t.csv', newline='', encoding='utf-8'); r = csv.reader(f); next(r)
---
next(r), r.line_num
---
f.close(); 1
= a dialect that was registered
import csv, io
csv.register_dialect('pipes', delimiter='|')
---
csv.register_dialect('dots', delimiter='.')
next(csv.reader(io.StringIO('a|b\\n'), 'pipes'))
---
found = next(csv.reader(['a.b'], 'dots')); csv.unregister_dialect('pipes'); csv.unregister_dialect('dots'); found
= views of memory
import array
b, a = bytearray(b'abcdef'), array.array('d', [1, 2, 3])
mv, part, back, m = memoryview(b), memoryview(b)[1:4], memoryview(b)[::-2], memoryview(a)
grid = memoryview(bytearray(range(6))).cast('B', (2, 3)); fixed = memoryview(b'xyz').toreadonly()
gone = memoryview(b'q'); gone.release()
---
mv[0], part[0], m[1] = 65, 66, 7
grid[1, 2] = 99
new = mv[2:4]
bytes(part), bytes(back), m.tolist(), m.format, grid.tolist(), fixed.readonly, bytes(fixed)
---
b, a, bytes(new), bytes(back), part.obj is b, m.obj is a, grid.shape, grid[1, 2]
= weak methods, weak proxies
import weakref
class T:
    def __init__(self): self.n = 0
    def hit(self): self.n += 1; return self.n
t = T(); px, wm = weakref.proxy(t), weakref.WeakMethod(t.hit)
gone = weakref.WeakMethod(T().hit)
---
px.hit(); px.n += 10
wm()(), gone()
---
t.n, px.n, wm()(), t.n, gone()
= files that were closed
f = open('t.txt', 'w', encoding='latin-1'); f.write('1'); f.close()
---
with open('u.txt', 'w', encoding='utf-8') as g: g.write('x')
with open('u.txt', 'rb') as h: h.read()
with open('u.txt', 'r+b') as r, open('u.txt', 'ab') as w: pass
f.closed, f.name, f.encoding
---
[(each.closed, each.name, each.mode, type(each).__name__) for each in (f, g, h, r, w)], g.encoding, str(g)
= a file in the middle of its lines
with open('t.txt', 'wb') as f: f.write('a\\nb\\r\\nü\\nd'.encode())
f = open('t.txt', encoding='utf-8')
for line in f: break
g = open('t.txt', encoding='utf-8'); lines = enumerate(g); next(lines)
---
r = next(f), next(lines)
r
---
next(f), f.read(), list(lines), f.close(), g.close()
= attributes of one thread
import threading
class Mine(threading.local):
    def __init__(self): self.seen = []
loc, mine = threading.local(), Mine()
loc.x = 1; mine.seen.append(1)
---
loc.y = 2; mine.seen.append(2)
there = []
t = threading.Thread(target=lambda: there.append((hasattr(loc, 'x'), mine.seen)), name='other')
t.start(); t.join(); del t
loc.x, mine.seen, there
---
vars(loc), mine.seen, there
= a parser of arguments
import argparse
ap = argparse.ArgumentParser(prog='p'); ap.add_argument('--n', type=int, default=3)
sub = ap.add_subparsers(dest='cmd')
---
go = sub.add_parser('go'); go.add_argument('where', nargs='?', default='home')
ap.add_argument('--quiet', action='store_true', help=argparse.SUPPRESS)
ns = ap.parse_args(['--n', '5', 'go'])
print(ap.format_usage())
vars(ns)
---
ap.parse_args(['go', 'away']), vars(ap.parse_args([])), 'quiet' in ap.format_help()
= a scanner of regular expressions
import re
sc = re.Scanner([(r'\\d+', lambda s, t: int(t)), (r'\\w+', lambda s, t: t), (r'\\s+', None)], re.I)
---
sc.scan('a 12 b')
---
sc.scan('3'), sc.scanner.flags
= a library of C and its functions
import ctypes
libc = ctypes.CDLL(None); length = libc.strlen
---
libc.strlen.restype = ctypes.c_size_t; libc.strlen.argtypes = [ctypes.c_char_p]
n = libc.strlen(b'hello'), libc.abs(-3), length(b'abc')
n
---
n, libc.strlen(b'ab'), libc.strlen.restype is ctypes.c_size_t, libc.labs(-4)
= a time zone that is a class of the notebook
from datetime import datetime, timedelta, tzinfo
class Fixed(tzinfo):
    def __init__(self, h=0): self.h = h
    def utcoffset(self, dt): return timedelta(hours=self.h)
    def dst(self, dt): return timedelta(0)
    def tzname(self, dt): return f'F{self.h}'
d = datetime(2020, 1, 1, tzinfo=Fixed(3))
---
e = d + timedelta(1)
e.isoformat(), e.tzname()
---
e.tzinfo is d.tzinfo, e - d
= a cached method of instances
from functools import lru_cache, cache
class R:
    def __init__(self, b): self.b = b
    @lru_cache(maxsize=None)
    def p(self, n): return self.b ** n
@cache
def made(x): return R(x)
r = R(2); r.p(3); one = made(1)
---
r.p(3), r.p(4), R(5).p(1)
two = made(2); R.p.cache_info(), made(1) is one
---
R.p.cache_info(), r.p(4), R.p.cache_info().hits, made(2) is two, made(1) is one
""")

CLASSES = constructs("""
= a class two levels below an abstract one, and its hook
from abc import ABC, abstractmethod
class Plugin(ABC):
    made = []
    def __init_subclass__(cls, **k): super().__init_subclass__(**k); Plugin.made.append(cls.__name__)
    @abstractmethod
    def run(self): ...
class One(Plugin):
    def run(self): return 1
class Two(One): pass
---
class Three(One):
    def run(self): return 3
[each.__name__ for each in Plugin.__subclasses__()], Plugin.made, [Two().run(), Three().run()]
---
Plugin.made, [each.__name__ for each in One.__subclasses__()], Three().run()
= slots on all levels, and a hook
class A:
    __slots__ = ('x',)
    made = []
    def __init_subclass__(cls): A.made.append(cls.__name__)
class B(A): __slots__ = ('y',)
b = B(); b.x, b.y = 1, [2]
---
class C(B): __slots__ = ('z',)
c = C(); c.z = b
A.made, b.y, A.__subclasses__() == [B]
---
A.made, c.z is b, C.__slots__, hasattr(c, '__dict__')
= a metaclass and a generic base with hooks
from typing import Generic, TypeVar
T = TypeVar('T')
class Meta(type):
    count = 0
    def __new__(m, *a, **k): m.count += 1; return super().__new__(m, *a, **k)
class Base(Generic[T], metaclass=Meta):
    names = []
    def __init_subclass__(cls, tag=None, **k): super().__init_subclass__(**k); cls.tag = tag; Base.names.append(tag)
class Ints(Base[int], tag='i'): pass
---
class Strs(Base[str], tag='s'): pass
Meta.count, Base.names, Ints.tag, Ints.__orig_bases__
---
Meta.count, Base.names, Strs.tag, Strs.__orig_bases__ == (Base[str],), Base.__init_subclass__.__func__.__name__
= an Enum with a member that is a function
import enum
class E(enum.Enum):
    A = 1
    f = enum.nonmember(5)
    @enum.member
    def g(): return 3
---
seen = {E.A: 1, E.g: 2}
E.f, list(E), E.g.value()
---
list(seen)[1] is E.g, seen
= the builtins of a dictionary of code
ns, shut = {'x': 2}, {'__builtins__': {}}
---
exec('z = x + 1', ns)
try:
    eval('len("a")', shut)
except NameError as e:
    shut['error'] = str(e)
eval('x', ns)
---
list(ns), ns['__builtins__'] is __import__('builtins').__dict__, shut
""")


@pytest.mark.parametrize("title", LIBRARY)
def test_objects_of_the_standard_library(notebook, title):
    """It is as the plain kernel leaves it."""
    agrees(notebook, LIBRARY[title])


@pytest.mark.parametrize("title", CLASSES)
def test_classes_are_rebuilt_without_their_hooks(notebook, title):
    """It is as the plain kernel leaves it."""
    agrees(notebook, CLASSES[title])
