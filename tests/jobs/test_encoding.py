"""What a plan becomes on its way: which names go in which order, and what is said of one that cannot."""

from __future__ import annotations

import builtins
import io
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.capture import plan_callable, plan_cell
from lambdamagic.codec.each import read_each
from lambdamagic.codec.frames import ALONE_MIN_BYTES
from lambdamagic.codec.home import Home
from lambdamagic.codec.tracking import Deleted
from lambdamagic.errors import EncodeError
from lambdamagic.jobs.encoding import Program, Setup, encode_program


def home_of(**names: Any) -> Home:
    return Home({"__name__": "__main__", "__builtins__": builtins, **names})


def encoded(source: str, home: Home, **more: Any) -> Program:
    return encode_program(home, plan_cell(source, home.namespace, cell_dir=more.pop("cell_dir", None)), **more)


def parts_of(program: Program) -> list[Any]:
    """Return what a reader finds: the header, and pairs of a kind and what it holds."""
    found = list(read_each(program.frames.segments, home_of()))
    assert all(type(each) in (dict, tuple) for each in found), found
    return found


def names_in(program: Program) -> list[str]:
    return [part[1] for part in parts_of(program)[1:] if part[0] == "next"]


def test_a_cell_is_its_code_and_its_names() -> None:
    """Each name is announced before it comes, by the kind of its namespace; a deleted one has a stand-in."""
    home = home_of(a=1, gone=[2], len=len)
    program = encoded("x = a + len([])\nprint(x)\ndel gone\nx", home)
    header, *rest = parts_of(program)
    assert (header["value_name"], header["loop_code"], header["deleted_only"]) == (
        "__lambdamagic_value__",
        None,
        ["gone"],
    )
    assert (header["modules"], header["submodules"], header["loaded"], header["files"]) == ([], [], [], [])
    assert isinstance(header["code"], types.CodeType) and "setup" not in header
    kinds = {name: (kind, held[name]) for kind, held in rest if kind == "names" for name in held}
    assert (kinds["a"], kinds["gone"]) == (("names", 1), ("names", Deleted))
    assert [(each.name, each.type_name, each.reason) for each in program.names if each.name in ("a", "gone")] == [
        ("a", "int", "read on line 1"),
        ("gone", "type", "deleted on line 3"),
    ]
    assert all(each.size_bytes > 0 for each in program.names)
    assert program.values["gone"] is Deleted and program.values["a"] == 1
    assert program.code[1:] == (None, True)
    assert encoded("x = a", home).code[1:] == (None, False)


def test_a_callable_comes_last() -> None:
    """It has neither code nor a value."""
    home = home_of(scale=3)
    exec("def fn(x):\n    return x * scale", home.namespace)
    fn = home.namespace["fn"]
    program = encode_program(home, plan_callable(fn, home.namespace), fn=fn)
    header, *rest = parts_of(program)
    assert (header["code"], header["value_name"], header["settings"]) == (None, None, {})
    assert names_in(program)[-1] == "the callable"
    assert rest[-1][0] == "callable" and callable(rest[-1][1])
    assert program.values["scale"] == 3 and program.code == (None, None, False)


def test_a_loop_has_its_code_and_no_settings_of_a_cell() -> None:
    """They are those of each task's environment."""
    home = home_of(a=1)
    loop = compile("a = 2", "<loop>", "exec")
    program = encoded("import warnings\na", home, loop_code=loop)
    assert parts_of(program)[0]["loop_code"] is not None and parts_of(program)[0]["settings"] == {}
    assert program.code[1] is loop
    assert parts_of(encoded("import warnings\na", home))[0]["settings"] != {}


def test_large_values_come_first_and_small_ones_follow() -> None:
    """So that their bytes are the same whatever the code is; a name that became small is no longer one of them."""
    large = bytes(ALONE_MIN_BYTES)
    home = home_of(a=1, z=large, y=large + b"x", b=[1])
    program = encoded("(a, b, y, z)", home)
    assert names_in(program)[:2] == ["y", "z"]
    assert home.large_names == {"y", "z"}
    assert [each.name for each in program.names] == ["a", "b", "y", "z"]
    home.namespace["z"] = b"small"
    names = names_in(encoded("(a, b, y, z)", home))
    assert names[:2] == ["y", "z"] and home.large_names == {"y"}
    assert names_in(encoded("(a, b, y, z)", home))[0] == "y"
    few = home_of(a=1, b=b"x")
    encoded("(a, b)", few)
    assert few.large_names == set()


