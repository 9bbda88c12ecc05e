"""What shell commands and `%timeit -o` give: in the function by these, in the notebook as IPython's own."""

from __future__ import annotations

import ast
import codeop
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lambdamagic.codec import rebuild


class SList(list[str]):
    """The lines that a command wrote, with what IPython's list of them offers."""

    @property
    def l(self) -> list[str]:  # noqa: E743  # IPython's name
        """The lines as a list."""
        return self

    list = get_list = l

    @property
    def n(self) -> str:
        """The lines with line ends between them."""
        return "\n".join(self)

    nlstr = n

    @property
    def s(self) -> str:
        """The lines with spaces between them."""
        return " ".join(self)

    spstr = s

    @property
    def p(self) -> Sequence[Path]:
        """The lines that are paths which exist."""
        return [Path(line) for line in self if Path(line).exists()]

    paths = p

    def grep(self, pattern: str | Callable[[str], Any], prune: bool = False, field: int | None = None) -> SList:
        """Return the lines that match, or with `prune` those that do not; with `field` by that word of theirs."""
        fits = pattern if callable(pattern) else lambda text: re.search(pattern, text, re.IGNORECASE)

        def target(line: str) -> str:
            words = line.split()
            return line if field is None else words[field] if len(words) > field else ""

        return SList([line for line in self if bool(fits(target(line))) is not prune])

    def fields(self, *fields: int) -> Any:
        """Return words of each line."""
        if not fields:
            return [line.split() for line in self]
        rows = [line.split() for line in self]
        return SList([" ".join(row[each] for each in fields if -len(row) <= each < len(row)) for row in rows])

    def sort(self, field: int | None = None, nums: bool = False) -> SList:  # type: ignore[override]  # as IPython's
        """Return the lines sorted, by a word of theirs, or by the digits in it."""

        def key(line: str) -> Any:
            words = line.split()
            text = line if field is None else words[field] if len(words) > field else ""
            return int("".join(filter(str.isdigit, text)) or 0) if nums else text

        return SList(sorted(self, key=key))

    def __reduce__(self) -> Any:
        return rebuild.lines, ([*self],)


class TimeitResult:
    """What `%timeit -o` returns."""

    def __init__(self, text: str, loops: int, repeat: int, runs: list[float]) -> None:
        self._text, self.loops, self.repeat, self.compile_time = text, loops, repeat, 0.0
        self.timings, self.all_runs = runs, [each * loops for each in runs]
        self.best, self.worst = min(runs), max(runs)

    @property
    def average(self) -> float:
        """The mean of the runs, in seconds for a loop."""
        return sum(self.timings) / len(self.timings)

    @property
    def stdev(self) -> float:
        """Their standard deviation."""
        mean = self.average
        return float((sum((each - mean) ** 2 for each in self.timings) / len(self.timings)) ** 0.5)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<TimeitResult : {self._text}>"

    def __reduce__(self) -> Any:
        return rebuild.timed, (self.loops, self.repeat, self.best, self.worst, self.all_runs, self.compile_time, 3)


class Compiler(codeop.Compile):
    """Compiles source, as IPython's own does."""

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        """Return the syntax tree of source."""
        return compile(source, filename, symbol, self.flags | ast.PyCF_ONLY_AST, True)

    def reset_compiler_flags(self) -> None:
        """Forget the `from __future__` imports of what was compiled."""
        self.flags = codeop.Compile().flags
