"""`%%lambda_map x in xs`: the body for each item, the last expression collected."""

from __future__ import annotations

import pytest


def test_the_last_expressions_are_collected(notebook):
    """In the items' order, with captured names and functions."""
    notebook.ok("k = 10\ndef f(x):\n    return k * x")
    assert notebook.ok("%%lambda_map x in range(4)\ny = f(x)\ny + 1").value == [1, 11, 21, 31]
    assert "y" not in notebook.names
    assert "x" not in notebook.names


def test_targets_of_all_kinds(notebook):
    """Tuples and stars are unpacked."""
    assert notebook.ok("%%lambda_map a, b in [(1, 2), (3, 4)]\na * b").value == [2, 12]
    assert notebook.ok("%%lambda_map i, (c, *rest) in enumerate(['abc', 'de'])\n(i, c, rest)").value == [
        (0, "a", ["b", "c"]),
        (1, "d", ["e"]),
    ]
    assert notebook.ok("%%lambda_map x in [1, 2]:\nx").value == [1, 2]


def test_each_item_finds_the_namespace_as_it_was_captured(notebook):
    """What one item binds or rebinds, the next does not see."""
    notebook.ok("n = 5")
    result = notebook.ok("%%lambda_map --chunksize 4 x in range(4)\nn += x\n'seen' in globals(), n").value
    assert result == [(False, 5), (False, 6), (False, 7), (False, 8)]


def test_a_stale_name_of_the_target_is_not_shipped(notebook):
    """The loop binds it."""
    notebook.ok("x = __import__('zlib').compressobj()")
    assert notebook.ok("%%lambda_map x in [1]\nx").value == [1]


def test_errors_name_the_bodys_line(notebook):
    """And the task."""
    ran = notebook.run("%%lambda_map x in [1, 0]\ny = 2\ny / x")
    assert type(ran.error) is ZeroDivisionError
    assert "----> 3 y / x" in ran.traceback
    assert "by item 2 of 2" in ran.error.__notes__[-1]
    assert "lambdamagic: item 2 of 2 failed; " in ran.stderr
    record = notebook.session.history[-1]
    assert record.progress.label == "for x in [1, 0] × 2"


def test_bodies_without_a_value_give_none(notebook):
    """As many as there are items."""
    assert notebook.ok("r = 0\n").value is None
    assert notebook.ok("%%lambda_map x in [1, 2]\nprint(x)\ny = x").value == [None, None]


def test_await_in_the_body(notebook):
    """Works as at top level."""
    assert notebook.ok("%%lambda_map x in [1, 2]\nimport asyncio\nawait asyncio.sleep(0, x)").value == [1, 2]


def test_shell_commands_in_the_body(notebook):
    """See the item."""
    assert [list(r) for r in notebook.ok("%%lambda_map w in ['a', 'b']\nout = !echo {w}\nout").value] == [["a"], ["b"]]


@pytest.mark.parametrize("line", ["x", "x on xs", "", "5 in [1]", "x in"])
def test_bad_loops(notebook, line):
    """The right form is shown."""
    error = notebook.run(f"%%lambda_map {line}\n1").error
    assert "%%lambda_map takes a loop, as in `%%lambda_map x in xs`" in str(error)


def test_an_empty_body(notebook):
    """Said so."""
    assert "the cell is empty" in str(notebook.run("%%lambda_map x in [1]\n\n").error)


def test_a_semicolon_silences(notebook):
    """The list is not shown."""
    assert notebook.ok("%%lambda_map x in [1]\nx;").out is None


def test_the_results_can_have_a_name(notebook):
    """As an assignment has: then nothing is shown. In the background the name waits for the results."""
    ran = notebook.ok("%%lambda_map squares = n in range(4)\nn * n")
    assert (ran.value, notebook.names["squares"]) == (None, [0, 1, 4, 9])
    notebook.ok("%%lambda_map --bg doubled = n in squares\n2 * n")
    assert notebook.ok("doubled").value == [0, 2, 8, 18]
    assert notebook.ok("%%lambda_map n in [1] if squares == [0, 1, 4, 9] else []\nn").value == [1]
