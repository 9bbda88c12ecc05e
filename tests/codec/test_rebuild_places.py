"""Namespaces, modules, streams and the shell are those of the side where a payload is read."""

from __future__ import annotations

import builtins
import importlib
import io
import math
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lambdamagic.codec import rebuild
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_state import Silence
from lambdamagic.codec.rebuild_places import Apart, Nothing, SysStream


@pytest.fixture
def home() -> Iterator[Home]:
    """A home that is being loaded into."""
    found = Home({"a": 1})
    with found.loading():
        yield found


def test_namespaces(home: Home) -> None:
    """The home's, a module's, one that code has made, and builtins."""
    assert rebuild.namespace() is home.namespace
    assert rebuild.main_module() is sys.modules["__main__"]
    assert rebuild.module_globals("math") is vars(math)
    made = rebuild.made_module("made")
    rebuild.set_module(made, {"b": 2})
    assert (made.__name__, made.b, rebuild.globals_of(made) is vars(made)) == ("made", 2, True)
    assert rebuild.empty_scope() == {"__builtins__": vars(builtins)}
    assert rebuild.scope_of_builtins() is vars(builtins)
    assert rebuild.itself(made) is made
    assert rebuild.nothing(5) is Nothing
    assert Apart(5).stream == 5


def test_modules(home: Home) -> None:
    """One that this side lacks has a stand-in, or is an error."""
    assert rebuild.module("os.path") is importlib.import_module("os.path")
    with pytest.raises(ModuleNotFoundError):
        rebuild.module("no_such_module")
    home.missing = lambda *found: found
    called: Any = rebuild.module("no_such_module")
    name, attribute, error = called
    assert (name, attribute, type(error)) == ("no_such_module", "", ModuleNotFoundError)


def test_attributes_of_modules(home: Home) -> None:
    """Those of installed modules are noted in the function: their changes stay there."""
    assert rebuild.attribute("os", "environ") is __import__("os").environ
    assert home.of_modules == []
    home.answers = True
    assert rebuild.own_attribute("math", "pi") is math.pi
    assert home.of_modules == []
    assert rebuild.attribute("math", "pi") is math.pi
    assert home.of_modules == [math.pi]


def test_names_are_lent(home: Home) -> None:
    """Until all is read."""
    assert rebuild.names_first({"a": 2, "b": 3}) is Nothing
    assert home.namespace == {"a": 2, "b": 3}
    home.take_back()
    assert home.namespace == {"a": 1}


def test_streams(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook's own, also while they are silent; in the function, whatever is there when they are used."""
    assert rebuild.stream("stdout") is sys.stdout
    with Silence():
        out = rebuild.stream("stdout")
    assert out is sys.stdout
    home.answers = True
    found = rebuild.stream("__stdout__")
    assert type(found) is SysStream
    for stream in (io.StringIO(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        found.write("x")
        assert stream.getvalue() == "x"
    assert type(pickle.loads(pickle.dumps(found))) is SysStream
    assert found.__reduce__() == (rebuild.stream, ("stdout",))


class _Shell:
    """Has a method."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> _Shell:
    """The shell of a cell that runs."""
    found = _Shell()
    monkeypatch.setattr(builtins, "get_ipython", lambda: found, raising=False)
    return found


def test_the_shell(home: Home, shell: _Shell) -> None:
    """In the function its methods are those of the current shell when they are called."""
    assert rebuild.shell() is shell
    assert rebuild.shell_method("run").__self__ is shell
    home.answers = True
    method = rebuild.shell_method("run")
    assert method(1, k=2) == ((1,), {"k": 2})
    assert method.__reduce__() == (rebuild.shell_method, ("run",))


def test_without_a_shell(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell runs: there is none, and its methods wait for one."""
    monkeypatch.delattr(builtins, "get_ipython", raising=False)
    assert rebuild.shell() is None

    def raises() -> None:
        raise NameError

    monkeypatch.setattr(builtins, "get_ipython", raises, raising=False)
    assert rebuild.shell() is None
    method = rebuild.shell_method("run")
    shell = _Shell()
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell)
    assert method(1) == ((1,), {})


def test_what_ipython_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Displays, lines of commands, measured times."""
    display = pytest.importorskip("IPython.display")
    assert rebuild.display() is display.display
    assert rebuild.lines(["a", "b"]).n == "a\nb"
    assert rebuild.timed(1, 2, 3.0, 4.0, [1.0], 5.0, 6).best == 3.0
    assert rebuild.display_handle("id").display_id == "id"


def test_without_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are a list, and things are shown by whatever `display` is then."""
    for name in ("IPython.display", "IPython.utils.text"):
        monkeypatch.setitem(sys.modules, name, None)
    assert rebuild.lines(["a"]) == ["a"]
    shown: list[Any] = []
    monkeypatch.setattr(
        builtins, "display", lambda *objects, **options: shown.append((objects, options)), raising=False
    )
    rebuild.display()(1, 2, raw=True)
    assert shown == [((1, 2), {"raw": True})]


def test_names_of_the_protocol() -> None:
    """Each is found in the one module that payloads name."""
    assert rebuild.stream.__module__ == rebuild.Nothing.__module__ == rebuild.array.__module__ == rebuild.__name__
    assert rebuild._display.__module__ == rebuild.__name__
