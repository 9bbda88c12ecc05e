"""The plan as a whole: compilation, value, options, mistakes, and its speed."""

from __future__ import annotations

import asyncio
import time
import timeit
import types

import pytest

from lambdamagic.capture import CapturePlan, plan_cell
from lambdamagic.errors import CaptureError
from tests.capture.cells import check, notebook


def test_the_last_expression_is_the_value() -> None:
    """It is assigned to a hidden name that is not one of the bound ones."""
    namespace = notebook("x = 1")
    plan = check("y = 5\nx + y", given=namespace, captured="x", bound="y")
    assert plan.value_name
    exec(plan.code, namespace)
    assert namespace[plan.value_name] == 6


@pytest.mark.parametrize("cell", ["x = 1", "x;", "x ; # shown not\n\n", "if x: x", "x; y = 1", "f(';');"])
def test_no_value(cell: str) -> None:
    """Statements have none, and a semicolon silences."""
    assert plan_cell(cell, {}).value_name is None


@pytest.mark.parametrize("cell", ["x", "x # ;", "';'", "x;\ny", '"""doc"""', "f(';')", "x\n# a;"])
def test_value(cell: str) -> None:
    """A semicolon elsewhere does not silence."""
    assert plan_cell(cell, {}).value_name is not None


def test_an_awaited_value() -> None:
    """The coroutine assigns the value."""
    plan = plan_cell("import asyncio\nawait asyncio.sleep(0, 7)", {})
    assert plan.is_async
    namespace: dict[str, object] = {}
    asyncio.run(types.FunctionType(plan.code, namespace)())
    assert namespace[plan.value_name or ""] == 7


def test_lines_are_the_notebook_cells() -> None:
    """With %%lambda as line 1 the body begins on line 2, in tracebacks too."""
    plan = plan_cell("y = 1\nx", {"x": 1}, filename="<cell-3>", first_line=2)
    assert plan.captured["x"].reason == "read on line 3"
    assert (plan.filename, plan.source, plan.sources) == ("<cell-3>", "\ny = 1\nx", {"<cell-3>": "\ny = 1\nx"})
    bad = plan_cell("\n1 / 0", {}, filename="<cell-4>", first_line=2)
    with pytest.raises(ZeroDivisionError) as caught:
        exec(bad.code, {})
    assert caught.tb.tb_next is not None
    assert caught.tb.tb_next.tb_lineno == 3


def test_syntax_errors_have_the_line_and_text() -> None:
    """As Python raises them."""
    with pytest.raises(SyntaxError) as caught:
        plan_cell("x = 1\ny = = 2\n", {}, filename="<cell-5>", first_line=2)
    assert (caught.value.lineno, caught.value.text, caught.value.filename) == (3, "y = = 2\n", "<cell-5>")


@pytest.mark.parametrize("cell", ["", "\n\n", "# only a comment\n", "   "])
def test_an_empty_cell(cell: str) -> None:
    """There is nothing to run."""
    with pytest.raises(CaptureError, match="the cell is empty"):
        plan_cell(cell, {}, first_line=2)


def test_include() -> None:
    """--input ships a name that the cell does not read, and what it needs."""
    plan = check("x = 1", given="x = 2; k = 1\ndef f(): return k", captured="x f k", bound="x", include=["x", "f"])
    assert plan.captured["f"].reason == "asked for with --input"


def test_include_of_a_name_that_does_not_exist() -> None:
    """The nearest name is suggested."""
    with pytest.raises(CaptureError, match=r"no name 'trian'.*\n  -> Did you mean 'train'\?"):
        plan_cell("1", {"train": 1, "test": 2}, include=["trian"])
    with pytest.raises(CaptureError, match=r"no name 'zzz'.*\n  -> Define it first"):
        plan_cell("1", {"train": 1}, include=["zzz"])


def test_excluded_functions_are_not_followed() -> None:
    """What only they read stays here too."""
    check("f()", given="k = 1\ndef f(): return k", exclude=["f"])


def test_names_that_exist_nowhere() -> None:
    """They are reported before anything is sent, with their line."""
    plan = check("y = 1\nprint(nope + y, xyz)\nnope", bound="y", unresolved={"nope": 2, "xyz": 2})
    assert plan.captured == {}


@pytest.mark.parametrize(
    "cell",
    [
        "def f(): return nope",
        "lambda: nope",
        "[nope for i in ()]",
        "if False: nope",
        "False and nope",
        "1 if True else nope",
        "for i in []: nope",
        "while False: nope",
        "try:\n    nope\nexcept NameError:\n    1",
        "import contextlib\nwith contextlib.suppress(NameError): nope",
        "class A:\n    if 0: nope",
        "raise ValueError\nnope",
        "nope = 1\nnope",
        "if 1: nope = 1\nnope",
        "def f():\n    global nope\n    nope = 1\nf()\nnope",
        "globals()['nope'] = 1\nnope",
        "exec(input())\nnope",
        "1 < 0 < nope",
        "match 1:\n    case 2: nope",
    ],
)
def test_names_that_may_never_be_evaluated_are_not_reported(cell: str) -> None:
    """Only what surely fails is refused beforehand."""
    assert plan_cell(cell, {}).unresolved == {}


@pytest.mark.parametrize(
    "cell",
    [
        "nope", "nope + 1", "x = nope", "nope.a[0](1)", "f'{nope}'", "[i for i in nope]", "for i in nope: pass",
        "if nope: pass", "while nope: pass", "with nope: pass", "nope and 1", "1 if nope else 2", "raise nope",
        "assert nope", "@nope\ndef f(): pass", "def f(a=nope): pass", "def f(*, a=nope): pass", "class A(nope): pass",
        "del nope",
        "@nope\nclass A: pass", "class A(metaclass=nope): pass", "match nope:\n    case _: pass",
        "await nope", "nope[0] = 1", "nope.a = 1", "del nope[0]", "1 < nope < 2", "x, y = 1, nope",
        "(lambda a=nope: 1)", "x: int = nope",
    ],
)  # fmt: skip
def test_names_that_are_surely_evaluated_are_reported(cell: str) -> None:
    """Wherever in a statement they stand."""
    assert plan_cell(cell, {}).unresolved == {"nope": 1}


def test_planning_changes_nothing() -> None:
    """The namespace is as before."""
    namespace = notebook("x = 1\ndef f(): return x\nf.y = 1")
    before = dict(namespace)
    plan_cell("f(); z = 1; del x", namespace)
    assert namespace == before


def test_plans_of_the_same_cell_are_equal() -> None:
    """Caches give the same answer again."""
    namespace = notebook("x = 1\ndef f(): return [x for _ in range(3)]")
    one, two = (plan_cell("f()\nx", namespace) for _ in range(2))
    assert isinstance(one, CapturePlan)
    assert (one.captured, one.bound, one.visited_functions) == (two.captured, two.bound, two.visited_functions)


def test_a_trivial_plan_takes_well_under_a_millisecond() -> None:
    """The user waits for it at every cell."""
    namespace = notebook("x = 1\ndef f(a): return a + x")
    took = timeit.repeat(lambda: plan_cell("y = f(x)\ny", namespace), timer=time.thread_time, number=20, repeat=20)
    assert min(took) / 20 < 0.001


def test_cells_that_differ_only_in_their_lines_are_distinguished() -> None:
    """Until Python 3.12 code objects compare without their lines, and results of the analysis are kept by code."""
    for line in (2, 4, 3):
        plan = plan_cell("x = 1\n" + "\n" * (line - 2) + "y", {"y": 1})
        assert plan.captured["y"].reason == f"read on line {line}"
