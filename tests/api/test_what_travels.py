"""What is sent with an argument: code of the program, wherever it is held and however the program was started.

Each program runs once with the standard library's pools, which are forked, and then with ours.
"""

from __future__ import annotations

import shutil
import zipapp
from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def folder(tmp_path):
    """A copy of the programs."""
    return shutil.copytree(_PROGRAMS, tmp_path / "program_of_ours", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def expected(results):
    """What the standard library's pools give."""
    return results("travel.py", "control", cwd=_PROGRAMS)


@pytest.mark.parametrize("how", ["ours", "spawn", "forkserver"])
def test_code_that_an_instance_of_a_library_holds(results, folder, expected, how):
    """It comes with all that it reads, from the program itself and from processes that multiprocessing starts."""
    assert results("travel.py", how, cwd=folder) == expected


@pytest.mark.parametrize("program", ["holders.py", "library_holders.py"])
def test_values_of_many_classes_that_hold_code(results, program):
    """Containers, dataclasses, enums, descriptors, arrays, estimators: each brings what it holds."""
    on_lambda, here = results("-W", "ignore", program, cwd=_PROGRAMS)
    assert on_lambda == here


def test_items_that_come_late(results, folder):
    """The 1,401st of 1,500 items and the 11,001st of an iterator bring what they hold."""
    assert results("travel.py", "long-ours", cwd=folder) == results("travel.py", "long-control", cwd=folder)


def test_a_zipapp(results, folder, expected, tmp_path):
    """Modules are read out of the zip file that the program is."""
    zipapp.create_archive(folder, tmp_path / "program.pyz", main="travel:main")
    shutil.copy(folder / "travel.py", folder / "__main__.py")
    zipapp.create_archive(folder, tmp_path / "program_as_main.pyz")
    assert results(tmp_path / "program_as_main.pyz", "ours", cwd=tmp_path) == expected
    assert results(tmp_path / "program.pyz", "ours", cwd=tmp_path).keys() == expected.keys()


def test_a_module_of_a_package(results, folder, expected):
    """`python -m` gives the program a package, of which its functions import by relative names."""
    assert results("-m", "program_of_ours.travel", "ours", cwd=folder.parent) == expected


def test_files_that_are_deleted_meanwhile(results, folder, expected):
    """The code that the program has loaded is sent."""
    assert results("travel.py", "ours", folder / "travel.py", folder / "helper_of_ours.py", cwd=folder) == expected


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_a_test_of_pytest(run, tmp_path, mode):
    """A test's own functions, classes and what it imports from next to it come along."""
    (tmp_path / "helper_of_a_test.py").write_text("SCALE = 10\ndef scaled(x):\n    return SCALE * x\n")
    (tmp_path / "conftest.py").write_text(
        "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
    )
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_it.py").write_text(_A_TEST)
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--import-mode={mode}", tmp_path, cwd=tmp_path)


_A_TEST = """
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import helper_of_a_test
from lambdamagic import LambdaExecutor, LambdaPool

OFFSET = 1

def shifted(x):
    return helper_of_a_test.scaled(x) + OFFSET

class Shift:
    def __call__(self, x):
        return shifted(x)

def held(holder):
    assert callable(holder.held)
    return holder.held(1)

def made_here():
    class Asserting:
        def __call__(self, x):
            assert x < OFFSET + 1, f"{x} is large"
            return x
    return Asserting()

def test_it():
    local = 3
    asserting = made_here()
    functions = [shifted, Shift(), lambda x: shifted(x) + local, helper_of_a_test.scaled]
    functions.append(asserting)
    items = [SimpleNamespace(held=each) for each in functions]
    with LambdaExecutor(1) as ours, LambdaPool(1) as pool:
        assert list(ours.map(held, items)) == pool.map(held, items) == [held(each) for each in items]
        assert ours.submit(held, items[2]).result() == 14
        raised = ours.submit(asserting, 7).exception()
        assert type(raised) is AssertionError and "7 is large" in str(raised)
"""
