"""Names that are bound or looked up by text, by frames, by star imports and in namespaces, as the kernel has them."""

from __future__ import annotations

import pytest

from tests.fidelity.constructs import agrees, constructs

pytestmark = pytest.mark.filterwarnings("default")

STARS = constructs("""
= from math import *
radius = 2
---
from math import *
area = pi * radius ** 2
round(area, 2), floor(2.5)
= from sympy import *
z = 3
---
from sympy import *
x, y = symbols('x y')
e = expand((x + y) ** 2)
e, diff(sin(x), x), Rational(1, 3) + z
---
e.subs({x: 1, y: 2}), solve(x - 1, x), pi
= from sympy import * in an earlier cell
from sympy import *
x, y, z = symbols('x y z')
---
integrate(x ** 2, x), S(1) / 3, limit(sin(x) / x, x, 0), Matrix([[1, 2], [3, 4]]).det(), factor(x ** 2 - 1)
= from numpy import *
n = 3
---
from numpy import *
a = arange(n)
a.sum(), sin(0.0), array([1, 2]).tolist(), mgrid[0:2].tolist(), c_[a, a].shape
---
sqrt(4.0), a.tolist()
= from pylab import *
k = 2
---
from pylab import *
v = linspace(0, 1, k)
v.tolist(), rand(0).tolist()
= from matplotlib.pyplot import *
---
from matplotlib.pyplot import *
f = figure()
n = f.number
close('all')
n
= from scipy.stats import *
---
from scipy.stats import *
round(float(norm.cdf(0)), 3), round(float(binom(3, 0.5).mean()), 3)
= from os.path import * and a name of the notebook
join = 'mine'
---
from os.path import *
basename(join('a', 'b'))
= a star import that fails
---
from no_such_module_here import *
= a relative star import
---
from .x import *
= a star import within try
---
try:
    from no_such_module_here import *
except ImportError:
    from math import *
sqrt(9)
""")

BOUND = constructs("""
= sympy.var
import sympy
---
sympy.var('p q')
p + q
---
p - q
= var after a star import
from sympy import *
---
var('a:3')
a0 + a1
= globals
---
globals()['made'] = 5
made + 1
= get_ipython().user_ns and push
x = 2
---
get_ipython().user_ns['y'] = x + 1
get_ipython().push({'z': y + 1})
z, get_ipython().user_ns['x']
= the list of a command
---
found = !printf 'one two\\nthree\\n'
found.n, found.s, found.grep('one'), found.fields(0), type(found).__name__
---
found.l, found
= IPython's marks
---
__IPYTHON__, get_ipython() is not None, type(get_ipython().user_ns).__name__
= names put into builtins by the cell
import builtins
---
builtins.shouted = 'hey'
shouted.upper()
= names put into builtins before
import builtins
builtins.handy = lambda x: x + 1
---
handy(2)
---
del __import__('builtins').handy
= names put into builtins are no globals
import builtins
builtins.handy = 5
---
sorted(k for k in globals() if k == 'handy'), sorted(k for k in dir() if k == 'handy'), handy, builtins.handy
---
del __import__('builtins').handy
= names of builtins that the cell binds, replaces, changes and deletes
import builtins
builtins.one, builtins.two, builtins.three, builtins.four = 1, [2], 3, {4}
---
one = one + 10
two.append(5)
builtins.three = 'three'
del builtins.four
one, builtins.one, two, three
---
found = one, builtins.one, two, three, hasattr(builtins, 'four')
del builtins.one, builtins.two, builtins.three
found
= a name of builtins cannot be deleted as a global
import builtins
builtins.handy = 5
---
try:
    del handy
except NameError as error:
    what = str(error)
what, handy
---
del builtins.handy
= a name of builtins that a function deep inside data reads
import builtins
builtins.rate = 3
class Deep:
    def __init__(self, v): self.v = v
    def __reduce__(self): return Deep, (self.v,)
def times(x): return rate * x
found = Deep([Deep([Deep([Deep([Deep([Deep([Deep([Deep([times])])])])])])])])
del times
---
each = found
while isinstance(each, Deep): each = each.v[0]
each(2)
---
del builtins.rate
= frames
import sys
def put(name, value): sys._getframe(1).f_globals[name] = value
---
put('framed', 3)
framed * 2
= exec with a name of its own
---
exec('inner = 4')
inner + 1
= setattr of the main module
import sys
---
setattr(sys.modules['__main__'], 'on_main', 1)
on_main
= a typo behind sympy.var
import sympy
---
sympy.var('t')
try:
    nowhere
except NameError as error:
    what = str(error)
what
""")

