"""The user's own modules: found without importing anything, shipped as files."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdamagic.capture import CapturePlan, OwnModule, plan_callable, plan_cell
from lambdamagic.errors import CaptureError
from tests.capture.cells import notebook


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], Path]]:
    """Writes files into a folder on sys.path; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        importlib.invalidate_caches()
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def shipped(plan: CapturePlan) -> dict[str, list[str]]:
    return {module.name: [name for name, _ in module.files] for module in plan.own_modules}


def test_an_imported_module_of_the_project(project: Callable[[dict[str, str]], Path]) -> None:
    """import helpers in the cell ships helpers.py; it is not imported here."""
    root = project({"own_a.py": "raise SystemExit"})
    plan = plan_cell("import own_a", notebook())
    assert plan.own_modules == (OwnModule("own_a", (("own_a.py", root / "own_a.py"),), "imported by the cell"),)
    assert "own_a" not in sys.modules


def test_captured_module_function_class_and_instance(project: Callable[[dict[str, str]], Path]) -> None:
    """Whatever goes by reference to a module needs the module."""
    project({"own_b.py": "k = 1\ndef f(): return k\nclass K: pass\ndef make(n): return lambda: n"})
    namespace = notebook(
        "import own_b\nfrom own_b import f, K, make\no = K(); deep = [{'a': K()}]; made = make(1); k = 2"
    )
    for cell in ("own_b.f()", "f()", "K", "o", "deep", "made()"):
        plan = plan_cell(cell, namespace)
        assert shipped(plan) == {"own_b": ["own_b.py"]}, cell
        assert "k" not in plan.captured


def test_imports_are_followed(project: Callable[[dict[str, str]], Path]) -> None:
    """Also those in functions, in conditions and of packages."""
    project(
        {
            "own_c.py": "import json, own_d\ndef f():\n    from own_e.sub import x\n",
            "own_d.py": "try:\n    import own_c\nexcept ImportError: import no_such_thing\n",
            "own_e/__init__.py": "",
            "own_e/sub.py": "from . import other\nfrom .. import wrong\nx = 1\n",
            "own_e/other.py": "",
        }
    )
    plan = plan_cell("def g():\n    import own_c", notebook())
    assert shipped(plan) == {
        "own_c": ["own_c.py"],
        "own_d": ["own_d.py"],
        "own_e": ["own_e/__init__.py", "own_e/other.py", "own_e/sub.py"],
    }
    assert [module.reason for module in plan.own_modules][1:] == ["imported by own_c", "imported by own_c"]


def test_files_of_a_package_that_are_not_needed_bring_nothing_along(project: Callable[[dict[str, str]], Path]) -> None:
    """The package's tests import a module that no other file needs; a loaded one is needed."""
    files = {
        "own_p/__init__.py": "",
        "own_p/core.py": "from . import near\n",
        "own_p/near.py": "def f():\n    import own_q\n",
        "own_p/tests/test_core.py": "import own_r\n",
        "own_q.py": "",
        "own_r.py": "",
    }
    project(files)
    assert set(shipped(plan_cell("from own_p import core", notebook()))) == {"own_p", "own_q"}
    assert set(shipped(plan_cell("import own_p.near", notebook()))) == {"own_p", "own_q"}
    assert set(shipped(plan_cell("import own_p", notebook()))) == {"own_p"}
    assert set(shipped(plan_cell("import own_p", notebook("import own_p.tests.test_core")))) == {"own_p", "own_r"}


def test_all_is_followed_in_a_package_that_may_import_by_other_means(
    project: Callable[[dict[str, str]], Path],
) -> None:
    """A plug-in that is imported by its name as a text."""
    project(
        {
            "own_s/__init__.py": "import importlib\ndef load(name): return importlib.import_module('own_s.' + name)",
            "own_s/plug.py": "import own_t",
            "own_t.py": "",
        }
    )
    assert set(shipped(plan_cell("import own_s\nown_s.load('plug')", notebook()))) == {"own_s", "own_t"}


