"""What the cell binds comes back by name; what it deletes is deleted."""

from __future__ import annotations


def test_bound_names_come_back(notebook):
    """Every name that the cell binds is in the notebook, with its value."""
    notebook.remote("a = 1\nb = [a, 'x']\nfor c in range(3):\n    pass\nimport math as m\ndef f(): return a")
    names = notebook.names
    assert (names["a"], names["b"], names["c"]) == (1, [1, "x"], 2)
    assert names["m"] is __import__("math")
    assert names["f"]() == 1


def test_a_rebound_name_is_rebound(notebook):
    """A captured name that the cell binds again has the new value."""
    notebook.ok("x = 1; y = x")
    notebook.remote("x = x + 1")
    assert (notebook.names["x"], notebook.names["y"]) == (2, 1)


def test_deleted_names_are_deleted(notebook):
    """`del x` on Lambda is `del x` in the notebook, also when the value was never needed there."""
    notebook.ok("x, lock, kept = 1, __import__('zlib').compressobj(), 2")
    notebook.remote("del x, lock")
    assert "x" not in notebook.names
    assert "lock" not in notebook.names
    assert notebook.names["kept"] == 2


def test_a_name_deleted_on_one_branch_only_stays(notebook):
    """Only what was really deleted is deleted."""
    notebook.ok("x = 1")
    notebook.remote("if x > 1:\n    del x")
    assert notebook.names["x"] == 1


def test_names_that_were_not_touched_are_left_alone(notebook):
    """An object that the cell only read keeps its identity."""
    notebook.ok("data = {'k': [1]}")
    before = notebook.names["data"]
    assert notebook.remote("data['k'][0]").value == 1
    assert notebook.names["data"] is before


def test_a_stale_value_is_not_shipped(notebook):
    """A name that the cell binds before it reads it is not captured, even if it could not be sent."""
    notebook.ok("x = __import__('zlib').compressobj()")
    assert notebook.remote("x = 5\nx + 1").value == 6
    assert notebook.names["x"] == 5


def test_two_names_for_one_object_stay_two_names_for_one_object(notebook):
    """Among what comes back, and between that and what the notebook has."""
    notebook.ok("a = [1]; holder = {'a': a}")
    a = notebook.names["a"]
    notebook.remote("b = a\nc = [a]\nd = e = [2]\nf = holder['a']")
    names = notebook.names
    assert names["b"] is a
    assert names["c"][0] is a
    assert names["d"] is names["e"]
    assert names["f"] is a


def test_names_of_ipython_stay_here(notebook):
    """`_`, `In` and `Out` are the notebook's own; a cell that uses `_` as a throw-away name does no harm."""
    notebook.ok("5")
    assert notebook.remote("for _ in range(2): pass\nx = 1\nx").value == 1
    assert notebook.names["Out"][notebook.shell.execution_count - 1] == 1
    assert notebook.names["In"][-1].startswith("get_ipython().run_cell_magic('lambda'")


def test_the_last_value_can_be_used_remotely(notebook):
    """`_` and `_n` of the notebook are captured like other names."""
    notebook.ok("41")
    number = notebook.shell.execution_count - 1
    assert notebook.remote("_ + 1").value == 42
    assert notebook.remote(f"_{number} + _").value == 83


def test_a_builtin_can_be_shadowed(notebook):
    """A notebook name that hides a builtin is captured, and one that the cell binds comes back."""
    notebook.ok("def len(x): return -1")
    assert notebook.remote("max = len([1, 2])\nmax").value == -1
    assert notebook.names["max"] == -1


def test_private_and_dunder_names_come_back(notebook):
    """Underscores hide nothing from the notebook."""
    notebook.remote("_x = 1\n__y = 2\n__version__ = '3'")
    names = notebook.names
    assert (names["_x"], names["__y"], names["__version__"]) == (1, 2, "3")
