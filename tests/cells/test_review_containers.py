"""Containers of other kinds than list, dict and set, and objects that pickle itself gets wrong."""

from __future__ import annotations

import pytest

CONTAINERS = {
    "defaultdict": (
        "from collections import defaultdict\nx = defaultdict(list)",
        "x['k'].append(1)",
        "x == {'k': [1]} and x['new'] == []",
    ),
    "Counter": ("from collections import Counter\nx = Counter('aab')", "x.update('bb')", "x == {'a': 2, 'b': 3}"),
    "OrderedDict": (
        "from collections import OrderedDict\nx = OrderedDict(a=1, b=2)",
        "x.move_to_end('a')",
        "list(x) == ['b', 'a']",
    ),
    "deque": (
        "from collections import deque\nx = deque([1], maxlen=2)",
        "x.extend([2, 3])",
        "list(x) == [2, 3] and x.maxlen == 2",
    ),
    "subclass of list": (
        "class L(list): pass\nx = L([1]); x.tag = 'old'",
        "x.append(2); x.tag = 'new'",
        "x == [1, 2] and x.tag == 'new'",
    ),
    "subclass of dict": (
        "class D(dict):\n    def __setitem__(self, key, value): raise TypeError('closed')\nx = D(a=1)",
        "dict.__setitem__(x, 'b', 2)",
        "x == {'a': 1, 'b': 2}",
    ),
    "subclass of deque": (
        "from collections import deque\nclass Q(deque):\n    def __init__(self, a, b): super().__init__([a, b], 2)\n"
        "x = Q(1, 2)",
        "x.append(3)",
        "list(x) == [2, 3] and x.maxlen == 2",
    ),
    "subclass of defaultdict": (
        "from collections import defaultdict\nclass D(defaultdict): pass\nx = D(int, a=1)",
        "x['b'] += 5",
        "x == {'a': 1, 'b': 5} and x['c'] == 0",
    ),
    "subclass of set": ("class S(set): pass\nx = S({1})", "x.add(2)", "x == {1, 2}"),
    "SimpleNamespace": ("from types import SimpleNamespace\nx = SimpleNamespace(n=1)", "x.n = 2", "x.n == 2"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_changed_in_place(notebook, name):
    """The change is there under every alias, and the object is the one that the notebook had."""
    setup, body, check = CONTAINERS[name]
    notebook.ok(setup + "\nalias = x\nholder = (x,)")
    before = notebook.names["x"]
    notebook.remote(body)
    assert notebook.ok(check).value
    assert notebook.names["x"] is notebook.names["alias"] is notebook.names["holder"][0] is before


def test_what_a_bound_builtin_method_changes_comes_back(notebook):
    """`functools.partial(items.append, 5)` changes the notebook's list."""
    notebook.ok("import functools\nitems = []\nnote = functools.partial(items.append, 5)\nadd = items.append")
    notebook.remote("note(); add(6)")
    assert notebook.names["items"] == [5, 6]


def test_a_functions_other_code_comes_back(notebook):
    """`f.__code__ = g.__code__` is a change in place like others."""
    notebook.ok("def f(): return 1\ndef g(): return 2\nalias = f")
    notebook.remote("f.__code__ = g.__code__")
    assert notebook.ok("alias()").value == 2


def test_an_immutable_subclass_with_its_own_new_is_sent_unchanged(notebook):
    """Its `__new__`, which takes other arguments, is not run for it again."""
    ran = notebook.agrees(
        """
        class Point(tuple):
            def __new__(cls, *parts): return super().__new__(cls, parts)
        class Loud(str):
            def __new__(cls, text, mark): return super().__new__(cls, text + mark)
        p, s = Point(1, [2]), Loud("hey", "!")
        s.seen = True
        """,
        """
        p[1].append(3)
        q, t = Point(4, 5), Loud("ho", "?")
        list(p), list(q), s, t, type(p).__name__, type(s).__name__, s.seen
        """,
    )
    assert ran.value[:4] == ([1, [2, 3]], [4, 5], "hey!", "ho?")
    assert notebook.ok("list(p) == [1, [2, 3]] and type(q) is Point and t == 'ho?' and type(t) is Loud").value


def test_an_object_whose_getattr_needs_its_attributes_is_sent(notebook):
    """A proxy that looks everything up in a separate attribute is not asked before it has that."""
    setup = """
        class Proxy:
            def __init__(self): self.data = {"n": 1}
            def __getattr__(self, name):
                try: return self.data[name]
                except KeyError: raise AttributeError(name)
        p = Proxy()
    """
    notebook.agrees(setup, "p.data['m'] = 2; p.n, p.m")
    assert notebook.ok("p.m, type(p) is Proxy").value == (2, True)


def test_a_very_deep_structure_is_sent(notebook):
    """A list that is nested 20,000 deep comes back as deep."""
    notebook.ok("x = []\nfor _ in range(20000): x = [x]")
    notebook.remote("y = x\ndepth = 0\nwhile x: x, depth = x[0], depth + 1")
    assert notebook.names["depth"] == 20000
