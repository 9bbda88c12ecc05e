"""Branches, loops, exceptions, with and match: what is surely bound where."""

from __future__ import annotations

import pytest

from lambdamagic.capture import plan_cell
from tests.capture.cells import check, notebook

XY = "x = 1; y = 2; z = 3; xs = [1]; E = ValueError; cm = print"


def test_bound_on_one_branch_then_read() -> None:
    """x may be the old one after an if without else."""
    check("if y:\n    x = 1\nx", given=XY, captured="x y", bound="x")


def test_bound_on_both_branches_then_read() -> None:
    """x is new on every path."""
    check("if y:\n    x = 1\nelse:\n    x = 2\nx", given=XY, captured="y", bound="x")


def test_elif_without_else() -> None:
    """One path binds nothing."""
    check("if y:\n    x = 1\nelif z:\n    x = 2\nx", given=XY, captured="x y z", bound="x")


def test_a_branch_that_raises_does_not_count() -> None:
    """Past the if, only the path that bound x is left."""
    check("if y:\n    x = 1\nelse:\n    raise E\nx", given=XY, captured="y E", bound="x")


def test_a_loop_may_run_no_time() -> None:
    """Bound in the body is not bound after it."""
    check("for i in xs:\n    x = i\nx, i", given=XY + "; i = 0", captured="xs x i", bound="x i")


def test_the_loop_variable_is_bound_in_the_body() -> None:
    """The stale i is not shipped."""
    check("for i in xs:\n    print(i)", given=XY + "; i = 0", captured="xs", bound="i")


def test_a_read_before_the_binding_in_a_loop() -> None:
    """The first round reads the old value."""
    check("for i in xs:\n    print(x)\n    x = i", given=XY, captured="xs x", bound="i x")


def test_for_else_runs_when_the_loop_ends() -> None:
    """With break x is unbound after the loop; else binds it on the other way."""
    check("for i in xs:\n    if i: break\nelse:\n    x = 1\nx", given=XY, captured="xs x", bound="i x")
    check("for i in xs:\n    x = 2\n    if i: break\nelse:\n    x = 1\nx", given=XY, captured="xs", bound="i x")


def test_while_true_runs_at_least_once() -> None:
    """What is bound before the break is bound after the loop."""
    check("while True:\n    x = 1\n    if y: break\nx", given=XY, captured="y", bound="x")


def test_while_with_condition_may_run_no_time() -> None:
    """The condition may be false at once."""
    check("while y:\n    x = 1\n    continue\nelse:\n    z = 1\nx, z", given=XY, captured="x y", bound="x z")


def test_continue_skips_the_binding() -> None:
    """A path through continue leaves x as it was."""
    check("for i in xs:\n    if i: continue\n    x = 1\n    print(x)\nx", given=XY, captured="xs x", bound="i x")


def test_unreachable_code_needs_nothing() -> None:
    """What follows a raise is never run."""
    check("raise E\nx", given=XY, captured="E")


def test_try_except_reads_the_old_value_in_the_handler() -> None:
    """load() may fail before x is bound."""
    check("try:\n    x = cm()\nexcept E:\n    print(x)", given=XY, captured="cm E x", bound="x")


def test_the_handler_sees_what_was_bound_before_the_call() -> None:
    """x = 1 cannot fail, so the handler has the new x."""
    check("try:\n    x = 1\n    cm()\nexcept E:\n    x", given=XY, captured="cm E", bound="x")


def test_bound_in_try_and_handler() -> None:
    """x is new on both ways."""
    check("try:\n    x = cm()\nexcept E:\n    x = 0\nx", given=XY, captured="cm E", bound="x")


def test_a_handler_that_passes_leaves_the_old_value() -> None:
    """After `except: pass` x may be the old one."""
    check("try:\n    x = cm()\nexcept E:\n    pass\nx", given=XY, captured="cm E x", bound="x")


def test_else_of_try_sees_the_binding() -> None:
    """else runs only when the body went through."""
    check("try:\n    x = cm()\nexcept E:\n    raise\nelse:\n    x\nx", given=XY, captured="cm E", bound="x")


