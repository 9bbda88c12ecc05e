"""Shell commands and magics, as IPython's transformation leaves them."""

from __future__ import annotations

import pytest

from lambdamagic.capture import SUPPORTED_CELL_MAGICS, SUPPORTED_LINE_MAGICS, plan_cell
from lambdamagic.errors import UnsupportedInCellError
from tests.capture.cells import check, notebook

XY = "x = 1; y = 2; z = 3; f = abs"


def line_magic(name: str, args: str = "") -> str:
    return f"get_ipython().run_line_magic({name!r}, {args!r})"


def cell_magic(name: str, line: str, body: str) -> str:
    return f"get_ipython().run_cell_magic({name!r}, {line!r}, {body!r})"


def test_shell_commands_read_their_fields() -> None:
    """!ls {x} $y $$HOME {z:>{w}}."""
    check("get_ipython().system('ls {x} $y $$z {f(z)}')", given=XY, captured="x y f z")
    check("a = get_ipython().getoutput('ls {x!r:>{y}}')", given=XY, captured="x y", bound="a")


def test_shell_commands_with_literal_braces() -> None:
    """awk's braces are no fields, and do not sink the cell."""
    check("get_ipython().system(\"awk '{print $1}' {\")", given=XY)
    check("get_ipython().system('echo ${HOME} {} {0}')", given=XY)


def test_names_bound_before_are_not_captured_for_a_command() -> None:
    """The flow holds for commands too."""
    check("x = 1\nget_ipython().system('ls {x}')", given=XY, bound="x")


def test_a_users_object_with_a_system_method_is_no_shell() -> None:
    """os.system('ls {x}') interpolates nothing."""
    check("os.system('ls {x}')", given=XY + "\nimport os", captured="os")


def test_time_line_magic_is_analyzed() -> None:
    """%time code is the cell's code: it reads, and what it binds is the cell's."""
    check(line_magic("time", "a = f(x)"), given=XY, captured="f x", bound="a")
    check("b = " + line_magic("time", "f(x)"), given=XY, captured="f x", bound="b")
    check(line_magic("time", "x = 1") + "\nx", given=XY, captured="x", bound="x")


def test_timeit_binds_nothing() -> None:
    """%timeit runs its code in a separate function."""
    check(line_magic("timeit", "-n 10 -r3 -o -p 4 a = f(x)"), given=XY, captured="f x")
    check(line_magic("timeit", "f(-x)"), given=XY, captured="f x")


def test_a_whole_timed_cell() -> None:
    """%%time's body is the cell."""
    check(cell_magic("time", "", "x = 5\na = f(x) + y\n"), given=XY, captured="f y", bound="x a")
    plan = check(cell_magic("timeit", "a = f(x)", "a + y\n"), given=XY + "; a = 1", captured="f x a y")
    assert plan.value_name is not None


def test_the_body_of_a_timed_cell_is_transformed() -> None:
    """It reaches us as the user typed it."""

    def transform(text: str) -> str:
        return text.replace("!ls {x}", "get_ipython().system('ls {x}')")

    check(cell_magic("time", "", "!ls {x}\n"), given=XY, captured="x", transform=transform)
    check(cell_magic("time", "", "!ls {x}\n"), given=XY)


def test_lines_in_a_timed_cell_are_the_cells() -> None:
    """The body begins below the %%time line."""
    plan = check(cell_magic("time", "", "pass\nx\n"), given=XY, captured="x", first_line=2)
    assert plan.captured["x"].reason == "read on line 4"


def test_arguments_of_other_magics_are_interpolated() -> None:
    """%cd {x} reads x; the bodies of %%bash and %%writefile are text."""
    check(line_magic("cd", "{x}/$y"), given=XY, captured="x y")
    check(cell_magic("bash", "--out $x", "echo {y} $z\n"), given=XY, captured="x")
    check(cell_magic("writefile", "{x}.py", "y = z\n"), given=XY, captured="x")


def test_supported_magics_pass() -> None:
    """Each magic of the list is taken."""
    assert {"time", "timeit", "pwd", "cd", "env", "matplotlib", "pip"} == SUPPORTED_LINE_MAGICS
    assert {"time", "timeit", "bash", "sh", "writefile"} == SUPPORTED_CELL_MAGICS
    for name in SUPPORTED_LINE_MAGICS:
        check(line_magic(name))
    for name in SUPPORTED_CELL_MAGICS:
        check(cell_magic(name, "", "pass\n"))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x\n" + line_magic("who"), r"line 3: %who cannot run on Lambda\n  -> Move %who to a cell without %%lambda"),
        ("x\n" + cell_magic("capture", "", "x\n"), r"line 3: %%capture cannot run"),
        ("def g():\n    " + line_magic("run", "a.py"), r"line 3: %run cannot run"),
        (line_magic("time", line_magic("debug")), r"line 2: %debug cannot run"),
        (cell_magic("time", "", "1\n" + line_magic("debug")), r"line 4: %debug cannot run"),
    ],
)
def test_other_magics_are_refused_with_their_line(cell: str, message: str) -> None:
    """The line is the notebook cell's."""
    with pytest.raises(UnsupportedInCellError, match=message):
        plan_cell(cell, notebook(XY), first_line=2)


def test_get_ipython_is_not_captured() -> None:
    """The shell stays here."""
    check("get_ipython().system('ls')", given={**notebook(), "get_ipython": print})


def test_exec_and_eval_of_constant_text_are_analyzed() -> None:
    """The text's names are the cell's."""
    check("exec('a = f(x)')", given=XY, captured="f x", bound="a")
    check("exec('x = 1')\nx", given=XY, captured="x", bound="x")
    check("eval(' x + y')", given=XY, captured="x y")
    check("exec('this is no python')", given=XY)
    check("def g(x): return eval('x + y')\ng(1)", given=XY, captured="y", bound="g")


def test_exec_of_unknown_text_makes_nothing_unresolved() -> None:
    """It may bind anything."""
    check("exec(x)\nwhatever", given=XY, captured="x")
