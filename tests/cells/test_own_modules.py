"""Modules of the user's project are sent as source; installed ones are imported remotely."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def fresh_modules(monkeypatch, tmp_path):
    """Modules of one test are not those of the next; the notebook's folder is on the path, as in Jupyter."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("helpers", "mypkg", "lazy", "editable_pkg"):
            del sys.modules[name]


def test_a_module_next_to_the_notebook(notebook, tmp_path):
    """Imported in the notebook or in the cell, it is the user's file."""
    (tmp_path / "helpers.py").write_text("FACTOR = 3\ndef triple(x):\n    return FACTOR * x\n")
    notebook.ok("import helpers\nfrom helpers import triple")
    assert notebook.remote("helpers.triple(2), triple(3)").value == (6, 9)
    assert notebook.remote("import helpers as h\nh.FACTOR").value == 3


def test_a_module_that_only_the_cell_imports(notebook, tmp_path):
    """It need not be loaded in the notebook."""
    (tmp_path / "lazy.py").write_text("VALUE = 'from the file'\n")
    assert notebook.remote("def f():\n    from lazy import VALUE\n    return VALUE\nf()").value == "from the file"
    assert "lazy" not in sys.modules


def test_a_package_with_submodules_and_data(notebook, tmp_path):
    """Relative imports, files next to the source, and modules that it imports in turn."""
    package = tmp_path / "mypkg"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("from .core import load\n")
    (package / "core.py").write_text(
        "import helpers\nfrom pathlib import Path\nfrom .sub import deep\n"
        "def load():\n    return Path(__file__).with_name('data.txt').read_text(), deep.NAME, helpers.X\n"
    )
    (package / "data.txt").write_text("content")
    (package / "sub" / "__init__.py").write_text("")
    (package / "sub" / "deep.py").write_text("NAME = __name__\n")
    (tmp_path / "helpers.py").write_text("X = 1\n")
    notebook.ok("import mypkg")
    assert notebook.remote("mypkg.load()").value == ("content", "mypkg.sub.deep", 1)
    assert notebook.remote("import mypkg.sub.deep as d\nd.NAME").value == "mypkg.sub.deep"


def test_an_edited_module_is_sent_again(notebook, tmp_path):
    """The warm environment does not keep the version before."""
    path = tmp_path / "helpers.py"
    path.write_text("V = 1\n")
    assert notebook.remote("import helpers\nhelpers.V").value == 1
    path.write_text("V = 2222\n")
    assert notebook.remote("import helpers\nhelpers.V").value == 2222


def test_a_module_that_was_edited_after_its_import_is_distinguished(notebook, tmp_path, monkeypatch):
    """Lambda runs the file, the notebook what it imported: the plan says so, and the first cell, until a reload."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    path = tmp_path / "helpers.py"
    path.write_text("V = 1\n")
    notebook.ok("import helpers")
    path.write_text("V = 2222\n")
    note = "helpers was edited after the notebook imported it: Lambda runs the new file, the notebook the old code"
    assert any(note in each for each in notebook.remote("helpers.V", "--plan").value.notes)
    ran = notebook.remote("helpers.V")
    assert (ran.value, notebook.ok("helpers.V").value) == (2222, 1)
    assert ran.stderr.count(note) == 1 and "importlib.reload(helpers)" in ran.stderr
    assert note not in notebook.remote("helpers.V").stderr, "once is enough"
    notebook.ok("import importlib\nimportlib.reload(helpers)")
    assert not any("edited" in each for each in notebook.remote("helpers.V", "--plan").value.notes)


def test_an_editable_install(notebook, tmp_path, monkeypatch):
    """A package that is on the path from elsewhere, as an editable install is, goes by value."""
    source = tmp_path / "elsewhere" / "src"
    (source / "editable_pkg").mkdir(parents=True)
    (source / "editable_pkg" / "__init__.py").write_text("class Thing:\n    x = 5\ndef make():\n    return Thing()\n")
    monkeypatch.syspath_prepend(str(source))
    notebook.ok("import editable_pkg\nfrom editable_pkg import Thing, make\nt = Thing(); t.y = 1")
    assert notebook.remote("t.x + t.y, make().x, type(t) is Thing").value == (6, 5, True)
    notebook.remote("made = make()")
    assert type(notebook.names["made"]) is sys.modules["editable_pkg"].Thing


def test_instances_of_own_modules_change_in_place(notebook, tmp_path):
    """They are the notebook's own objects."""
    (tmp_path / "helpers.py").write_text("class Box:\n    def __init__(self):\n        self.items = []\n")
    notebook.ok("from helpers import Box\nbox = Box()")
    box = notebook.names["box"]
    notebook.remote("box.items.append(1); box.n = 2")
    assert (notebook.names["box"] is box, box.items, box.n) == (True, [1], 2)


def test_exclude_leaves_a_module_out(notebook, tmp_path):
    """The error says which module the function lacks."""
    (tmp_path / "helpers.py").write_text("X = 1\n")
    error = notebook.fails("import helpers", "--exclude helpers").error
    assert type(error) is ModuleNotFoundError
    assert str(error) == "No module named 'helpers'"