def test_finally_sees_both_ways() -> None:
    """finally also runs when the body failed."""
    check("try:\n    x = cm()\nfinally:\n    print(x)", given=XY, captured="cm x", bound="x")
    check("try:\n    cm()\nfinally:\n    x = 1\nx", given=XY, captured="cm", bound="x")


def test_the_name_of_an_exception_is_bound_and_deleted() -> None:
    """`except E as e` binds e and deletes it at the end: an e from before is gone if it came to that."""
    cell = "try:\n    cm()\nexcept E as e:\n    print(e)"
    check(cell, given=XY, captured="cm E", bound="e", deleted="e")
    check(cell, given=XY + "; e = 1", captured="cm E e", bound="e", deleted="e", deleted_only="e")


def test_except_star() -> None:
    """except* has the same flow."""
    cell = "try:\n    x = cm()\nexcept* E as e:\n    y = e\nexcept* TypeError:\n    z\nx, y"
    check(cell, given=XY, captured="cm E x y z", bound="x y e", deleted="e")


def test_nested_try() -> None:
    """The inner handler's failure reaches the outer one."""
    cell = """
    try:
        try:
            x = cm()
        except E:
            y = cm()
            x = 1
        z = x
    except Exception:
        print(x, y, z)
    """
    check(cell, given=XY, captured="cm E x y z", bound="x y z")


def test_return_like_jumps_out_of_finally() -> None:
    """break through a finally."""
    cell = "while True:\n    try:\n        x = cm()\n        break\n    finally:\n        y = 1\nx, y"
    check(cell, given=XY, captured="cm", bound="x y")


def test_with_binds_its_target() -> None:
    """The target of with is bound in the body."""
    check("with cm() as x, cm() as (a, b):\n    x, a, b", given=XY, captured="cm", bound="x a b")


def test_a_context_manager_can_swallow() -> None:
    """After with, x may be the old one: suppress() is one such."""
    given = XY + "\nfrom contextlib import suppress"
    check("with suppress(E):\n    x = cm()\nx", given=given, captured="suppress E cm x", bound="x")


def test_an_unknown_context_manager_can_swallow() -> None:
    """What a contextmanager function does is not known."""
    check("with cm():\n    x = cm()\nx", given=XY, captured="cm x", bound="x")


@pytest.mark.parametrize(
    ("manager", "given", "captured"),
    [
        ("open('f') as fh", "", ""),
        ("io.open('f') as fh", "import io", "io"),
        ("p.open() as fh", "p = 1", "p"),
        ("lock as fh", "import threading; lock = threading.Lock()", "lock"),
        ("Pool(2) as fh", "from concurrent.futures import ThreadPoolExecutor as Pool", "Pool"),
        ("tempfile.TemporaryDirectory() as fh", "import tempfile", "tempfile"),
        ("Mine() as fh", "class Mine:\n    def __enter__(self): pass\n    def __exit__(self, *e): print(e)", "Mine"),
    ],
)
def test_context_managers_that_do_not_swallow(manager: str, given: str, captured: str) -> None:
    """After `with open(...)` the body has run to its end: a stale 5 GB name is not shipped."""
    cell = f"with {manager}:\n    x = cm()\nx"
    check(cell, given=XY + "\n" + given, captured="cm " + captured, bound="x fh")


@pytest.mark.parametrize(
    ("manager", "given", "captured"),
    [
        ("Mine()", "class Mine:\n    def __enter__(self): pass\n    def __exit__(self, *e): return True", "Mine"),
        ("open('f')", "open = print", "open"),
        ("open('f'), cm()", "", ""),
    ],
)
def test_context_managers_that_may_swallow(manager: str, given: str, captured: str) -> None:
    """An __exit__ that returns something may swallow; so may an open that is not Python's own."""
    cell = f"with {manager}:\n    x = cm()\nx"
    check(cell, given=XY + "\n" + given, captured="cm x " + captured, bound="x")


