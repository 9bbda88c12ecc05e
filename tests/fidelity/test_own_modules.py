"""What the user's own modules hold goes to the function and comes back, as if the cell ran where they are."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tests.fidelity.constructs import agrees, constructs

STATE = """
import collections, functools, random, re, threading
registry = []
settings = {'depth': 1, 'nested': {'on': True}}
names = {'a'}
counts = collections.Counter()
groups = collections.defaultdict(list)
counter = 0
label = 'fresh'
pattern = re.compile('a+')
stream = random.Random(1)
lock = threading.Lock()
connection = None
class Store:
    made = []
    limit = 10
    def __init__(self): self.rows, self.parent = [], None
    def add(self, row): self.rows.append(row); return self
store = Store()
alias = store
double = lambda x: 2 * x
def counted(f):
    calls = 0
    @functools.wraps(f)
    def inner(*args):
        nonlocal calls
        calls += 1
        inner.calls = calls
        return f(*args), calls
    return inner
@counted
def one(): return 1
def collect(x, into=[]):
    into.append(x)
    return list(into)
@functools.lru_cache
def slow(x): registry.append(('slow', x)); return x * x
def bump(by=1):
    global counter, label
    counter += by
    label = f'bumped {counter}'
    settings['depth'] += by
    return counter
def register(f): registry.append(f.__name__); return f
def state(): return counter, label, list(registry), settings, sorted(names), dict(counts), dict(groups), store.rows
def forget():
    global label
    del label
"""
PACKAGE = {
    "__init__": "from .core import items, put\n",
    "core": "items = []\ndef put(x): items.append(x); return len(items)\n",
}

CHANGES = constructs("""
= a list, a dictionary and a set that the notebook changed
import ownstate
ownstate.registry.append(1); ownstate.settings['depth'] = 5; ownstate.settings['nested']['on'] = None
ownstate.names.add('b'); ownstate.counts['x'] += 2; ownstate.groups['k'].append(1)
---
ownstate.state()
---
ownstate.state()
= the same changed by the cell
import ownstate
held = ownstate.settings['nested']
---
ownstate.registry.append(1); ownstate.settings['nested']['on'] = 'there'
ownstate.names.add('b'); ownstate.counts['x'] += 2; ownstate.groups['k'].append(1)
---
ownstate.state(), held
= numbers and texts, rebound by functions of the module
import ownstate
ownstate.bump()
---
ownstate.bump(), ownstate.counter
---
ownstate.bump(), ownstate.label
= functions of it without its name
from ownstate import bump, state
bump()
---
bump(3), state()
---
bump(), state()
= an attribute that is new, and one that is deleted
import ownstate
ownstate.fresh = [1]
---
ownstate.fresh.append(2)
ownstate.more = {'a': ownstate.fresh}
ownstate.forget()
hasattr(ownstate, 'label')
---
ownstate.fresh, ownstate.more, ownstate.more['a'] is ownstate.fresh, hasattr(ownstate, 'label')
= an instance that the module holds, with two names
import ownstate
from ownstate import store
store.add(1)
---
ownstate.store.add(2); store.parent = store
store is ownstate.store, ownstate.alias is store, store.rows
---
store is ownstate.store, ownstate.alias is store, store.rows, store.parent is store
= attributes of its classes
from ownstate import Store
Store.limit = 20; Store.made.append('here')
---
Store.limit += 1; Store.made.append('there'); Store.anew = [0]
Store.limit, Store.made
---
Store.limit, Store.made, Store.anew
= a counting decorator, a default and a function's attribute
import ownstate
ownstate.one(); ownstate.collect(1); ownstate.bump.mark = 'here'
---
ownstate.one(), ownstate.collect(2), ownstate.bump.mark
---
ownstate.one(), ownstate.one.calls, ownstate.collect(3)
= a cached function
import ownstate
ownstate.slow(2)
---
ownstate.slow(2), ownstate.slow(3), ownstate.registry
---
ownstate.slow(3), ownstate.slow.cache_info().hits, ownstate.registry
= a stream of random numbers
import ownstate
ownstate.stream.random()
---
ownstate.stream.random()
---
ownstate.stream.random()
= functions of the notebook that register themselves there
import ownstate
@ownstate.register
def first(): pass
---
@ownstate.register
def second(): pass
---
ownstate.registry
= a function of it that the notebook replaced
import ownstate
ownstate.double = lambda x: 10 * x
---
ownstate.double(2)
---
ownstate.double(3)
= replaced by the cell
import ownstate
---
ownstate.double = lambda x: 100 * x
---
ownstate.double(3)
= only the cell imports it
pass
---
import ownstate
ownstate.bump(); ownstate.registry.append('x'); ownstate.settings['nested']['on'] = 0
ownstate.state()
---
import ownstate
ownstate.state(), ownstate.bump()
= a function of the cell imports it
def f():
    import ownstate
    ownstate.registry.append(1)
    return ownstate.bump()
