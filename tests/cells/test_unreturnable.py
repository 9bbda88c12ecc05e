"""A value that cannot come back does not sink the cell: a placeholder explains itself."""

from __future__ import annotations

import pytest

UNRETURNABLE = {
    "generator": ("def up():\n    yield 1\nv = up(); next(v)", "generator"),
    "open file": ("v = open('/dev/null')", "TextIOWrapper"),
    "lock": ("import threading\nv = threading.Lock(); v.acquire()", "lock"),
    "socket": ("import socket\nv = socket.socket()", "socket"),
    "connection": ("import sqlite3\nv = sqlite3.connect(':memory:')", "Connection"),
    "coroutine": ("import asyncio\nasync def f(): await asyncio.sleep(0)\nv = f(); v.send(None)", "coroutine"),
}


@pytest.mark.parametrize("name", UNRETURNABLE)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_an_unpicklable_value_becomes_a_placeholder(notebook, name):
    """The other names come back, stderr reports it, and using it raises what to do."""
    body, type_name = UNRETURNABLE[name]
    ran = notebook.remote(body + "\nother = 5")
    assert notebook.names["other"] == 5
    assert f"lambdamagic: v ({type_name}) stayed on Lambda: " in ran.stderr
    assert notebook.ok("v").text.startswith(f"<v: {type_name} that stayed on Lambda: ")
    error = notebook.run("next(v)").error
    assert type(error).__name__ == "ResultError"
    assert str(error).startswith(f"v is a {type_name} that could not come back from Lambda")
    assert "-> Bind what you need of it in the same cell" in str(error)


_ENDED = pytest.mark.parametrize(
    "body",
    [
        "with open('/dev/null') as v: pass",
        "v = open('/dev/null'); v.close()",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as v: v.submit(abs, 1)",
        "from concurrent.futures import ThreadPoolExecutor\nv = ThreadPoolExecutor(1); v.submit(abs, 1); v.shutdown()",
        "import threading\nv = threading.Thread(target=abs, args=(1,)); v.start(); v.join()",
    ],
)


@_ENDED
def test_an_ended_object_comes_back(notebook, body):
    """A closed file, an executor that was shut down, a thread that has ended: each as in the kernel."""
    notebook.ok(body)
    kind = notebook.ok("type(v).__name__").value
    assert notebook.remote(body).stderr == ""
    assert notebook.ok("type(v).__name__").value == kind
    assert "has no attribute 'missing'" in str(notebook.run("v.missing").error)


@pytest.mark.parametrize(
    "body",
    [
        "import socket\nwith socket.socket() as v: pass",
        "import sqlite3\nfrom contextlib import closing\nwith closing(sqlite3.connect(':memory:')) as v: pass",
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_ended_object_is_reported_only_when_it_is_used(notebook, body):
    """What a with statement leaves bound and cannot be sent is reported by its use only."""
    ran = notebook.remote(body + "\nother = 5")
    assert notebook.names["other"] == 5 and ran.stderr == ""
    error = notebook.run("v.missing").error
    assert type(error).__name__ == "ResultError" and "could not come back from Lambda" in str(error)


@pytest.mark.parametrize(
    "use",
    [
        "v()",
        "v.read()",
        "len(v)",
        "v[0]",
        "v + 1",
        "list(v)",
        "with v: pass",
        "bool(v)",
        "v.x = 1",
        "5 in v",
        "f'{v:>3}'",
    ],
)
def test_every_use_explains(notebook, use):
    """Whatever is done with a placeholder, the reason is reported."""
    notebook.remote("v = (i for i in range(3)); next(v)")
    error = notebook.run(use).error
    assert type(error).__name__ in ("ResultError", "TypeError")
    if not use.startswith("f'"):
        assert "could not come back from Lambda" in str(error)


def test_a_placeholder_that_is_sent_again_explains(notebook):
    """Reading it in the next `%%lambda` cell names it."""
    notebook.remote("v = (i for i in range(3)); next(v)")
    error = notebook.fails("list(v)").error
    assert "v" in str(error)
    assert "could not come back from Lambda" in str(error)


def test_the_container_of_an_unreturnable_value_is_a_placeholder(notebook):
    """The reason names what is inside."""
    ran = notebook.remote("box = {'lock': __import__('zlib').compressobj()}\nother = 1")
    assert notebook.names["other"] == 1
    assert "lambdamagic: box (dict) stayed on Lambda: cannot pickle 'zlib.Compress' object" in ran.stderr


def test_a_change_that_cannot_come_back_leaves_the_object_as_it_was(notebook):
    """And it is reported; the rest of the cell comes back."""
    notebook.ok("box = {'a': 1}")
    ran = notebook.remote("box['lock'] = __import__('zlib').compressobj()\nother = 2")
    assert notebook.names["other"] == 2
    assert notebook.names["box"] == {"a": 1}
    assert ran.stderr == (
        "lambdamagic: box (dict) was changed on Lambda, and the change stayed there: "
        "cannot pickle 'zlib.Compress' object\n"
    )


def test_an_object_of_a_module_that_the_notebook_lacks(notebook, tmp_path):
    """A module that exists only remotely gives a placeholder and not an error."""
    ran = notebook.remote("""
        import sys, types
        only_there = types.ModuleType('only_there')
        exec('class T:\\n    pass', only_there.__dict__)
        sys.modules['only_there'] = only_there
        only_there.T.__module__ = 'only_there'
        t = only_there.T()
        other = 3
        del sys, types
    """)
    assert ran.error is None
    assert notebook.names["other"] == 3
    assert "only_there" in repr(notebook.names["t"])
    notebook.remote("import sys\nsys.modules.pop('only_there', None);")