IN_TEXT = constructs("""
= query
import pandas as pd
df = pd.DataFrame({'a': [1, 2, 3]})
limit = 1
def twice(x): return 2 * x
---
df.query('a > @limit')['a'].tolist(), df.query('a == @twice(1)')['a'].tolist()
= DataFrame.eval and pd.eval
import pandas as pd
df = pd.DataFrame({'a': [1, 2]})
k = 10
---
df = df.eval('b = a * @k')
df['b'].tolist(), pd.eval('k + 1'), df.eval('a + @k').tolist()
= query within a function
import pandas as pd
df = pd.DataFrame({'a': [1, 2, 3]})
limit = 2
def above(): return df.query('a >= @limit')['a'].tolist()
---
above()
= eval
a, b = 2, 3
---
eval('a * b'), eval('a' + '+' + 'b')
= exec of text that is a name
code = 'r = base + 1'
base = 5
---
exec(code)
r
= format with globals
name, n = 'Ada', 3
---
'{name} has {n}'.format(**globals()), '%(name)s' % globals(), f'{name}'
= a loop over globals
alpha, beta, gamma = 1, 2, 'x'
---
sorted(k for k, v in globals().items() if isinstance(v, int) and not k.startswith('_'))
= dir and vars without arguments
one, two = 1, 2
---
sorted(k for k in dir() if k in ('one', 'two')), sorted(k for k in vars() if k in ('one', 'two'))
= timeit with globals
import timeit
def f(): return 3
---
timeit.timeit('f()', globals=globals(), number=2) > 0
= timeit with __main__
import timeit
def g(): return 3
---
timeit.timeit('g()', setup='from __main__ import g', number=2) > 0
= import of __main__
value = 7
---
import __main__
__main__.value, getattr(__main__, 'value')
= doctest
def double(x):
    '''
    >>> double(2)
    4
    '''
    return 2 * x
---
import doctest
doctest.testmod().attempted
= unittest
import unittest
class TestIt(unittest.TestCase):
    def test_a(self): self.assertEqual(1, 1)
---
import io
suite = unittest.defaultTestLoader.loadTestsFromModule(__import__('__main__'))
unittest.TextTestRunner(stream=io.StringIO()).run(suite).testsRun
= a code object that was compiled before
co = compile('base + later(1)', 'text', 'eval')
base = 4
def later(x): return x * 2
---
eval(co)
= annotations of the namespace
x: int = 1
---
y: str = 'a'
z: float
__annotations__
---
__annotations__
= annotations that are only made
x: int = 1
---
y: str = 'a'
---
__annotations__
= subclasses
class Base:
    subs = []
    def __init_subclass__(cls, tag='', **kw): Base.subs.append((cls.__name__, tag))
class A(Base, tag='a'): pass
---
class B(Base, tag='b'): pass
Base.subs, [c.__name__ for c in Base.__subclasses__()]
---
[c.__name__ for c in Base.__subclasses__()], Base.subs
= a template
import string
who = 'you'
---
string.Template('hi $who').substitute(globals())
= something that cannot travel is no obstacle
a, live = 1, (i for i in range(3))
next(live)
---
sorted(k for k in globals() if k in ('a',))
""")


@pytest.mark.parametrize("title", STARS)
def test_a_star_import(notebook, title):
    """It binds what it binds in the kernel, and is never refused."""
    if "sympy" in title or "numpy" in title or "pyplot" in title or "pylab" in title or "scipy" in title:
        pytest.importorskip("sympy")
    agrees(notebook, STARS[title])


@pytest.mark.parametrize("title", BOUND)
def test_names_bound_at_run_time(notebook, title):
    """A name that no analysis finds is sent where something may bind it."""
    agrees(notebook, BOUND[title])


@pytest.mark.parametrize("title", IN_TEXT)
def test_names_in_texts(notebook, title):
    """What is looked up by its name in a text is there."""
    agrees(notebook, IN_TEXT[title])


def test_names_of_builtins_end_with_the_job(notebook):
    """A later cell in the same environment has the builtins that the notebook has then; so has a map."""
    notebook.ok("import builtins\nbuiltins.rate = 3\ndef times(x): return rate * x")
    assert notebook.remote("rate").value == 3
    assert notebook.ok("%lambda_map times [1, 2]").value == [3, 6]
    notebook.ok("del builtins.rate")
    assert notebook.remote("'rate' in vars(__import__('builtins'))").value is False


def test_names_of_builtins_in_the_background(notebook):
    """A cell that is queued behind another has what that one put there; the process keeps no name of it."""
    notebook.ok("%%lambda --bg\nimport builtins, time\nbuiltins.put_there = [1]\nx = 1")
    notebook.ok("%%lambda --bg\ny = x + put_there[0] + len(vars(__import__('builtins')))*0")
    assert notebook.ok("x, y, put_there").value == (1, 2, [1])
    notebook.ok("import builtins; del builtins.put_there")
    assert notebook.remote("'put_there' in vars(__import__('builtins'))").value is False


def test_a_large_value_that_a_text_names_is_offered(notebook):
    """It is not taken on suspicion; the plan names it, and the error says how to take it."""
    notebook.ok("import numpy as np, pandas as pd\nbig = np.zeros(1_000_000)\ndf = pd.DataFrame({'a': [0.0]})")
    plan = notebook.ok("%%lambda --plan\ndf.query('a in @big')").displays
    assert "-i big" in str(plan) or "-i big" in str(notebook.ok("%%lambda --plan\ndf.query('a in @big')").out)
    ran = notebook.run("%%lambda\ndf.query('a in @big')")
    assert isinstance(ran.error, NameError) and "big exists in the notebook: add -i big" in ran.traceback
    assert len(notebook.ok("%%lambda -i big\ndf.query('a in @big')").value) == 1