---
f(), f()
---
f(), __import__('ownstate').registry
= a package, whose list has two names
import ownpkg
ownpkg.put('here')
---
ownpkg.put('there'), ownpkg.items is ownpkg.core.items
---
ownpkg.items, ownpkg.items is ownpkg.core.items, ownpkg.put(3)
= a package that the cell imports
pass
---
from ownpkg import items, put
put(1), items
---
import ownpkg
items is ownpkg.items, items is ownpkg.core.items, items, put(2), items
= an error does not undo
import ownstate
---
ownstate.bump()
ownstate.registry.append('before')
1 / 0
---
ownstate.counter, ownstate.registry
= cells one after the other
import ownstate
---
ownstate.bump(); ownstate.registry.append(1)
---
ownstate.bump(); ownstate.registry.append(2)
ownstate.state()
---
ownstate.state()
""")


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    """The modules are next to the notebook, and those of one test are not those of the next."""
    (tmp_path / "ownstate.py").write_text(STATE)
    (tmp_path / "ownpkg").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "ownpkg" / f"{name}.py").write_text(text)
    (tmp_path / "loud.py").write_text(
        "import sys\nprint('loud was imported')\nprint('and this', file=sys.stderr)\nx = 1\n"
    )
    (tmp_path / "lazyloud.py").write_text("print('lazyloud was imported')\nx = 1\n")
    (tmp_path / "unsent.py").write_text(
        "import socket\nheld = None\nalways = socket.socket()\nalways.close()\nlarge = []\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    _forget()


def _forget():
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("ownstate", "ownpkg", "loud", "lazyloud", "unsent")
    ]:
        del sys.modules[name]


@pytest.mark.parametrize("title", CHANGES)
def test_state_of_an_own_module(notebook, title):
    """The function sees what the module holds in the kernel, and the kernel what the cell made of it."""
    construct = CHANGES[title]
    fresh = "import sys\n_ = [sys.modules.pop(n) for n in list(sys.modules) if n.startswith('own')]\n"
    agrees(notebook, replace(construct, setup=f"{fresh}del sys\n{construct.setup}"))


def test_output_of_a_modules_import_is_shown_once(notebook):
    """Where it is imported first: in the kernel, or in a cell; not again where its values come back."""
    ran = notebook.remote("import loud")
    assert (ran.stdout, ran.stderr.count("and this")) == ("loud was imported\n", 1)
    assert notebook.remote("import loud\nloud.x").stdout == ""
    assert notebook.ok("import loud").stdout == ""
    _forget()
    assert notebook.ok("import loud").stdout == "loud was imported\n"
    assert notebook.remote("import loud\nloud.x").stdout == ""


def test_output_of_a_functions_import_is_shown_once(notebook):
    """Also if the kernel does not import the module."""
    assert (
        notebook.remote("def f():\n    import lazyloud\n    return lazyloud.x\nf()").stdout == "lazyloud was imported\n"
    )
    assert notebook.remote("f()").stdout == ""


def test_state_that_cannot_be_sent_is_reported(notebook):
    """It stays where it is; the other names of the module go and come."""
    notebook.ok("import unsent, sqlite3\nunsent.held = sqlite3.connect(':memory:')\nunsent.n = 1")
    ran = notebook.remote("unsent.n += 1\nunsent.held, type(unsent.always).__name__")
    assert ran.value == (None, "socket")
    assert "unsent.held (sqlite3.Connection) stayed in the notebook" in ran.stderr
    assert "always" not in ran.stderr
    assert notebook.ok("unsent.n").value == 2
    notebook.ok("unsent.held.close(); unsent.held = None")
    ran = notebook.remote("import sqlite3\nunsent.held = sqlite3.connect(':memory:')\nunsent.n = 7")
    assert "unsent.held (Connection) stayed on Lambda" in ran.stderr
    assert notebook.ok("unsent.n, unsent.held").value == (7, None)


def test_state_that_cannot_be_rebuilt_is_reported(notebook):
    """A value whose code raises there neither ends the cell nor keeps the rest of the module away."""
    notebook.ok(
        "import unsent\n"
        "def refuse(*_): raise KeyError('not there')\n"
        "class Here:\n    def __reduce__(self): return refuse, (Here,)\n"
        "unsent.here = Here()\nunsent.here.n = 1\nunsent.deep = [{'in': unsent.here}]\nunsent.m = 5\nmine = [1]"
    )
    ran = notebook.remote("unsent.m += 1\nmine.append(2)\nhasattr(unsent, 'here'), hasattr(unsent, 'always')")
    assert ran.value == (False, True)
    assert "unsent.here (an object) stayed in the notebook" in ran.stderr and "KeyError" in ran.stderr
    assert "Placeholder" not in ran.stderr
    now = notebook.ok("unsent.m, mine, unsent.here.n, unsent.deep[0]['in'] is unsent.here").value
    assert now == (6, [1, 2], 1, True)


def test_large_content_is_as_a_fresh_import_makes_it(notebook):
    """The plan names what goes; what is large stays."""
    notebook.ok("import unsent\nunsent.large = list(range(1_000_000))\nunsent.small = [1]")
    plan = notebook.remote("unsent.small", "--plan").text
    assert "what it holds: small" in plan
    assert notebook.remote("len(unsent.large), unsent.small").value == (0, [1])


def test_a_map_sees_it_too(notebook):
    """What its tasks change stays with them, as in a pool of processes."""
    notebook.ok("import ownstate\nownstate.bump(4)")
    assert notebook.ok("%lambda_map (lambda x: x + ownstate.counter) [1, 2]").value == [5, 6]
    assert notebook.ok("ownstate.counter").value == 4
