"""What differs from the kernel, row by row as docs/cells.md says it."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.parametrize(
    ("setup", "body"),
    [
        ("g = (i for i in range(3)); next(g)", "g"),
        ("import threading\ng = threading.Lock(); _ = g.acquire()", "g"),
        ("import socket\ng = socket.socket()", "g"),
        ("import sqlite3\ng = sqlite3.connect(':memory:')", "g"),
        ("from unittest.mock import MagicMock\ng = MagicMock()", "g"),
        ("import ipywidgets\ng = ipywidgets.IntSlider()", "g"),
    ],
)
def test_objects_in_progress_stay_on_lambda(notebook, setup, body):
    """It is named before anything is sent; made there, a placeholder comes back."""
    notebook.ok(setup)
    assert type(notebook.fails(body).error).__name__ == "EncodeError"
    notebook.ok("g.close() if 'close' in dir(type(g)) else None; del g")
    notebook.remote(setup)
    assert type(notebook.names["g"]).__name__ == "Placeholder"


def test_iterators_that_cannot_be_read_stay_here(notebook):
    """What is left of one that the cell makes comes back."""
    notebook.ok("import re\nfound = re.finditer('a', 'aaa')")
    assert type(notebook.fails("list(found)").error).__name__ == "EncodeError"
    notebook.remote("made = re.finditer('a', 'aaa'); next(made)")
    assert notebook.ok("[m.start() for m in made]").value == [1, 2]


def test_a_hash_with_data(notebook):
    """It gives its digest on the other side, and takes no more data there."""
    notebook.ok("import hashlib\nh = hashlib.sha256(b'a')")
    assert notebook.remote("h.hexdigest() == hashlib.sha256(b'a').hexdigest()").value is True
    assert "update it in the cell that makes it" in str(notebook.fails("h.update(b'b')").error)


def test_models_of_sqlalchemy(notebook):
    """Their class is refused by its name; what a cell defines and reads within itself works."""
    models = (
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\nclass Base(DeclarativeBase): pass\n"
        "class Row(Base):\n    __tablename__ = 'r'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    notebook.ok(models)
    assert "Row cannot be sent to Lambda" in str(notebook.fails("Row(id=1).id").error)
    notebook.ok("del Row, Base")
    assert notebook.remote(f"{models}Row(id=1).id").value == 1
    assert type(notebook.names["Row"]).__name__ == "Placeholder"


def test_the_memory_of_a_large_array(notebook):
    """It is that of the payload, and so no `resize` in place; views have the array as their base all the same."""
    notebook.ok("import numpy as np\na = np.arange(100_000)")
    assert notebook.remote("v = a[1:]\nv.base is a, a.flags.owndata").value == (True, False)
    assert notebook.ok("v.base is a").value is True


def test_nan_in_a_list(notebook):
    """It is another object; NaN by its name in a module is the module's."""
    notebook.ok("import math\nfrom math import nan\nxs = [nan]")
    assert notebook.remote("nan in xs, nan is math.nan").value == (False, True)


def test_the_results_of_a_cached_function(notebook):
    """Small and plain ones are remembered; a large one is made again."""
    notebook.ok(
        "import functools\n@functools.cache\ndef f(x): return [x] * 2000 if x == 'c' else x\nf(1)\n"
        "@functools.cache\ndef g(x): return x\ng(1)"
    )
    assert notebook.remote("g(1); g.cache_info().hits").value == 1
    notebook.remote("f('c');")
    assert notebook.ok("f.cache_info().currsize").value == 0


def test_an_installed_module_that_is_changed(notebook):
    """The change stays there."""
    notebook.ok("import json")
    notebook.remote("json.mine = 1\njson.encoder.mine = 2")
    assert notebook.ok("hasattr(json, 'mine')").value is False


def test_a_small_recursion_limit(notebook):
    """It holds in the cell, and the kernel keeps its stack."""
    before = notebook.ok("import sys\nsys.getrecursionlimit()").value
    assert notebook.remote("sys.setrecursionlimit(200)\nsys.getrecursionlimit()").value == 200
    assert notebook.ok("sys.getrecursionlimit()").value == before


def test_ast_node_interactivity(notebook):
    """Only the last expression is shown."""
    notebook.ok("get_ipython().ast_node_interactivity = 'all'")
    try:
        assert notebook.remote("1\n2").value == 2
    finally:
        notebook.ok("get_ipython().ast_node_interactivity = 'last_expr'")


