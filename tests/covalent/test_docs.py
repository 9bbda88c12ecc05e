"""The programs of docs/covalent.md, in Covalent's environment."""

from __future__ import annotations

from tests.covalent.environment import CovalentHome
from tests.docs.snippets import ROOT, blocks_of


def test_the_programs_of_the_page(covalent: CovalentHome) -> None:
    """Each does what it says."""
    programs = [block for block in blocks_of(ROOT / "docs/covalent.md") if block.language == "python"]
    assert len(programs) == 3
    for program in programs:
        covalent.run(program.text)
