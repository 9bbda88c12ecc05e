"""What only a real kernel shows: figures next to values, the terminal of commands, lines of errors."""

from __future__ import annotations

import pytest

from tests.fidelity.corpus_run import observed

_PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.plot([1, 2])\n"
CELLS = {
    "the label of an axis": f"{_PLOT}plt.xlabel('x')",
    "the label of the other axis": "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.set_ylabel('y')",
    "ticks and their labels": f"{_PLOT}plt.xticks(rotation=45)",
    "settings of savefig": f"{_PLOT}plt.rcParams.update({{'savefig.dpi': 30, 'savefig.facecolor': 'red', "
    "'savefig.transparent': True})",
    "the name of the shell's class": "get_ipython().__class__.__name__",
    "a command's lines": "!echo one; echo two >&2",
    "a command's terminal": "!test -t 1 && stty size < /dev/stdout",
    "what is written without a line's end": "!printf 'a\\nb'\nprint('c')",
    "an unindent that fits nothing": "if 1:\n    b = 1\n  c = 2",
    "an indent that is too deep": "a = 1\n\n  b = 2",
}


@pytest.mark.parametrize("title", CELLS)
def test_a_cell_in_a_kernel(kernel, title):
    """Errors, text, values and displays are the plain kernel's."""
    plain, remote = (observed(kernel, [CELLS[title]], remotely=remotely) for remotely in (False, True))
    assert remote == plain
    assert any(part not in ("", "[]") for part in plain[0])
