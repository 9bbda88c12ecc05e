"""A warm environment holds no objects of the jobs before: neither the cells', nor the maps', nor their threads'."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

#: What each job makes; the first line of each cell asks what the environment holds before it.
_ASK = "held_kb = int([line for line in open('/proc/self/status') if line.startswith('VmRSS')][0].split()[1])\n"
_MB = 24
CELLS = {
    "an array": "array = given * 2",
    "functions and their globals": """
        array = given * 2
        def total():
            return array.sum()
        total()
    """,
    "objects in circles": """
        class Node:
            pass
        node = Node()
        node.me, node.array = node, given * 2
        del node
    """,
    "a display": """
        array = given * 2
        display(array)
        array
    """,
    "an error with its traceback": """
        def fail(array):
            try:
                raise KeyError("no")
            except KeyError as error:
                kept = error
                raise
        fail(given * 2)
    """,
    "a thread that goes on": """
        import threading
        array = given * 2
        def wait():
            mine = array
            while True:
                step = threading.Event().wait(0.001)
        threading.Thread(target=wait, daemon=True).start()
    """,
    "a pool that was not closed": """
        from concurrent.futures import ThreadPoolExecutor
        array = given * 2
        pool = ThreadPoolExecutor(2)
        total = pool.submit(lambda: array.sum()).result()
    """,
    "a figure": """
        import matplotlib.pyplot as plt
        array = given * 2
        figure, axes = plt.subplots()
        axes.plot(array[::1000])
        figure.array = array
        plt.show()
    """,
}


@pytest.mark.parametrize("what", CELLS)
def test_a_cell_finds_no_memory_of_those_before(notebook: Any, what: str) -> None:
    """Of four jobs that each make a new array, each begins with what the second began with."""
    held = []
    body = _ASK + textwrap.dedent(CELLS[what]).strip()
    for number in range(4):
        notebook.ok(f"import numpy as np\ngiven = np.full({_MB << 20} // 8, {number}.0)")
        notebook.run(f"%%lambda --memory 1600 --out held_kb --no-mutations\n{body}")
        held.append(notebook.shell.user_ns["held_kb"] / 1024)
    assert max(held[2:]) < held[1] + _MB / 2, held


def test_tasks_of_a_map_leave_nothing_to_each_other(notebook: Any) -> None:
    """Tasks that make circles of objects around large arrays do not wait for the collector together."""
    notebook.ok(f"""
        import numpy as np
        def work(number):
            held = int([line for line in open('/proc/self/status') if line.startswith('VmRSS')][0].split()[1])
            array = np.full({_MB << 20} // 8, number)
            circle = [array]
            circle.append(circle)
            return held
    """)
    held = notebook.ok("%lambda_map --memory 1700 --chunksize 12 work range(12)").value
    assert max(held[1:]) < held[1] + 4 * _MB * 1024, held


def test_a_shown_value_is_not_held_by_the_environment(notebook):
    """It may be large, and a circle of ours would keep it until Python's collector comes by."""
    notebook.remote("import gc\ngc.disable()\n['shown', 'mark', 17]")
    look = "[each for each in gc.get_objects() if type(each) is list and each[1:] == ['mark', 17]]"
    assert notebook.remote(f"import gc\nfound = len({look})\ngc.enable()\nfound").value == 0
