"""What the pages promise is held by tests that exist: sentence by sentence, as `promises.toml` has it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`")
_PROMISES = tomllib.loads(Path(__file__).with_name("promises.toml").read_text())
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_END = re.compile(r"(?<=[.:;])\s+(?=[A-Z`])")
_HEADS = ("|---", "| | |")


def sentences(text: str) -> list[str]:
    """Return the sentences, items and rows of tables of a page, without its headings, code and "Held by"."""
    found, block = [], ""
    for line in [*_FENCE.sub("", text).splitlines(), ""]:
        begins = not line.strip() or line.startswith(("#", "|", "- ", "**"))
        if begins and block:
            found += [block] if block.startswith("|") else _END.split(block)
            block = ""
        if line.strip() and not line.startswith("#"):
            block = f"{block} {line.strip()}".strip()
    plain = [each.removeprefix("- ") for each in found if not each.startswith(_HEADS)]
    return [each for each in plain if not each.startswith(("Held by", "`tests/"))]


@pytest.mark.parametrize("page", ["security.md", "jobs.md", "embedded-lambda.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    """A test that was renamed or taken away takes the promise with it."""
    named = _NAMED.findall((ROOT / "docs" / page).read_text())
    assert named
    for path, test in named:
        text = (ROOT / path).read_text()
        assert not test or f"def {test}(" in text, f"{page} names {path}::{test}"


@pytest.mark.parametrize("page", ["security.md", "jobs.md"])
def test_every_sentence_of_a_page_is_held_by_tests(page: str) -> None:
    """Or `promises.toml` says why none can: it explains, it warns, or it is about AWS or another program."""
    known = _PROMISES[page.removesuffix(".md")]
    found = sentences((ROOT / "docs" / page).read_text())
    silent = [each for each in found if not any(each.startswith(start) for start in known)]
    assert not silent, f"{len(silent)} sentences of {page} are new: {silent}"
    gone = [start for start in known if not any(each.startswith(start) for each in found)]
    assert not gone, f"{page} no longer has {gone}"


@pytest.mark.parametrize("page", ["security", "jobs"])
def test_the_tests_that_hold_sentences_exist(page: str) -> None:
    """By path and name."""
    for start, holders in _PROMISES[page].items():
        for holder in [holders] if isinstance(holders, str) else holders:
            path, _, test = holder.partition("::")
            if isinstance(holders, list):
                assert (ROOT / path).is_file(), f"{start!r}: {path}"
                assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{start!r}: {holder}"
            else:
                assert " " in holders, f"{start!r} has neither tests nor a reason"
