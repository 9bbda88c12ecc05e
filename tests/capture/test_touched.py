"""Which cells have to wait for a name."""

from __future__ import annotations

import ast

import pytest

from lambdamagic.capture import touched_names


def _touched(source, namespace=None, names=("x",)):
    found = touched_names(ast.parse(source), names, namespace or {}, transform=lambda text: text)
    return sorted(found.read), sorted(found.rebound)


@pytest.mark.parametrize(
    ("source", "read", "rebound"),
    [
        ("print(x)", ["x"], []),
        ("y = 1", [], []),
        ("x = 1", [], ["x"]),
        ("x = 1\nprint(x)", [], ["x"]),
        ("x += 1", ["x"], []),
        ("if y:\n    x = 1", [], []),
        ("if y:\n    x = 1\nprint(x)", ["x"], []),
        ("del x", ["x"], []),
        ("def g():\n    return x", [], []),
        ("def g():\n    return x\ng()", ["x"], []),
        ("[x for x in range(3)]", [], []),
        ("for x in range(3):\n    pass", [], []),
        ("with open('f') as x:\n    pass", [], ["x"]),
        ("await x", ["x"], []),
        ("y = [i for i in x]", ["x"], []),
        ("class C:\n    x = 1", [], []),
        ("import x", [], ["x"]),
        ("globals()['x']", ["x"], []),
        ("exec('print(x)')", ["x"], []),
        ("print('x')", [], []),
        ("get_ipython().system('echo {x}')", ["x"], []),
        ("get_ipython().run_line_magic('pinfo', 'x')", ["x"], []),
        ("get_ipython().run_cell_magic('time', '', 'x + 1')", ["x"], []),
        ("get_ipython().run_cell_magic('lambda', '--bg', 'x + 1')", [], []),
    ],
)
def test_what_a_cell_does_to_a_name(source, read, rebound):
    """Only cells that can see the old value wait, and only certain assignments count as such."""
    assert _touched(source) == (read, rebound)


def test_functions_of_the_notebook_are_followed():
    """A call of a function that reads the name is a read, also through a second function."""
    namespace = {"__name__": "__main__"}
    exec("def inner():\n    return x\ndef outer():\n    return inner()\ndef other():\n    return 1", namespace)
    assert _touched("outer()", namespace) == (["x"], [])
    assert _touched("other()", namespace) == ([], [])


def test_a_name_that_exists_is_asked_about_all_the_same():
    """The present value is not the one to come."""
    assert _touched("print(x)", {"x": 1, "__name__": "__main__"}) == (["x"], [])


def test_code_that_cannot_be_compiled_is_left_to_fail_by_itself():
    """`return` outside of a function is Python's to refuse."""
    assert _touched("return x") == ([], [])


def test_a_star_import_that_cannot_be_resolved_is_left_to_fail_by_itself():
    """The cell runs here, where the import says what is wrong; its other reads are still reported."""
    assert _touched("from no_such_module_here import *\nx") == (["x"], [])
