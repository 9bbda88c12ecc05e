"""The tables of options in docs/cells.md and docs/maps.md have the options that the magics take, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from lambdamagic.config.settings import DEFAULTS
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.magics.magics import LambdaMagics
from lambdamagic.runs.spec import SHARED_PROGRAM_LIMIT_BYTES

_DOCS = Path(__file__).parents[2] / "docs"
_ROW = re.compile(r"^\| `.*?(?P<option>--[\w-]+)", re.MULTILINE)


def _table(page: str) -> set[str]:
    _, _, options = (_DOCS / page).read_text().partition("\n## Options\n")
    return set(_ROW.findall(options.partition("\n## ")[0]))


def _taken_by(magic: str) -> set[str]:
    parser = getattr(LambdaMagics, magic).parser
    return {action.option_strings[-1] for action in parser._actions}


def test_each_option_of_a_cell_is_in_the_table_of_cells() -> None:
    """The table of docs/cells.md is that of `%%lambda`."""
    assert _table("cells.md") == _taken_by("lambda_")


def test_each_option_of_a_map_is_in_the_table_of_maps_or_of_cells() -> None:
    """docs/maps.md has the options of `%%lambda_map` alone, and names those of cells that a map does not take."""
    cell, of_map = _taken_by("lambda_"), _taken_by("lambda_map")
    table = _table("maps.md")
    assert of_map - cell <= table <= of_map
    sentence = re.search(
        r"All options of \[cells\]\S* except (?P<names>.*?) also work\.", (_DOCS / "maps.md").read_text()
    )
    assert sentence is not None
    assert set(re.findall(r"`(--[\w-]+)`", sentence["names"])) == cell - of_map


def test_the_size_limits_of_jobs_are_those_of_the_code() -> None:
    """docs/jobs.md has the sizes up to which inputs, results and programs are sent inline."""
    _, _, limits = (_DOCS / "jobs.md").read_text().partition("\n## Know the size limits\n")
    assert f"{DEFAULTS['inline_limit_bytes'] >> 20} MiB of pickled bytes" in limits
    inline = AWS_LAMBDA.event_inline_bytes >> 10
    assert f"{inline} KiB of program and {inline} KiB of items" in limits
    assert f"more than {SHARED_PROGRAM_LIMIT_BYTES >> 10} KiB" in limits
