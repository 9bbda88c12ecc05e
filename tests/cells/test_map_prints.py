"""What a map's tasks print stays with its cell: few lines in order below the card, many in the card."""

from __future__ import annotations

import pytest


def test_few_lines_come_in_the_order_of_the_tasks(kernel):
    """Whichever task ends first, and in one block when the map ends, not above and below its card."""
    kernel.run("def late(n):\n    import time\n    time.sleep((3 - n) / 10)\n    print('item', n)\n    return n")
    ran = kernel.run("%lambda_map --chunksize 1 late range(3)")
    assert [content["text"] for kind, content in ran.messages if kind == "stream"] == ["item 0\nitem 1\nitem 2\n"]


def test_many_lines_are_a_summary_in_the_cell(kernel):
    """Also of a map that is over before a card would be drawn: the result keeps them with the tasks' numbers."""
    kernel.run("def chatty(n):\n    print('one of', n)\n    print('two of', n)\n    return n")
    ran = kernel.run("kept = %lambda_map chatty range(100)")
    assert ran.stream("stdout") == "200 lines printed by 100 items: see Output in the card\n"
    shown = [bundle for kind in ("display_data", "update_display_data") for bundle in ran.bundles(kind)][-1][
        "text/html"
    ]
    assert "Output: 200 lines of 100 items" in shown
    assert "item 1: one of 0\nitem 1: two of 0\nitem 2: one of 1" in shown


def test_displays_of_a_chatty_map_are_in_the_cell(kernel):
    """Only text is for the card."""
    kernel.run("def chatty(n):\n    print('line\\n' * 50)\n    display(n)")
    ran = kernel.run("%lambda_map chatty range(3);")
    assert [bundle.get("text/plain") for bundle in ran.bundles("display_data")][-3:] == ["0", "1", "2"]
    assert ran.stream("stdout").startswith("153 lines") or ran.stream("stdout").startswith("150 lines")


@pytest.mark.parametrize("count", [2, 100])
def test_a_background_map_that_nothing_shows_prints_into_its_own_cell(kernel, count):
    """And not into whatever cell runs next."""
    kernel.run("def loud(n):\n    print('printed', n)\n    return n")
    begun = kernel.run(f"job = %lambda_map --bg loud range({count})")
    reported = "printed 0\nprinted 1\n" if count == 2 else "100 lines printed by 100 items: see Output in the card\n"
    assert kernel.run("%lambda wait").stream("stdout") == ""
    text = "'text/plain': " + repr(reported)
    early = [each for each in begun.bundles("update_display_data") if text in str(each)]  # two tasks are quick
    assert early or kernel.wait_for_update(text)
    assert kernel.run("job.result()[-1]").stream("stdout") == ""


def test_a_terminal_shows_prints_as_they_come(notebook):
    """It has no card to keep them, so none is left out."""
    notebook.ok("def chatty(n):\n    print('line', n)")
    assert notebook.ok("%lambda_map chatty range(100);").stdout.count("line") == 100
