"""What the pages promise names the tests that hold it, and these are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", ["security.md", "jobs.md", "embedded-lambda.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    """A test that was renamed or taken away takes the promise with it."""
    named = _NAMED.findall((ROOT / "docs" / page).read_text())
    assert named
    for path, test in named:
        text = (ROOT / path).read_text()
        assert not test or f"def {test}(" in text, f"{page} names {path}::{test}"


@pytest.mark.parametrize("page", ["security.md", "jobs.md"])
def test_every_part_of_a_page_names_its_tests(page: str) -> None:
    """Each heading with promises below it."""
    parts = re.split(r"^## ", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)[1:]
    silent = [part.splitlines()[0] for part in parts if not _NAMED.search(part)]
    assert silent in ([], ["Who is trusted"])