def test_context_managers_imported_in_the_cell() -> None:
    """The cell's own imports are looked through, when the module is loaded."""
    given = XY + "\nimport tempfile as t"
    cell = "from tempfile import TemporaryDirectory as T\nimport tempfile\n"
    cell += "with T() as d, tempfile.NamedTemporaryFile() as f:\n    x = cm()\nx"
    check(cell, given=given, captured="cm", bound="x T d f tempfile")
    cell = "T = cm\nif y:\n    from tempfile import TemporaryDirectory as T\nwith T():\n    x = cm()\nx"
    check(cell, given=given, captured="cm x y", bound="x T")
    cell = "from math import *\nfrom os import *\nwith open('f'):\n    x = cm()\nx"
    assert "x" in plan_cell(cell, notebook(given)).captured


def test_async_with_asks_the_asynchronous_exit() -> None:
    """__aexit__ is what counts for async with."""
    given = XY + "\nclass M:\n    async def __aenter__(self): pass\n    async def __aexit__(self, *e): return {}"
    check("async with M():\n    x = cm()\nx", given=given.format("None"), captured="M cm", bound="x")
    check("async with M():\n    x = cm()\nx", given=given.format("1"), captured="M cm x", bound="x")


def test_async_with_and_for() -> None:
    """The asynchronous forms bind as the others do."""
    cell = "async with cm() as x:\n    x\nasync for i in xs:\n    y = i\ny, i"
    plan = check(cell, given=XY + "; i = 0", captured="cm xs y i", bound="x i y")
    assert plan.is_async


def test_top_level_await() -> None:
    """A cell with await is a coroutine."""
    plan = check("x = await cm()\nx", given=XY, captured="cm", bound="x")
    assert plan.is_async
    assert not check("x", given=XY, captured="x").is_async


def test_await_in_try() -> None:
    """The handlers which await brings along confuse nothing."""
    check("try:\n    x = await cm()\nexcept E:\n    x = 1\nx", given=XY, captured="cm E", bound="x")


def test_match_literals_and_values() -> None:
    """A dotted value pattern reads its first name."""
    cell = "match y:\n    case 1: x = 1\n    case m.e: x = 2\n    case _: x = 3\nx"
    check(cell, given=XY + "\nimport math as m", captured="y m", bound="x")


def test_match_without_a_catch_all_binds_nothing_surely() -> None:
    """No case may fit."""
    check("match y:\n    case 1: x = 1\nx", given=XY, captured="x y", bound="x")


def test_match_captures_sequences_mappings_and_classes() -> None:
    """Every kind of pattern binds its names and reads its classes."""
    cell = """
    match y:
        case [a, *b]: print(a, b)
        case {"k": c, **d}: print(c, d)
        case E(args=(e,)): print(e)
        case int() | str() as f: print(f)
        case g if g > z: print(g)
        case other: print(other)
    """
    given = XY + "; a = b = c = d = e = f = g = other = 0"
    check(cell, given=given, captured="y E z", bound="a b c d e f g other")


def test_match_capture_that_failed_half_way() -> None:
    """Names of a case that did not fit in the end may be bound or not."""
    check("match y:\n    case (a, 1): pass\na", given=XY + "; a = 0", captured="y a", bound="a")


def test_assert_reads_its_message() -> None:
    """Both parts of assert can be evaluated."""
    check("assert x, y", given=XY, captured="x y")


def test_names_at_the_end_of_nested_loops() -> None:
    """The dataflow reaches its fixpoint through nested loops."""
    cell = """
    for i in xs:
        for j in xs:
            if i:
                x = 1
            else:
                x = 2
            print(x)
        print(x)
    """
    check(cell, given=XY, captured="xs x", bound="i j x")


def test_the_shells_own_open_does_not_swallow() -> None:
    """IPython puts its own `open` into the namespace, hidden."""
    namespace = notebook(XY + "\ndef open(*args): pass")
    check("with open('f') as fh:\n    x = cm()\nx", given=namespace, captured="cm", bound="fh x", hidden={"open"})
