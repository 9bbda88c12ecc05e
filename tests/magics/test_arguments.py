"""Lines of magics that are parsed once for many cells."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from lambdamagic.magics.magics import LambdaMagics
from lambdamagic.magics.parse.arguments import parse


def test_the_same_line_gives_each_cell_its_own_arguments() -> None:
    first = parse(LambdaMagics.lambda_, ["--memory", "1GB", "-o", "a"])
    first.out.append("b")
    first.memory = 1
    second = parse(LambdaMagics.lambda_, ["--memory", "1GB", "-o", "a"])
    assert (second.memory, second.out) == (1024, ["a"])


def test_a_wrong_line_is_wrong_each_time() -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="--memory"):
            parse(LambdaMagics.lambda_, ["--memori", "1GB"])