def test_a_handler_that_writes_to_a_file(notebook, tmp_path):
    """It is silent there, and is not lost here."""
    notebook.ok(
        f"import logging\nlog = logging.getLogger('differs')\nh = logging.FileHandler({str(tmp_path / 'x.log')!r})\n"
        "log.addHandler(h)\nlog.propagate = False"
    )
    try:
        assert notebook.remote("log.warning('there')\nlog.setLevel(10)\nlen(log.handlers)").value == 0
        assert notebook.ok("log.warning('here'); log.handlers == [h], log.level").value == (True, 10)
        assert (tmp_path / "x.log").read_text() == "here\n"
    finally:
        notebook.ok("log.removeHandler(h); h.close(); log.setLevel(0); log.propagate = True")


def test_a_return_outside_a_function(notebook):
    """The kernel compiles a cell statement by statement, and runs what is above it."""
    assert isinstance(notebook.fails("above = 1\nreturn above").error, SyntaxError)
    assert "above" not in notebook.names
    notebook.run("above = 1\nreturn above")
    assert notebook.names["above"] == 1


def test_a_frame_that_shares_an_array(notebook):
    """It does so here, and not there."""
    notebook.ok("import numpy as np, pandas as pd\na = np.zeros(2)\ndf = pd.DataFrame({'a': a}, copy=False)")
    look = "np.shares_memory(a, df['a'].to_numpy())"
    assert (notebook.ok(look).value, notebook.remote(look).value) == (True, False)


def test_an_attribute_of_an_installed_class(notebook):
    """It stays here; a set-up cell makes it there."""
    made = "import fractions\nfractions.Fraction.half = lambda self: self / 2\nthird = fractions.Fraction(1, 3)"
    notebook.ok(made)
    try:
        assert isinstance(notebook.fails("third.half()").error, AttributeError)
        notebook.ok(f"%%lambda_setup\n{made}")
        assert notebook.remote("third.half() * 6").value == 1
    finally:
        notebook.ok("%lambda_setup off\ndel fractions.Fraction.half")


def test_a_pool_of_processes(notebook):
    """Its locks need shared memory."""
    error = notebook.fails("import multiprocessing\nmultiprocessing.get_context('fork').Pool(2)").error
    assert isinstance(error, OSError)
    threads = "from multiprocessing.pool import ThreadPool\nThreadPool(2).map(abs, [-1])"
    assert isinstance(notebook.fails(threads).error, OSError)
    threads = "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(2).map(abs, [-1]))"
    assert notebook.remote(threads).value == [1]


def test_attributes_that_getstate_leaves_out(notebook):
    """Those that cannot be sent stay here, and the others go and come back."""
    notebook.ok(
        "class G:\n    def __init__(self): self.a, self.kept = 1, (c for c in 'ab'); next(self.kept)\n"
        "    def __getstate__(self): return {'a': self.a}\ng = G()"
    )
    assert notebook.remote("g.a += 1; g.new = 5\nhasattr(g, 'kept')").value is False
    assert notebook.ok("g.a, g.new, next(g.kept)").value == (2, 5, "b")


@pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="other Pythons do not bound calls in C so")
def test_a_long_linked_list_on_python_3_12(notebook):
    """It is named before anything is sent."""
    notebook.ok("head = None\nclass N: pass\nfor _ in range(3000): n = N(); n.next = head; head = n")
    assert type(notebook.fails("head is None").error).__name__ == "EncodeError"


def test_other_magics(notebook):
    """They are refused with their line, before anything of the cell runs."""
    ran = notebook.fails("print('first')\n%precision 3")
    assert "line 3: %precision cannot run on Lambda" in str(ran.error)
    assert ran.stdout == ""


def test_a_name_that_exists_nowhere(notebook):
    """The lines above it do not run."""
    ran = notebook.fails("print('first')\nnowhere_at_all")
    assert isinstance(ran.error, NameError)
    assert ran.stdout == ""


def test_a_builtin_and_a_variable_of_the_place(notebook):
    """Their changes end with the cell; new names come back."""
    notebook.ok("import os\nhome = os.environ.get('HOME')")
    notebook.remote(
        "import builtins, os\nbuiltins.len = None\nbuiltins.handy_there = 1\nos.environ['HOME'] = '/nowhere'\n"
        "os.environ['PATH'] = ''"
    )
    try:
        assert notebook.ok("len('ab'), handy_there, os.environ.get('HOME') == home").value == (2, 1, True)
    finally:
        notebook.ok("import builtins; del builtins.handy_there")