def test_a_package_ships_its_sources_and_small_data(project: Callable[[dict[str, str]], Path]) -> None:
    """Not caches, hidden folders, notebooks or large files."""
    root = project(
        {
            "own_f/__init__.py": "",
            "own_f/sub/deep.py": "",
            "own_f/words.txt": "some",
            "own_f/__pycache__/x.cpython-311.pyc": "",
            "own_f/.git/config": "",
            "own_f/.env": "SECRET=1",
            "own_f/node_modules/a.js": "",
            "own_f/try.ipynb": "{}",
            "own_f/large.bin": "x" * (1024 * 1024 + 1),
        }
    )
    plan = plan_cell("import own_f.sub.deep", notebook())
    assert shipped(plan) == {"own_f": ["own_f/__init__.py", "own_f/sub/deep.py", "own_f/words.txt"]}
    assert plan.own_modules[0].files[0][1] == root / "own_f/__init__.py"


def test_a_namespace_package(project: Callable[[dict[str, str]], Path]) -> None:
    """A folder without __init__.py is a package too, loaded or not."""
    project({"own_g/part.py": "x = 1"})
    assert shipped(plan_cell("import own_g.part", notebook())) == {"own_g": ["own_g/part.py"]}
    namespace = notebook("import own_g.part")
    assert shipped(plan_cell("own_g.part.x", namespace)) == {"own_g": ["own_g/part.py"]}


def test_a_module_next_to_the_notebook(tmp_path: Path) -> None:
    """cell_dir is looked into, though it is not on sys.path."""
    (tmp_path / "own_h.py").write_text("")
    assert shipped(plan_cell("import own_h", notebook(), cell_dir=tmp_path)) == {"own_h": ["own_h.py"]}
    assert shipped(plan_cell("import own_h", notebook())) == {}


def test_installed_and_standard_modules_stay() -> None:
    """They exist remotely, or are reported as missing: they go by reference."""
    cell = "import json, sys, _thread, pytest, lambdamagic.capture, __main__\nimport importlib.metadata"
    assert shipped(plan_cell(cell, notebook())) == {}


def test_installed_in_a_folder_of_packages(project: Callable[[dict[str, str]], Path]) -> None:
    """site-packages below the project is not the project."""
    root = project({"env/lib/site-packages/own_i.py": ""})
    sys.path.insert(0, str(root / "env/lib/site-packages"))
    try:
        assert shipped(plan_cell("import own_i", notebook())) == {}
    finally:
        sys.path.pop(0)


def test_modules_reached_by_captured_functions(project: Callable[[dict[str, str]], Path]) -> None:
    """A helper of the notebook that imports, or whose annotations name a class."""
    project({"own_j.py": "class T: pass", "own_k.py": ""})
    namespace = notebook("from own_j import T\ndef f(a: T):\n    import own_k\ndel T")
    assert set(shipped(plan_cell("f(1)", namespace))) == {"own_j", "own_k"}
    plan = plan_callable(namespace["f"], namespace)
    assert {module.name for module in plan.own_modules} == {"own_j", "own_k"}


def test_too_large_a_package(project: Callable[[dict[str, str]], Path]) -> None:
    """It is refused by name."""
    project({"own_l/__init__.py": "", **{f"own_l/{n}.txt": "x" * 1024 * 1000 for n in range(21)}})
    with pytest.raises(CaptureError, match=r"'own_l' .*too large.*\n  -> Install 'own_l'"):
        plan_cell("import own_l", notebook())


def test_a_module_with_a_syntax_error_is_shipped_as_it_is(project: Callable[[dict[str, str]], Path]) -> None:
    """It fails where it is imported, as it would here."""
    project({"own_m.py": "def (:"})
    assert shipped(plan_cell("import own_m", notebook())) == {"own_m": ["own_m.py"]}


def test_a_changed_module_is_read_again(project: Callable[[dict[str, str]], Path]) -> None:
    """The cache of imports is by the file's time and size."""
    project({"own_n.py": "", "own_o.py": ""})
    assert set(shipped(plan_cell("import own_n", notebook()))) == {"own_n"}
    project({"own_n.py": "import own_o"})
    assert set(shipped(plan_cell("import own_n", notebook()))) == {"own_n", "own_o"}


def test_an_excluded_module_is_not_shipped(project: Callable[[dict[str, str]], Path]) -> None:
    """--exclude holds for modules too."""
    project({"own_p.py": "import own_q", "own_q.py": ""})
    assert set(shipped(plan_cell("import own_p", notebook(), exclude=["own_q"]))) == {"own_p"}
