"""What stays in the saved notebook when a job is over."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lambdamagic.widgets import result
from lambdamagic.widgets.progress import ProgressListener
from tests.widgets.jobs import ended, outcome, over, sent, started

_VOID = {"rect", "path"}


class _Reader(HTMLParser):
    """Elements and text; tags that do not match are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] != "style":
            self.text += data + " "


def _rendered(*happened: Any, traceback: str = "") -> str:
    listener = ProgressListener()
    for event in happened:
        listener(event)
    return result.render(listener.snapshot(), listener.tasks(), traceback=traceback)


def _job(count: int, *, label: str = "evaluate", error: Any = "", environments: int = 50) -> list[Any]:
    """A job of single tasks on many environments; `error` gives a task's error."""
    rng = random.Random(count)
    happened: list[Any] = [started(count, label)]
    for task in range(count):
        attempt = f"{task:06d}"
        at = 10 * task / count
        done = ended(attempt, task, is_cold=task < environments)
        done = type(done)(**{**vars(done), "environment_id": f"e{rng.randrange(environments)}", "at": 1000 + at})
        happened += [sent(attempt, task), done, outcome(task, error(task) if callable(error) else error)]
    return [*happened, over()]


def test_it_needs_nothing_but_itself() -> None:
    """No script, no address, no handler; every colour of the page's has a fallback."""
    html = _rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else ""), traceback="Traceback …")
    assert not re.search(r"<script|javascript:|https?:|url\(|\son\w+=", html)
    assert not re.findall(r"var\(--(?:jp|vscode)-[\w-]+\)", html)
    assert {"svg", "table", "pre", "details"} <= set(_Reader(html).tags)


def test_it_reads_as_text_where_a_page_takes_styles_and_pictures_out() -> None:
    """The facts and the first error stand in the text."""
    html = _rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else ""), traceback="the remote lines")
    text = _Reader(re.sub(r"<svg.*?</svg>", "", html)).text
    for told in ("evaluate", "✗ failed", "40/40 tasks", "cold starts", "100 of 512 MB", "1 ×", "ValueError: x"):
        assert told in text
    assert "the remote lines" in text


def test_every_job_fits_in_a_hundred_kilobytes() -> None:
    """100,000 tasks on 1,000 environments with hostile labels, messages and tracebacks, all of them different."""
    hostile = "\"'<&>" * 2_000
    happened = _job(
        100_000,
        label=hostile,
        error=lambda task: f"{hostile[:500]}: {task}" if task % 2 else "",
        environments=1_000,
    )
    html = _rendered(*happened, traceback=hostile * 50)
    assert len(html.encode()) <= 100_000
    _Reader(html)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_user_wrote_stays_text(seed: int) -> None:
    """Labels, errors and tracebacks bring no elements."""
    evil = '</pre></style><img src=x onerror="alert(1)"><script>alert(1)</script>'
    html = _rendered(*_job(3, label=evil, error=evil), traceback=evil)
    assert "img" not in _Reader(html).tags
    assert "script" not in _Reader(html).tags


def test_a_cell_is_small() -> None:
    """One task has no timeline and no histogram, and its error stands below the cell already."""
    html = _rendered(started(1, "fit(X)"), sent("000001", 0), ended("000001", 0), outcome(0, "ValueError: x"), over())
    assert "<svg" not in html
    assert "ValueError" not in html
    assert len(html) < 6_000


@pytest.mark.parametrize(
    "happened",
    [
        [started(10), over("cancelled")],
        [started(10), over("failed", "CredentialsError: no credentials were found")],
        [started(None), outcome(0), over()],
        [started(2), outcome(0), outcome(1), over()],
    ],
)
def test_jobs_of_which_little_is_known(happened: list[Any]) -> None:
    """A job that never ran, one that could not, one without a known size, one without invocations."""
    html = _rendered(*happened)
    _Reader(html)
    if "CredentialsError" in str(happened):
        assert "no credentials were found" in html


def test_plain_text_says_the_same() -> None:
    """The text beside the HTML names the most frequent errors."""
    listener = ProgressListener()
    for event in _job(10, error=lambda task: f"E{task % 5}"):
        listener(event)
    lines = result.plain(listener.snapshot()).splitlines()
    assert lines[0].startswith("λ evaluate  ✗ failed  10/10 tasks")
    assert lines[1] == "  ✗ 2 × E0"
    assert lines[-1] == "  and 2 other kinds of error"