def test_a_value_that_cannot_go_is_named_with_the_path_to_what_is_to_blame() -> None:
    """And what to do; the pickler's own frames are left out."""
    live = io.BufferedReader(io.BytesIO(b"x"))
    with pytest.raises(EncodeError) as caught:
        encoded("file", home_of(file=live))
    assert caught.value.message.startswith("file cannot be sent to Lambda: ")
    assert caught.value.__cause__ is None
    with pytest.raises(EncodeError) as caught:
        encoded("held", home_of(held={"deep": [live]}))
    assert caught.value.message.startswith("held cannot be sent to Lambda because of held['deep'][0]: ")
    assert caught.value.hint is not None and "(--exclude held in a cell)" in caught.value.hint


def test_what_is_written_is_shown_by_its_name() -> None:
    """As it grows."""
    heard: list[tuple[str, Any, int]] = []
    value = [bytes([n]) * 4_000 for n in range(100)]
    encoded("a", home_of(a=value), wrote=lambda *shown: heard.append(shown))
    assert {(name, id(shown)) for name, shown, _ in heard if name} == {("a", id(value))}
    sizes = [size for _, _, size in heard]
    assert sizes == sorted(sizes) and sizes[-1] > 200_000


def test_files_and_setup_are_part_of_the_header(tmp_path: Path) -> None:
    """The setup distinguishes programs."""
    (tmp_path / "a.txt").write_bytes(b"content")
    code = compile("pass", "<setup>", "exec")
    program = encoded("1", home_of(), files=[("in/a.txt", tmp_path / "a.txt")], setup=Setup("digest", code))
    header = parts_of(program)[0]
    assert [(name, bytes(content)) for name, content in header["files"]] == [("in/a.txt", b"content")]
    assert header["setup"][0] == "digest" and program.code[-1] == "digest"
    assert "code object" not in repr(Setup("digest", code))


def test_what_the_code_imports_is_known_by_its_top(tmp_path: Path) -> None:
    """For the settings of packages, and the fingerprint of a callable."""
    program = encoded("import os.path\nimport json.decoder as d\na", home_of(a=1))
    assert parts_of(program)[0]["uses"] == ["json", "os"]
    assert {"os.path", "json.decoder"} <= program.imports


def test_own_modules_go_with_what_they_hold_only_if_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise they are imported again; what they hold comes before the names, and is in no program that follows."""
    (tmp_path / "mine_encoded.py").write_text("state = [0]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("mine_encoded")
    monkeypatch.setitem(sys.modules, "mine_encoded", module)
    module.state.append(7)
    home = home_of(mine_encoded=module)
    source = "mine_encoded.state"
    plain = encoded(source, home, cell_dir=tmp_path)
    assert parts_of(plain)[0]["loaded"] == [] and plain.held == {}
    assert [relative for relative, *_ in parts_of(plain)[0]["modules"]] == ["mine_encoded.py"]
    program = encoded(source, home, cell_dir=tmp_path, with_modules=True)
    assert parts_of(program)[0]["loaded"] == ["mine_encoded"]
    assert [0, 7] in program.held.values()
    shown = next(each for each in program.names if each.type_name == "module" and "what it holds" in each.reason)
    assert (shown.name, shown.reason) == ("mine_encoded", "what it holds: state")
    assert program.names[0] is shown
    assert plain.modules_digest == program.modules_digest != encoded("1", home).modules_digest
    primed = encoded(source, home, cell_dir=tmp_path, with_modules=True, primed=[object()])
    assert primed.held == {}


def test_code_within_data_brings_what_it_reads() -> None:
    """The plan cannot see into every object; what is found inside of one is a name more."""
    home = home_of(scale=3)
    exec("def fn(x):\n    return x * scale", home.namespace)
    home.namespace["box"] = iter([home.namespace.pop("fn")])
    program = encoded("box", home)
    reasons = {each.name: each.reason for each in program.names}
    assert set(reasons) == {"box", "scale"} and reasons["scale"].endswith(", found inside a value")
    assert names_in(program) == ["box", "scale"]
    both = encoded("box, scale", home)
    assert sorted(each.name for each in both.names) == ["box", "scale"]
