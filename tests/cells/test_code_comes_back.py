"""Functions and classes that were made on Lambda live in the notebook."""

from __future__ import annotations

import inspect


def test_a_returned_functions_globals_are_the_notebooks(notebook):
    """It reads what the notebook binds later, and writes to the notebook."""
    notebook.remote("def f():\n    return setting\ndef g():\n    global made\n    made = setting + 1")
    names = notebook.names
    assert names["f"].__globals__ is names
    assert notebook.ok("setting = 5\nf()").value == 5
    assert notebook.ok("g()\nmade").value == 6


def test_source_of_a_returned_function(notebook):
    """`inspect.getsource` shows it in the notebook."""
    notebook.remote("x = 1\ndef f():\n    # why\n    return x\nclass C:\n    def m(self):\n        return 1")
    assert inspect.getsource(notebook.names["f"]) == "def f():\n    # why\n    return x\n"
    assert inspect.getsource(notebook.names["C"].m) == "    def m(self):\n        return 1\n"


def test_source_of_a_captured_function(notebook):
    """`inspect.getsource` shows it on Lambda."""
    notebook.ok("def f():\n    # of the notebook\n    return 1")
    ran = notebook.remote("import inspect\ninspect.getsource(f)")
    assert ran.value == "def f():\n    # of the notebook\n    return 1\n"


def test_a_function_that_made_a_round_trip_is_the_same_object(notebook):
    """Also inside of what is returned."""
    notebook.ok("def f(): return 1")
    notebook.remote("table = {'f': f}\ng = f")
    assert notebook.names["g"] is notebook.names["f"] is notebook.names["table"]["f"]


def test_a_closure_made_on_lambda_keeps_its_cells(notebook):
    """Two functions over one variable still share it."""
    notebook.remote("""
        def counter():
            n = 0
            def inc():
                nonlocal n
                n += 1
            def get():
                return n
            return inc, get
        inc, get = counter()
        inc()
    """)
    assert notebook.ok("inc(); get()").value == 2


def test_an_error_in_a_returned_function_shows_its_lines(notebook):
    """The traceback in the notebook has the remote cell's text."""
    notebook.remote("def f(x):\n    return 1 / x")
    assert "return 1 / x" in notebook.run("f(0)").traceback


def test_a_class_made_on_lambda_is_a_class_here(notebook):
    """Its instances too, and it can go back."""
    notebook.remote("class P:\n    def __init__(self, x): self.x = x\n    def f(self): return self.x\np = P(3)")
    names = notebook.names
    assert names["P"].__module__ == "__main__"
    assert type(names["p"]) is names["P"]
    assert notebook.ok("p.f()").value == 3
    assert notebook.remote("isinstance(p, P), P(4).f(), type(p) is P").value == (True, 4, True)
    notebook.remote("q = P(5)")
    assert type(names["q"]) is names["P"]


def test_a_lambda_and_a_partial_come_back(notebook):
    """Both call what the notebook has."""
    notebook.remote("import functools\nf = lambda x: x + k\ng = functools.partial(f, 1)\nk = 10")
    assert notebook.ok("f(1), g()").value == (11, 11)
    assert notebook.ok("k = 20\ng()").value == 21


def test_a_decorated_and_cached_function_comes_back(notebook):
    """functools.lru_cache works on, with an empty cache."""
    notebook.remote("import functools\n@functools.lru_cache\ndef f(x):\n    return x * 2\nf(2)")
    assert notebook.ok("f(4), f.cache_info().hits").value == (8, 0)


def test_a_dataclass_and_an_enum_made_on_lambda(notebook):
    """Both work as if they had been defined here."""
    notebook.remote("""
        import dataclasses, enum
        @dataclasses.dataclass
        class P:
            x: int
        class E(enum.Enum):
            A = 1
        p, e = P(1), E.A
    """)
    assert notebook.ok("p == P(1), e is E.A, dataclasses.asdict(p), repr(p)").value == (True, True, {"x": 1}, "P(x=1)")
