"""Which of the user's own modules are sent as they are in the notebook."""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.capture import CallablePlan, plan_cell
from lambdamagic.jobs.loaded_modules import edited, loaded, note

_LONG_AGO_S = 1_000_000_000


class Folder:
    """A folder of the user's with a package and a module."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "pack_lm").mkdir()
        for name, text in (
            ("pack_lm/__init__.py", "from pack_lm import inner\nstate = 1\n"),
            ("pack_lm/inner.py", "state = 2\n"),
            ("alone_lm.py", "state = 3\n"),
        ):
            self.write(name, text)

    def write(self, name: str, text: str, *, at: int = _LONG_AGO_S) -> None:
        (self.path / name).write_text(text)
        os.utime(self.path / name, (at, at))

    def plan(self) -> CallablePlan:
        names = {name: sys.modules.get(name) or importlib.import_module(name) for name in ("pack_lm", "alone_lm")}
        return plan_cell("(pack_lm, alone_lm)", names, cell_dir=self.path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield Folder(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pack_lm", "alone_lm")]:
        del sys.modules[name]


def test_modules_are_as_loaded_until_their_files_are_edited(folder: Folder) -> None:
    """With their submodules; what was edited says when, whether by its size or by its time."""
    plan = folder.plan()
    assert sorted(loaded(plan)) == ["alone_lm", "pack_lm", "pack_lm.inner"]
    assert loaded(plan)["alone_lm"] is sys.modules["alone_lm"]
    assert edited(plan) == {}
    folder.write("alone_lm.py", "state = 3 + 1\n")
    folder.write("pack_lm/inner.py", "state = 4\n", at=_LONG_AGO_S + 5)
    assert sorted(loaded(plan)) == ["pack_lm"]
    assert edited(plan) == {
        "alone_lm": _LONG_AGO_S * 10**9,
        "pack_lm.inner": (_LONG_AGO_S + 5) * 10**9,
    }
    folder.write("alone_lm.py", "state = 3\n")
    assert sorted(loaded(plan)) == ["alone_lm", "pack_lm"]
    folder.write("alone_lm.py", "state = 33\n")
    assert sorted(loaded(plan)) == ["pack_lm"]


def test_a_file_that_is_gone_is_neither(folder: Folder) -> None:
    """There is nothing that it could be compared with."""
    plan = folder.plan()
    (folder.path / "alone_lm.py").unlink()
    assert sorted(loaded(plan)) == ["pack_lm", "pack_lm.inner"]
    assert edited(plan) == {}


def test_an_edit_before_the_first_look_is_noticed_by_what_python_compiled(folder: Folder) -> None:
    """Where it compiled it; a module that was imported again is compared with that import."""
    importlib.import_module("alone_lm")
    folder.write("alone_lm.py", "state = 3 + 1\n", at=_LONG_AGO_S + 9)
    assert sorted(edited(folder.plan())) == ["alone_lm"]
    del sys.modules["alone_lm"]
    importlib.invalidate_caches()
    assert edited(folder.plan()) == {}
    assert "alone_lm" in loaded(folder.plan())


def test_without_what_python_compiled_the_first_look_counts(folder: Folder) -> None:
    """Or where it did not compile by the time of the source; an import is looked at in time."""
    for written in (b"", b"x" * 15, b"abcd\x01\0\0\0" + b"\0" * 8, None):
        module = importlib.import_module("alone_lm")
        cached = Path(module.__cached__)
        cached.unlink() if written is None else cached.write_bytes(written)
        note(["no module", "alone_lm"])
        if written is not None and len(written) == 16:
            assert "alone_lm" in loaded(folder.plan())
        folder.write("alone_lm.py", "state = 3  # edited\n", at=_LONG_AGO_S + 9)
        assert sorted(edited(folder.plan())) == ["alone_lm"]
        folder.write("alone_lm.py", "state = 3\n")
        cached.unlink(missing_ok=True)
        del sys.modules["alone_lm"]


def test_what_is_no_plain_module_or_from_elsewhere_is_left_out(folder: Folder, tmp_path: Path) -> None:
    """Its state is another's; a plan without modules of the user's has none."""

    class Other(types.ModuleType):
        pass

    plan = folder.plan()
    odd, elsewhere = Other("pack_lm.odd"), types.ModuleType("pack_lm.elsewhere")
    odd.__file__, elsewhere.__file__ = str(tmp_path / "pack_lm" / "inner.py"), "/elsewhere.py"
    sys.modules["pack_lm.odd"], sys.modules["pack_lm.elsewhere"] = odd, elsewhere
    sys.modules["pack_lm.no_file"] = types.ModuleType("pack_lm.no_file")
    assert sorted(loaded(plan)) == ["alone_lm", "pack_lm", "pack_lm.inner"]
    assert edited(plan) == {}
    assert loaded(plan_cell("1", {})) == edited(plan_cell("1", {})) == {}
