"""An electron in the function: here, where there is no Covalent. The pickles are those that Covalent's client makes."""

from __future__ import annotations

import importlib.util
import pickle
import platform
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from lambdamagic.codec.failures import kinds_of
from lambdamagic.errors import VersionMismatchError
from lambdamagic.worker.electron import ElectronCall, ElectronFailedError, SentElectron, Step


def _call(fn: Any, *args: Any, **more: Any) -> Any:
    sent = SentElectron(
        platform.python_version(), cloudpickle.dumps(fn), tuple(cloudpickle.dumps(each) for each in args), **more
    )
    return ElectronCall("name", "dispatch", 7)(sent)


def test_covalent_is_not_here() -> None:
    """What these tests show, they show without it."""
    assert importlib.util.find_spec("covalent") is None


def test_what_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The value as Covalent keeps one, what was printed, and a line in the log that names dispatch and node."""

    def speak(word: str) -> str:
        print("out")
        print("err", file=sys.stderr)
        return word.upper()

    found = _call(speak, "hello")
    assert (pickle.loads(found.pickled), found.shown, found.stdout, found.stderr) == (
        "HELLO",
        "HELLO",
        "out\n",
        "err\n",
    )
    assert found.header["py_version"] == platform.python_version()
    assert capsys.readouterr().out.splitlines()[0] == "COVALENT dispatch=dispatch node=7"
    assert ElectronCall("name", "dispatch", 7).__qualname__ == "name (covalent dispatch:7)"


def test_what_it_raises() -> None:
    """Comes as text, so that no object of the user is unpickled, under its types' names, which `retry_on` goes by."""

    class OwnError(KeyError):
        pass

    def fail() -> None:
        print("before")
        raise OwnError("gone")

    with pytest.raises(ElectronFailedError) as raised:
        _call(fail)
    error = raised.value
    assert (str(error), error.stdout) == ("'gone'", "before\n")
    assert error.traceback_text.splitlines()[0] == "Traceback (most recent call last):"
    assert error.traceback_text.splitlines()[-1].endswith("OwnError: 'gone'")
    assert "electron.py" not in error.traceback_text
    assert {"builtins.KeyError", "builtins.LookupError"} < {*kinds_of(type(error))}
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (ElectronFailedError, error.args)


@pytest.mark.parametrize("ending", [SystemExit(3), ValueError("x")], ids=repr)
def test_whatever_ends_it_is_its_failure(ending: BaseException) -> None:
    """`sys.exit` too."""

    def fail() -> None:
        raise ending

    with pytest.raises(ElectronFailedError, match=str(ending)):
        _call(fail)


def test_a_value_that_cannot_come_back() -> None:
    """Is the electron's failure, and says why."""
    with pytest.raises(ElectronFailedError, match="generator"):
        _call(lambda: (n for n in range(3)))


def test_steps_before_and_after(tmp_path: Path) -> None:
    """Calls, commands and files, in order; a keyword that several give is a list, and files always are."""

    def step(fn: Any, *args: Any, keyword: str = "") -> Step:
        return Step("call", cloudpickle.dumps(fn), cloudpickle.dumps([*args]), cloudpickle.dumps({}), keyword)

    there, given = tmp_path / "deep" / "in", tmp_path / "out"
    before = (
        Step("write", path=str(there), content=b"content"),
        step(lambda: 1, keyword="one"),
        step(lambda: 2, keyword="many"),
        step(lambda: 3, keyword="many"),
        step(lambda: ("a", "b"), keyword="files"),
        Step("shell", commands=(f"cat {there}", "echo why >&2")),
        Step("copy", source=str(there), path=str(tmp_path / "copy")),
    )
    after = (step(lambda: given.write_text("given")), Step("read", source=str(given), path="/elsewhere"))
    found = _call(lambda **kwargs: kwargs, before=before, after=after)
    assert pickle.loads(found.pickled) == {"one": 1, "many": [2, 3], "files": [("a", "b")]}
    assert (found.stdout, found.stderr, found.files) == ("content", "why\n", {"/elsewhere": b"given"})
    assert (tmp_path / "copy").read_text() == "content"


def test_a_command_that_fails() -> None:
    """What it wrote is kept, and nothing runs after it."""
    with pytest.raises(ElectronFailedError, match="exit status 4") as raised:
        _call(lambda: print("never"), before=(Step("shell", commands=("echo why; exit 4",)),))
    assert raised.value.stdout == "why\n"


def test_a_coroutine_function() -> None:
    """Is awaited; Covalent's own executors return the coroutine."""

    async def answer() -> int:
        return 42

    assert pickle.loads(_call(answer).pickled) == 42


def test_another_electron(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is called as a function, as outside of a lattice; its pickle names Covalent, which is not here."""
    names = ("covalent", "covalent._workflow", "covalent._workflow.electron")
    modules = {name: types.ModuleType(name) for name in names}
    exec(
        "class Electron:\n    def __init__(self, function): self.function = function\n",
        modules["covalent._workflow.electron"].__dict__,
    )
    with monkeypatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        helper = modules["covalent._workflow.electron"].Electron(abs)
        pickled = cloudpickle.dumps(lambda n: helper(n) + 1)
    sent = SentElectron(platform.python_version(), pickled, (pickle.dumps(-2),))
    assert pickle.loads(ElectronCall("name", "", -1)(sent).pickled) == 3


def test_a_module_that_is_missing() -> None:
    """The failure names it, and what to do."""
    sent = SentElectron(platform.python_version(), b"cno_such_module\nname\n.")
    with pytest.raises(ElectronFailedError) as raised:
        ElectronCall("name", "", -1)(sent)
    assert "The function lacks the module 'no_such_module'" in raised.value.traceback_text


def test_another_python() -> None:
    """Its bytes are not read."""
    with pytest.raises(VersionMismatchError, match=r"pickled by Python 3\.8\.1"):
        ElectronCall("name", "", -1)(SentElectron("3.8.1", b"not a pickle"))
