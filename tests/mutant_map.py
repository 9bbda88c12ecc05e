"""Which tests run which lines of a module, and so which of them a mutant of it must fail in."""

from __future__ import annotations

import ast
import json
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import pytest

_Line = tuple[str, int]


class Recorded(TypedDict):
    """What was seen of one test: how long it took, with its fixtures, and the lines that it ran, by file."""

    seconds: float
    lines: dict[str, list[int]]


class Recorder:
    """A plugin of pytest that notes the lines of a package that each test runs, in any thread of this process.

    Tests that fail are left out: their failing with a mutant would say nothing.

    Args:
        package: The package's folder.
        to: Gets what was seen as JSON, when the session ends.
    """

    def __init__(self, package: Path, to: Path) -> None:
        self._package = f"{package}/"
        self._to = to
        self._seen: set[_Line] = set()
        self._fixtures: dict[str, tuple[float, set[_Line]]] = {}
        self._tests: dict[str, Recorded] = {}
        self._failed: set[str] = set()

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self._package) else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        self._seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Note a fixture too: of the tests that share it only the first would have its lines and its time."""
        before, self._seen = self._seen, set()
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            self._fixtures[fixturedef.argname] = time.perf_counter() - began, self._seen
            self._seen = self._seen | before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Trace one test, with its fixtures."""
        self._seen = set()
        sys.settrace(self._called)
        threading.settrace(self._called)
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]  # None ends it, as the documentation says
            fixtures = [self._fixtures[name] for name in getattr(item, "fixturenames", ()) if name in self._fixtures]
            lines: dict[str, list[int]] = {}
            for file, line in sorted(self._seen.union(*(seen for _, seen in fixtures))):
                lines.setdefault(file, []).append(line)
            seconds = time.perf_counter() - began + sum(took for took, _ in fixtures)
            self._tests[item.nodeid] = {"seconds": seconds, "lines": lines}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which tests fail."""
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write what was seen."""
        self._to.write_text(json.dumps({test: seen for test, seen in self._tests.items() if test not in self._failed}))


class Chosen:
    """A plugin of pytest that runs these tests only, in this order."""

    def __init__(self, tests: Iterable[str]) -> None:
        self._order = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
        )


class MutantMap:
    """Knows the tests of each line of a module's source.

    Args:
        module: The module's file, without a mutant.
        recorded: What a `Recorder` wrote.
    """

    def __init__(self, module: Path, recorded: dict[str, Recorded]) -> None:
        self._recorded = recorded
        self._lines = {test: seen["lines"].get(str(module), []) for test, seen in recorded.items()}
        self._bodies: list[tuple[int, int, int]] = []
        self._statements: list[tuple[int, int]] = []
        self._constants: dict[int, str] = {}
        self._uses: dict[str, set[int]] = {}
        tree = ast.parse(module.read_text())
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                self._constants.update(dict.fromkeys(lines, node.targets[0].id))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._uses.setdefault(node.id, set()).add(node.lineno)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                self._bodies.append((first, node.body[0].lineno, node.end_lineno or node.lineno))
            if isinstance(node, ast.stmt):
                body = getattr(node, "body", None)
                last = max(node.lineno, body[0].lineno - 1) if isinstance(body, list) else node.end_lineno
                self._statements.append((node.lineno, last or node.lineno))

    def tests_of(self, diff: str, *, limit_s: float) -> list[str]:
        """Return the tests that run what a comparison with a mutant changes, the quickest first, for so long.

        What is changed outside of functions may matter to all that run the module; a constant to those that use it.
        """
        wanted: set[int] = set()
        for first, count in re.findall(r"^@@ -(\d+)(?:,(\d+))?", diff, re.MULTILINE):
            for line in range(int(first), int(first) + max(1, int(count or 1))):
                wanted |= self._lines_with(line)
        tests = [test for test, lines in self._lines.items() if not wanted.isdisjoint(lines)]
        chosen: list[str] = []
        for test in sorted(tests, key=self.seconds):
            limit_s -= self.seconds(test)
            if limit_s < 0 and chosen:
                break
            chosen.append(test)
        return chosen

    def seconds(self, test: str) -> float:
        """Return how long a test takes, with its fixtures."""
        return self._recorded[test]["seconds"]

    def _lines_with(self, line: int) -> set[int]:
        """Return the lines that run if this one does: its statement's, or those of the function whose head it is in."""
        around = [each for each in self._bodies if each[0] <= line <= each[2]]
        if not around:
            used = self._uses.get(self._constants.get(line, ""), set())
            if used and all(any(first <= each <= end for first, _, end in self._bodies) for each in used):
                return used.union(*map(self._lines_with, used))
            return {each for _, start, end in self._bodies for each in range(start, end + 1)}
        _, start, end = max(around)
        if line < start:
            return set(range(start, end + 1))
        within = [each for each in self._statements if start <= each[0] <= line <= each[1]]
        first, last = max(within, default=(start, end))  # an `else` or `except` is in no statement
        return set(range(first, last + 1))
