"""Import statements, modules used by attribute, star imports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.capture.cells import check


def test_imports_bind_names_and_are_reported() -> None:
    """All forms of import in the cell."""
    cell = "import json, xml.dom as d, os.path\nfrom collections import abc, deque as q\nimport math as m"
    plan = check(cell, bound="json d os abc q m")
    assert plan.imports == {"json", "xml.dom", "os.path", "collections", "collections.abc", "math"}


def test_a_conditional_import_may_leave_the_old_module() -> None:
    """try: import a except: import b."""
    cell = "try:\n    import ujson as j\nexcept ImportError:\n    import json as j\nj.dumps"
    plan = check(cell, given="import json as j", bound="j")
    assert plan.imports == {"ujson", "json"}
    check("if y:\n    import json as j\nj", given="import json as j; y = 1", captured="j y", bound="j")


def test_imports_in_functions_are_reported_and_bind_nothing() -> None:
    """A function's import is local, unless it says global."""
    plan = check("def f():\n    import json\n    return json.dumps(1)\nf()", bound="f")
    assert plan.imports == {"json"}
    check("def f():\n    global json\n    import json\nf()", bound="f json")


def test_imports_of_captured_functions_are_reported() -> None:
    """The function must have what a helper imports."""
    plan = check("f()", given="def f():\n    from xml.dom import minidom\n    return minidom", captured="f")
    assert plan.imports >= {"xml.dom"}


def test_captured_modules_are_reported_by_their_own_name() -> None:
    """np is numpy."""
    plan = check("j.dumps(1)", given="import json as j", captured="j")
    assert plan.imports == {"json"}


def test_library_functions_and_classes_need_their_module() -> None:
    """from m import f: f goes by reference to m."""
    given = "from json import dumps\nfrom fractions import Fraction\nfrom math import sin"
    plan = check("dumps, Fraction, sin", given=given, captured="dumps Fraction sin")
    assert plan.imports == {"json", "fractions", "math"}


def test_submodules_by_attribute() -> None:
    """xml.etree.ElementTree works here because another module imported it: it is imported remotely too."""
    given = "import xml, xml.etree.ElementTree, xml.dom"
    plan = check("xml.etree.ElementTree.fromstring('<a/>')", given=given, captured="xml")
    assert plan.submodules == {"xml.etree", "xml.etree.ElementTree"}
    plan = check("X.etree.ElementTree", given="import xml as X, xml.etree.ElementTree", captured="X")
    assert plan.submodules == {"xml.etree", "xml.etree.ElementTree"}


def test_submodules_by_attribute_in_functions_and_after_an_import_in_the_cell() -> None:
    """Captured functions and the cell's own imports count too."""
    given = "import xml, xml.etree.ElementTree\ndef f(): return xml.etree.ElementTree.XML"
    plan = check("f()", given=given, captured="f xml")
    assert plan.submodules == {"xml.etree", "xml.etree.ElementTree"}
    plan = check("import xml\nxml.etree.ElementTree.XML", given="import xml.etree.ElementTree", bound="xml")
    assert plan.submodules == {"xml.etree", "xml.etree.ElementTree"}
    plan = check("def g():\n    import xml as x\n    return x.etree\ng()", given="import xml.etree", bound="g")
    assert plan.submodules == {"xml.etree"}


def test_attributes_that_are_no_submodules() -> None:
    """json.decoder is one, json.dumps is none, and a module's own import of another is none."""
    plan = check("json.dumps(json.decoder), json.codecs", given="import json", captured="json")
    assert plan.submodules == {"json.decoder"}


def test_star_import_of_a_loaded_module() -> None:
    """Its names count as bound: a stale `sqrt` is not shipped."""
    import math

    names = " ".join(name for name in vars(math) if not name.startswith("_"))
    plan = check("from math import *\nsqrt(x)", given="sqrt = 1; x = 4", captured="x", bound=names)
    assert plan.imports == {"math"}


def test_star_import_respects_all() -> None:
    """Only the names in __all__ are bound."""
    import json

    check("from json import *\nJSONEncoder", bound=" ".join(json.__all__))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path with modules that must not be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    assert not {name for name in set(sys.modules) - before if name.startswith("star_")}, "capture imported a module"


def test_star_import_of_a_module_that_is_not_loaded(project: Path) -> None:
    """Its source is read, not run."""
    (project / "star_own.py").write_text(
        "raise SystemExit\nimport os, xml.dom as dom\nfrom json import dumps as d\n_hidden = 1\na = b, (c, *e) = 1\n"
        "n: int = 1\nbare: int\ndef f(): inner = 1\nclass K: attr = 1\nif a:\n    maybe = 1\n"
        "for i in ():\n    j = (w := 1)\nwith a as fh: pass\ngone = 1\ndel gone\n"
    )
    plan = check(
        "from star_own import *\nprint(f, maybe)",
        given="f = maybe = gone = bare = 1",
        captured="maybe",
        bound="os dom d a b c e n f K maybe i j w fh",
    )
    assert [module.name for module in plan.own_modules] == ["star_own"]


def test_star_import_reads_all_and_other_stars(project: Path) -> None:
    """__all__ in the source, += to it, and star imports within."""
    (project / "star_pkg").mkdir()
    (project / "star_pkg/__init__.py").write_text("from .core import *\nfrom .loop import *\ntop = 1\n")
    (project / "star_pkg/core.py").write_text("__all__ = ['one']\n__all__ += ('two',)\none = two = three = 1\n")
    (project / "star_pkg/loop.py").write_text("from . import *\nlooped = 1\n")
    check("from star_pkg import *", bound="one two top looped")
    check("from star_pkg.core import *", bound="one two")


@pytest.mark.parametrize(
    "source", ["__all__ = [n for n in dir()]\n", "from star_missing import *\n", "def (:\n", "from _star_c import *\n"]
)
def test_star_import_that_cannot_be_resolved(project: Path, source: str) -> None:
    """It runs all the same: what is read after it comes along if the notebook has it."""
    (project / "star_odd.py").write_text(source)
    check("x = 1\nfrom star_odd import *\nprint(y, z)", given="y = 1", captured="y", bound="x")


def test_star_import_of_nothing() -> None:
    """A module that does not exist, and a relative one."""
    check("from no_such_module_anywhere import *")
    check("from . import *")


def test_a_star_import_makes_nothing_unresolved() -> None:
    """What it binds may be more than is known."""
    check("from json import *\nwhatever", bound="dump dumps load loads JSONDecoder JSONDecodeError JSONEncoder")


def test_a_lazy_module_is_not_loaded() -> None:
    """Looking at a module does not run it."""
    import importlib.util

    sys.modules.pop("this", None)
    spec = importlib.util.find_spec("this")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    lazy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lazy)
    try:
        check("lazy.s", given={"lazy": lazy}, captured="lazy")
        assert "s" not in object.__getattribute__(lazy, "__dict__")
    finally:
        sys.modules.pop("this", None)
