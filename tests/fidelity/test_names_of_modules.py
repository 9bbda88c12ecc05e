"""What a module holds is the module's on either side, never a copy of it."""

from __future__ import annotations

import contextlib
import io

import pytest

from lambdamagic.codec.module_names import ModuleNames
from tests.fidelity.constructs import agrees, constructs

NAMES = constructs("""
= a bound method of a hidden instance
from random import random, seed
seed(3)
---
import random as module
random is module.random, seed is module.seed
---
import random as module
random is module.random
= numpy's hidden generator
from numpy.random import rand, randint, seed
import numpy as np
---
rand is np.random.rand, seed is np.random.seed, randint.__self__ is np.random.rand.__self__
---
rand is np.random.rand
= a bound method by another name
import random
draw = random.choice
table = {'pick': random.choice, 'list': [random.shuffle]}
---
draw == random.choice, table['pick'].__self__ is random._inst
---
draw.__self__ is random._inst, table['list'][0].__self__ is random._inst
= environ
from os import environ, path, getcwd
---
import os
environ is os.environ, path is os.path, 'PATH' in environ
---
import os
environ is os.environ
= nan
from numpy import nan, inf, pi
from math import nan as nan2
xs = [nan]
---
import numpy as np, math
nan is np.nan, nan2 is math.nan, nan in [np.nan]
---
nan in [__import__('numpy').nan], nan is __import__('numpy').nan
= names of sympy
from sympy import S, pi, Symbol, oo, I, E
x = Symbol('x')
---
import sympy
S is sympy.S, pi is sympy.pi, S.Half + x, S(1) / 2, oo is sympy.oo
---
import sympy
S is sympy.S, pi is sympy.pi, x is Symbol('x')
= a registry of a library
from matplotlib import rcParams
from matplotlib import colormaps
---
import matplotlib
rcParams is matplotlib.rcParams, colormaps is matplotlib.colormaps, 'viridis' in colormaps
---
import matplotlib
rcParams is matplotlib.rcParams
= dictionaries and lists of the standard library
from sys import modules, path as where, argv
from errno import errorcode
from string import ascii_letters
from keyword import kwlist
---
import sys, errno, keyword
modules is sys.modules, where is sys.path, errorcode is errno.errorcode, kwlist is keyword.kwlist
---
import sys, keyword
modules is sys.modules, where is sys.path, kwlist is keyword.kwlist
= the streams
from sys import stdout, stderr
import sys
---
stdout.write('printed\\n')
print('too', file=stdout)
---
stdout is not None
= a logger and its root
import logging
from logging import root, getLogger
log = getLogger('a.b')
---
root is logging.getLogger(), log is getLogger('a.b'), log.manager is logging.root.manager
---
log is getLogger('a.b')
= an operator, a builtin, a method of a type
from operator import add, itemgetter
from builtins import len as size
up, pick = str.upper, itemgetter(1)
---
import operator
add is operator.add, size is len, up('a'), pick('ab'), up is str.upper
---
add is __import__('operator').add, size is len
= a ufunc and a dtype
from numpy import sin, float64, dtype, newaxis
k = dtype('f8')
---
import numpy as np
sin is np.sin, float64 is np.float64, newaxis is None, k is np.dtype('f8')
---
sin is __import__('numpy').sin
= pandas' missing values
from pandas import NA, NaT
---
import pandas as pd
NA is pd.NA, NaT is pd.NaT
---
NA is __import__('pandas').NA
= what the cell imports comes back as the module's
import os
---
from random import random
from os import environ
from sys import modules
from logging import root
from matplotlib import rcParams
---
import random as r, sys, logging, matplotlib
random is r.random, environ is os.environ, modules is sys.modules, root is logging.root, rcParams is matplotlib.rcParams
= compiled patterns and typing names are values
import re, typing
p = re.compile('[a-z]+')
t = typing.Optional[int]
---
p.findall('ab1c'), t
---
p.pattern, t is typing.Optional[int]
""")


@pytest.mark.parametrize("title", NAMES)
def test_an_object_of_a_module(notebook, title):
    """It is the very object of the module of either side."""
    agrees(notebook, NAMES[title])


OWN = """
import functools
registry = []
settings = {'depth': 1}
names = set()
class Store:
    def __init__(self): self.rows = []
store = Store()
default = store
double = lambda x: 2 * x
def deco(f):
    def inner(*a): return f(*a) + len(registry)
    return inner
@deco
def one(): return 1
register = registry.append
def size(): return len(registry), dict(settings), len(store.rows)
"""


@pytest.mark.parametrize("title", ["one's own module"])
def test_objects_of_the_users_own_module(notebook, tmp_path, monkeypatch, title):
    """A registry, an instance, a decorated function and a bound method are the module's, there and back."""
    (tmp_path / "ownnames.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = """
= the objects
import ownnames
from ownnames import registry, settings, names, store, double, one, register
---
import ownnames as m
(registry is m.registry, settings is m.settings, names is m.names, store is m.store, double is m.double, one is m.one,
 register.__self__ is m.registry, one())
---
import ownnames as m
registry is m.registry, store is m.store, double is m.double, one is m.one, register.__self__ is m.registry
= bound by the cell
import ownnames
---
from ownnames import registry, store, one, register
---
registry is ownnames.registry, store is ownnames.store, one is ownnames.one, register.__self__ is ownnames.registry
"""
    for construct in constructs(text).values():
        agrees(notebook, construct)
    __import__("sys").modules.pop("ownnames", None)


def test_an_object_put_into_a_library_belongs_to_the_user(notebook):
    """The function's library does not have it."""
    notebook.ok("import json\nmine = {'a': 1}\njson.mine_of_the_notebook = mine")
    try:
        assert notebook.remote("mine['a']").value == 1
    finally:
        notebook.ok("del json.mine_of_the_notebook")


def test_a_stream_that_was_replaced_is_that_of_sys():
    """Modules are looked through once, and a program may replace a stream at any time."""
    names = ModuleNames()
    names.refresh()
    with contextlib.redirect_stdout(io.StringIO()) as new:
        assert names.of(new) == ("sys", "stdout")
    assert names.of(new) is None
