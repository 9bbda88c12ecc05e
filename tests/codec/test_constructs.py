"""What notebooks send and cells change, without anything between both sides: the constructs of `tests/fidelity`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.codec.conversations import Conversation, run
from tests.fidelity.constructs import Construct, picture
from tests.fidelity.test_changes import CHANGES
from tests.fidelity.test_changes_of_arrays import ARRAYS
from tests.fidelity.test_changes_of_code import CODE
from tests.fidelity.test_made_by_code import MADE
from tests.fidelity.test_standard_library import CLASSES as OF_LIBRARY
from tests.fidelity.test_standard_library import LIBRARY
from tests.fidelity.test_syntax_of_3_12 import NEW
from tests.fidelity.test_travelling import TRAVELLING
from tests.fidelity.test_travelling_classes import CLASSES
from tests.fidelity.test_while_reading import READ

#: They need IPython's shell, or import for seconds what no other test of this folder needs.
_LEFT_OUT = frozenset({
    "an Axes in an array of Axes", "source compiled by the shell", "attributes that only IPython's shell has",
    "instances pickled by the cell", "a class that the cell does not name pickled by the cell",
    "a class that yaml knows",
    "a scikit-learn model and the arrays that it holds", "a pipeline's inner step", "sympy's lambdify",
    "a class without a module", "pydantic models of the notebook", "a pydantic model of the cell",
    "attrs classes", "a linked list of some length",
    "a doubly linked ring", "a linked list that the cell makes", "nests of lists, tuples and dictionaries",
    "a library of C and its functions", "a Series' name and an index' names",
})  # fmt: skip
_ALL = {
    f"{part}: {title}": construct
    for part, found in (
        ("changes", CHANGES), ("arrays", ARRAYS), ("code", CODE), ("made", MADE), ("of library", OF_LIBRARY),
        ("library", LIBRARY), ("new", NEW if sys.version_info >= (3, 12) else {}), ("travelling", TRAVELLING),
        ("classes", CLASSES), ("read", READ),
    )
    for title, construct in found.items()
    if title not in _LEFT_OUT
}  # fmt: skip


def _names(namespace: dict[str, Any]) -> dict[str, Any]:
    return {name: picture(value) for name, value in namespace.items() if not name.startswith("_")}


def _seen(construct: Construct, *, remotely: bool) -> Any:
    talk = Conversation(construct.setup)
    for cell in construct.cells:
        if remotely:
            again = Conversation("")
            again.here, again.home = talk.here, talk.home
            again.ask()
            again.answer(cell)
            assert again.problems == []
        else:
            run(cell, talk.here)
    return _names(talk.here), picture(run(construct.look, talk.here))


@pytest.mark.parametrize("title", _ALL)
@pytest.mark.filterwarnings("ignore")
def test_a_construct(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the notebook as the kernel does; some write files."""
    monkeypatch.chdir(tmp_path)
    construct = _ALL[title]
    assert _seen(construct, remotely=True) == _seen(construct, remotely=False)
