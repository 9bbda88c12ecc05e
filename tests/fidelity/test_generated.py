"""A few of the generated cells, those that differed once, and the corpus; `make fidelity` and its night run many."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fidelity.constructs import Construct, agrees
from tests.fidelity.corpus_run import FOUND, cells_of
from tests.fidelity.generated import SETUP, cells

pytestmark = pytest.mark.filterwarnings("default")


@settings(
    max_examples=8, derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(cells())
def test_generated_cells(notebook, found):
    """Each cell shows what it shows in the kernel, and the names are the same."""
    agrees(notebook, Construct("generated", SETUP, tuple(found), "xs, d.keys(), one, two"))


@pytest.mark.parametrize(
    "path",
    [*sorted((Path(__file__).parent / "corpus").glob("[!c]*.txt")), *sorted(FOUND.glob("*.txt"))],
    ids=lambda path: path.stem,
)
def test_a_notebook_of_the_corpus(notebook, path):
    """Its cells, one after the other, show what they show in the kernel."""
    found = cells_of(path)
    agrees(notebook, Construct(path.stem, found[0], tuple(found[1:]), ""))
