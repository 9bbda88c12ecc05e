"""What a cell does to its interpreter does not reach the next cell in the same environment."""

from __future__ import annotations

import pytest

DAMAGE = {
    "a builtin": "import builtins\nbuiltins.len = lambda value: 42",
    "a new builtin": "import builtins\nbuiltins.leaked = 1",
    "a removed builtin": "import builtins\ndel builtins.isinstance",
    "a blocked module": "import sys\nsys.modules['json'] = None",
    "a forgotten module": "import sys\ndel sys.modules['pickle'], sys.modules['json.decoder']",
    "standard output closed": "import sys\nsys.stdout.close()",
    "standard output taken away": "import sys\nsys.stdout = None",
    "descriptors closed": "import os\nos.close(1)\nos.close(2)",
    "a fork that returns": "import os\nos.fork()",
    "a small stack": "import sys\nsys.setrecursionlimit(90)",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_the_next_cell_finds_a_sound_interpreter(notebook, name):
    """The cell itself ends well, and so does the next one, which does not see it."""
    notebook.remote(DAMAGE[name])
    body = """
        import builtins, json, pickle
        print("next")
        json.loads("[1]"), len([]), pickle.__name__, hasattr(builtins, "leaked")
    """
    ran = notebook.remote(body)
    assert ran.stdout == "next\n"
    assert ran.value == ([1], 0, "pickle", False)


def test_figures_are_shown_whatever_the_cell_did_to_the_interpreter(notebook):
    """They are drawn after the cell's own code, with the builtins that it found."""
    body = """
        import builtins
        import matplotlib.pyplot as plt
        line = plt.plot([1, 2])
        del builtins.isinstance
    """
    ran = notebook.remote(body)
    assert [sorted(shown) for shown in ran.displays] == [["image/png", "text/plain"]]


def test_a_log_level_lasts_as_in_a_kernel(notebook):
    """What a cell says about logging holds for the next one."""
    notebook.remote("import logging\nlogging.basicConfig(level=logging.DEBUG)")
    ran = notebook.remote("import logging\nlogging.debug('quiet'); logging.getLogger().level")
    assert (ran.stderr, ran.value) == ("DEBUG:root:quiet\n", 10)
