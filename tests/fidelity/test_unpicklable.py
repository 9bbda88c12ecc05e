"""One value that cannot be pickled, or not be made again, costs the cell that value and nothing else."""

from __future__ import annotations

import pytest

#: What binds `bad`, whatever its class raises.
CLASSES = {
    "__reduce__ raises RuntimeError": "class Bad:\n    def __reduce__(self): raise RuntimeError('no')",
    "__reduce__ raises KeyError": "class Bad:\n    def __reduce_ex__(self, p): raise KeyError('no')",
    "__reduce__ raises an exception of the notebook": (
        "class Mine(Exception): pass\nclass Bad:\n    def __reduce__(self): raise Mine('no')"
    ),
    "__reduce__ gives nonsense": "class Bad:\n    def __reduce__(self): return 5",
    "__getstate__ raises": "class Bad:\n    def __getstate__(self): raise OSError('no')",
    "__getattr__ raises": (
        "class Bad:\n    def __getattr__(self, name): raise RuntimeError(name)\n"
        "    def __reduce__(self): return self.missing"
    ),
    "__setstate__ raises": (
        "class Bad:\n    def __getstate__(self): return {'a': 1}\n    def __setstate__(self, s): raise ValueError('no')"
    ),
    "__setstate__ lacks an argument": (
        "class Bad:\n    def __getstate__(self): return {'a': 1}\n    def __setstate__(self): pass"
    ),
    "__new__ needs arguments": (
        "class Bad:\n    def __new__(cls, a=None):\n        if a is None: raise TypeError('a is needed')\n"
        "        return object.__new__(cls)\n    def __init__(self, a=1): pass\n"
        "_new = Bad.__new__"
    ),
    "__reduce__ leads to a function that raises": (
        "def make(): raise ZeroDivisionError('no')\nclass Bad:\n    def __reduce__(self): return make, ()"
    ),
    "an append of the class raises": (
        "class Bad(list):\n    def __reduce__(self): return Bad, (), None, iter([1])\n"
        "    def extend(self, xs): raise RuntimeError('no')\n    append = extend"
    ),
}
MADE = "bad = Bad(1) if '__new__' in vars(Bad) else Bad()"
LIVE = {
    "a thread": "import threading\nbad = threading.Thread()",
    "a socket": "import socket\nbad = socket.socket()",
    "a database": "import sqlite3\nbad = sqlite3.connect(':memory:')",
    "a generator that has begun": "bad = (i for i in range(3)); next(bad)",
    "a frame": "import sys\nbad = sys._getframe()",
    "a hash": "import hashlib\nbad = hashlib.md5()",
    "a process": "import subprocess, sys\nbad = subprocess.Popen([sys.executable, '-c', '']); bad.wait()",
    "an open file for writing": "import tempfile\nbad = tempfile.TemporaryFile('w')",
    "a code that runs": "async def f(): pass\nbad = f()",
    "a thread pool": "from concurrent.futures import ThreadPoolExecutor\nbad = ThreadPoolExecutor(1)",
    "thread-local data": "import threading\nbad = threading.local()",
    "an event loop": "import asyncio\nbad = asyncio.new_event_loop(); bad.close()",
}


@pytest.mark.parametrize("title", [*CLASSES, *LIVE])
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_the_other_names_come_back(notebook, title):
    """What a cell binds next to it is there, and stderr or the placeholder says why the value is not."""
    notebook.ok("known = [1]")
    body = f"{CLASSES[title]}\n{MADE}" if title in CLASSES else LIVE[title]
    ran = notebook.remote(f"before = [1]\n{body}\ninside = [before, {{'bad': bad}}]\nafter = 2\nknown.append(after)")
    names = notebook.names
    assert (names["before"], names["after"], names["known"]) == ([1], 2, [1, 2])
    assert "bad (" in ran.stderr or type(names["bad"]).__name__ != "Placeholder", ran.stderr


@pytest.mark.parametrize("title", CLASSES)
def test_a_captured_value_is_named(notebook, title):
    """The error is an EncodeError with the name, whatever the class raised, and the next cell runs."""
    notebook.ok(f"{CLASSES[title]}\n{MADE}")
    ran = notebook.run("%%lambda\nok = 1\nbad")
    if ran.error is not None:  # some of these are made again by our own rules
        assert type(ran.error).__name__ == "EncodeError", ran.traceback
        assert str(ran.error).startswith("bad cannot be sent to Lambda")
        assert "--exclude bad" in str(ran.error)
    assert notebook.remote("1 + 1").value == 2


@pytest.mark.parametrize("made", ["Lock()", "Value('i', 3)", "Queue()"])
def test_a_captured_lock_of_multiprocessing_is_named(notebook, made):
    """It raises RuntimeError when it is pickled; on Lambda there could be none."""
    notebook.ok(f"import multiprocessing as m\nbad = m.{made}")
    error = notebook.fails("bad").error
    assert type(error).__name__ == "EncodeError" and str(error).startswith("bad cannot be sent to Lambda")
    notebook.ok("del bad")


def test_numpys_finfo_comes_back(notebook):
    """It is made again."""
    ran = notebook.remote("import numpy as np\ninfo = np.finfo(float)\nwhole = np.iinfo('int8')\ninfo.eps")
    assert notebook.ok("info.eps, whole.max").value == (ran.value, 127)


def test_a_widget_stays_on_lambda(notebook):
    """It lives by its connection to a page; the other names come back."""
    notebook.remote("import ipywidgets\nw = ipywidgets.IntSlider()\nother = 3")
    assert notebook.names["other"] == 3


def test_an_exception_that_cannot_be_pickled(notebook):
    """Its message and lines come; so does what was bound before."""
    ran = notebook.fails(
        "class Odd(Exception):\n    def __reduce__(self): raise RuntimeError('no')\nx = 1\nraise Odd('what happened')"
    )
    assert "what happened" in str(ran.error) and notebook.names["x"] == 1


def test_a_part_of_a_container_that_cannot_be_made_here(notebook):
    """The container is there with a placeholder in it."""
    ran = notebook.remote(
        "def refuse(*_): raise ValueError('no')\nclass Bad:\n    def __reduce__(self): return refuse, (Bad,)\n"
        "box = {'good': [1, 2], 'bad': Bad()}"
    )
    assert notebook.names["box"]["good"] == [1, 2]
    assert "stayed on Lambda: ValueError: no" in ran.stderr
    error = notebook.run("box['bad'].a").error
    assert type(error).__name__ == "ResultError" and "ValueError: no" in str(error)
