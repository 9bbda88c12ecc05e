"""What the cell changes in place is changed in the notebook."""

from __future__ import annotations

import pytest

IN_PLACE = {
    "list": ("x = [1, 2]", "x.append(3); x[0] = 9", "x == [9, 2, 3]"),
    "dict": ("x = {'a': 1}", "x['b'] = 2; del x['a']", "x == {'b': 2}"),
    "order of a dict": ("x = {'a': 1, 'b': 2}", "x['a'] = x.pop('a')", "list(x) == ['b', 'a']"),
    "set": ("x = {1}", "x.add(2); x.discard(1)", "x == {2}"),
    "bytearray": ("x = bytearray(b'ab')", "x[0] = 65; x += b'!'", "x == b'Ab!'"),
    "array": ("import numpy as np\nx = np.zeros(3)", "x[1] = 5; x += 1", "x.tolist() == [1, 6, 1]"),
    "large array": ("import numpy as np\nx = np.zeros(5000)", "x[4999] = 5", "x.sum() == 5"),
    "array of objects inside": ("import numpy as np\nx = {'w': np.ones((2, 2))}", "x['w'] *= 3", "x['w'].sum() == 12"),
    "instance": ("class A: pass\nx = A(); x.n = 1", "x.n += 1; x.new = 'n'", "(x.n, x.new) == (2, 'n')"),
    "deleted attribute": ("class A: pass\nx = A(); x.n = 1", "del x.n", "vars(x) == {}"),
    "slots": ("class A:\n    __slots__ = ('n', 'm')\nx = A(); x.n = 1", "x.n = 2; x.m = 3", "(x.n, x.m) == (2, 3)"),
    "closure cell": (
        "def make():\n  n = 0\n  def bump():\n    nonlocal n\n    n += 1\n    return n\n  return bump\nx = make()",
        "x(); x()",
        "x() == 3",
    ),
    "class attribute": (
        "class A:\n    n = 0\nx = A",
        "A.n = 5; A.f = lambda self: self.n",
        "A.n == 5 and A().f() == 5",
    ),
    "deleted class attribute": ("class A:\n    n = 0\nx = A", "del A.n", "not hasattr(A, 'n')"),
    "function attribute": ("def f(): pass\nf.n = 1\nx = f", "f.n += 1", "f.n == 2"),
    "function default": ("def f(a=[]):\n    a.append(1)\n    return a\nx = f", "f(); f()", "f() == [1, 1, 1]"),
    "inside a tuple": ("x = ([1], {'k': 2})", "x[0].append(2); x[1]['k'] = 3", "x == ([1, 2], {'k': 3})"),
    "deep inside": ("x = {'a': [{'b': [1]}]}", "x['a'][0]['b'].append(2)", "x == {'a': [{'b': [1, 2]}]}"),
    "cycle": ("x = [1]; x.append(x)", "x[0] = 2", "x[0] == 2 and x[1] is x"),
    "sorted": ("x = [3, 1, 2]", "x.sort()", "x == [1, 2, 3]"),
    "emptied": ("x = [3, 1, 2]", "x.clear()", "x == []"),
    "by a function of the notebook": ("x = []\ndef note(v): x.append(v)", "note(4)", "x == [4]"),
    "DataFrame": (
        "import pandas as pd\nx = pd.DataFrame({'a': [1, 2]})",
        "x['b'] = x['a'] * 2",
        "x['b'].tolist() == [2, 4]",
    ),
    "Series": ("import pandas as pd\nx = pd.Series([1, 2])", "x[0] = 9", "x.tolist() == [9, 2]"),
    "Counter": ("from collections import Counter\nx = Counter('a')", "x.update('ab')", "dict(x) == {'a': 2, 'b': 1}"),
    "deque": ("from collections import deque\nx = deque([1])", "x.append(2)", "list(x) == [1, 2]"),
    "defaultdict": (
        "from collections import defaultdict\nx = defaultdict(list)",
        "x['a'].append(1)",
        "dict(x) == {'a': [1]}",
    ),
    "random generator": ("import random\nx = random.Random(1)", "v = x.random()", "x.random() != v"),
    "array of objects": ("import numpy as np\nx = np.array([None, 'a'])", "x[0] = 'b'", "x.tolist() == ['b', 'a']"),
    "subclass of list": ("class L(list): pass\nx = L([1])", "x.append(2)", "x == [1, 2] and type(x) is L"),
    "estimator": (
        "from sklearn.linear_model import LinearRegression\nx = LinearRegression()",
        "x.fit([[0.0], [1.0]], [1.0, 3.0])",
        "x.predict([[2.0]]).round(6).tolist() == [5.0]",
    ),
    "pipeline": (
        "from sklearn.linear_model import Ridge\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\ninner = Ridge(); x = make_pipeline(StandardScaler(), inner)",
        "x.fit([[0.0], [1.0]], [1.0, 3.0])",
        "x[-1] is inner and inner.coef_.shape == (1,)",
    ),
    "numpy generator": (
        "import numpy as np\nx = np.random.default_rng(1); y = np.random.default_rng(1); y.random(3)",
        "x.random(3)",
        "x.random() == y.random()",
    ),
    "array module": ("import array\nx = array.array('i', [1])", "x.append(2)", "x.tolist() == [1, 2]"),
    "DataFrame by position": (
        "import pandas as pd\nx = pd.DataFrame({'a': [1, 2]}, index=['p', 'q'])",
        "x.loc['q', 'a'] = 9; x.attrs['unit'] = 'm'",
        "x['a'].tolist() == [1, 9] and x.attrs == {'unit': 'm'} and x.flags.allows_duplicate_labels",
    ),
    "a new object put into an old one": ("class A: pass\nx = []", "x.append(A())", "type(x[0]) is A"),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_object_is_changed_in_place(notebook, name):
    """The change is there, under every alias, and the object is the one that the notebook had."""
    setup, body, check = IN_PLACE[name]
    notebook.ok(setup + "\nalias = x\nholder = {'x': x}")
    before = notebook.names["x"]
    ran = notebook.remote(body)
    assert ran.stderr == ""
    assert notebook.ok(check).value
    names = notebook.names
    assert names["x"] is before
    assert names["alias"] is before
    assert names["holder"]["x"] is before


REBOUND = {
    "reshaped array": (
        "import numpy as np, warnings\nx = np.zeros(2)",
        # NumPy 2.5 would rather not have it done.
        "with warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    x.shape = (1, 2)",
        "x.shape == (1, 2)",
    ),
}


@pytest.mark.parametrize("name", REBOUND)
def test_an_object_with_its_own_pickling_is_rebound(notebook, name):
    """Its names, and the containers that hold it, have the new one."""
    setup, body, check = REBOUND[name]
    notebook.ok(setup + "\nholder = [x]")
    holder = notebook.names["holder"]
    notebook.remote(body + "\nholder[0] is x")
    assert notebook.ok(check).value is True
    assert notebook.names["holder"] is holder
    assert holder[0] is notebook.names["x"]


def test_an_estimator_is_fitted(notebook):
    """`model.fit` on Lambda is a fitted model in the notebook."""
    notebook.ok("from sklearn.linear_model import LinearRegression\nmodel = LinearRegression()")
    shown = notebook.remote("model.fit([[0.0], [1.0]], [1.0, 3.0])\nmodel.coef_.round(6).tolist()")
    assert shown.value == [2.0]
    assert notebook.ok("model.predict([[2.0]]).round(6).tolist()").value == [5.0]


def test_aliases_inside_containers_stay_true(notebook):
    """One list in two places is one list still, also when the cell gave it to a third."""
    notebook.ok("shared = [1]; a = {'s': shared}; b = (shared,)")
    notebook.remote("a['s'].append(2)\nc = [shared]")
    names = notebook.names
    assert names["shared"] == [1, 2]
    assert names["a"]["s"] is names["shared"] is names["b"][0] is names["c"][0]


def test_views_of_one_array_stay_views(notebook):
    """A row taken before and its matrix show the same change."""
    notebook.ok("import numpy as np\nm = np.zeros((2, 2)); row = m[0]")
    notebook.remote("m[0, 0] = 7")
    assert notebook.names["row"].tolist() == [7, 0]


def test_swapped_contents(notebook):
    """Objects that change places are the same objects in the other place."""
    notebook.ok("a, b = [1], [2]; pair = [a, b]")
    a, b = notebook.names["a"], notebook.names["b"]
    notebook.remote("pair.reverse()")
    assert notebook.names["pair"][0] is b
    assert notebook.names["pair"][1] is a


def test_unchanged_objects_are_not_sent(notebook):
    """An array of 8 MB that is only read does not come back."""
    notebook.ok("import numpy as np\nx = np.ones(1_000_000)")
    before = notebook.names["x"]
    assert notebook.remote("float(x.sum())").value == 1_000_000.0
    assert notebook.names["x"] is before
    progress = notebook.session.history[-1].progress
    assert progress.s3_requests == 1  # the array's own way there


@pytest.mark.parametrize("options", ["--serializer dill", "--serializer cloudpickle"])
def test_changes_come_back_with_every_serializer(notebook, options):
    """Lists, instances and arrays."""
    notebook.ok("import numpy as np\nclass A: pass\nx, a, v = [1], A(), np.zeros(2)")
    before = [notebook.names[name] for name in ("x", "a", "v")]
    notebook.remote("x.append(2); a.n = 3; v[0] = 4", options)
    names = notebook.names
    assert (names["x"], names["a"].n, names["v"].tolist()) == ([1, 2], 3, [4, 0])
    assert all(names[name] is old for name, old in zip(("x", "a", "v"), before, strict=True))


def test_no_mutations_leaves_objects_alone_and_says_so(notebook, monkeypatch):
    """Nothing changes in place; what was lost is named, and bound names come back as copies."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    notebook.ok("x = [1]; y = {'k': 1}; z = [0]")
    ran = notebook.remote("x.append(2); y['k'] = 2; z[0]\nn = x", "--no-mutations")
    names = notebook.names
    assert (names["x"], names["y"], names["n"]) == ([1], {"k": 1}, [1, 2])
    assert "lambdamagic: in-place changes stayed on Lambda (--no-mutations): x, y\n" in ran.stderr


def test_changes_before_an_error_come_back(notebook):
    """As in a kernel, what was done before the exception stays done."""
    notebook.ok("x = [1]")
    notebook.fails("x.append(2)\ny = 3\n1 / 0\nz = 4")
    assert notebook.names["x"] == [1, 2]
    assert notebook.names["y"] == 3
    assert "z" not in notebook.names


def test_a_read_only_array_stays_as_it_is(notebook):
    """What cannot be written there is refused there, with numpy's own error."""
    notebook.ok("import numpy as np\nx = np.zeros(2); x.flags.writeable = False")
    assert "read-only" in str(notebook.fails("x[0] = 1").error)


def test_one_value_changed_many_times_over_cells(notebook):
    """Cell after cell, the same list grows."""
    notebook.ok("x = []")
    for number in range(4):
        notebook.remote(f"x.append({number})")
    assert notebook.names["x"] == [0, 1, 2, 3]
