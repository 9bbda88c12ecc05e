"""What stays in the saved notebook when a job is over."""

from __future__ import annotations

import base64
import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lambdamagic.widgets import result
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.task_grid import TaskGrid
from tests.widgets.jobs import after, ended, outcome, over, sent, started

_PICTURE = "data:image/svg+xml;base64,"
#: Tags after which a page begins a new line.
_BLOCKS = {"div", "td", "th", "tr", "table", "pre", "details", "summary"}
#: The grounds of GitHub's, JupyterLab's, VS Code's and our own pages.
_GROUNDS = ("#ffffff", "#1b1d20", "#111111", "#0d1117", "#1f1f1f")


class _Reader(HTMLParser):
    """Elements and text; tags that do not match are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures: list[str] = []
        self.alts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.text += "\n" * (tag in _BLOCKS)
        if tag != "img":
            self._open.append(tag)
            return
        found = dict(attrs)
        assert set(found) == {"width", "alt", "src"}
        assert found["src"].startswith(_PICTURE)
        self.pictures.append(base64.b64decode(found["src"].removeprefix(_PICTURE)).decode())
        self.alts.append(found["alt"])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] != "style":
            self.text += data

    @property
    def lines(self) -> list[str]:
        """The text as a page without style sheets and pictures shows it."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]


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


def _contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colors."""

    def lightness(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((lightness(one), lightness(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_result_is_self_contained() -> None:
    """No script, no address, no handler, in its pictures neither; every color of the page's has a fallback."""
    html = _rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else ""), traceback="Traceback …")
    read = _Reader(html)
    pictures = "".join(read.pictures).replace('xmlns="http://www.w3.org/2000/svg"', "").replace("url(#h)", "")
    assert not re.search(r"<script|javascript:|https?:|url\(|\son\w+=", html + pictures)
    assert not re.findall(r"var\(--(?:jp|vscode)-[\w-]+\)", html)
    assert {"img", "table", "pre", "details"} <= set(read.tags)


def test_its_pictures_are_seen_on_every_ground_without_a_style_sheet() -> None:
    """Bar, timeline and histogram are their own images, whose colors have a contrast of 3 on light and on dark."""
    read = _Reader(_rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else "")))
    assert read.alts == [
        "40 of 40 tasks: 39 done, 1 failed",
        "Timeline, a line for each execution environment, 0 to 10.0 s",
        "Histogram of run times, 0 ms to 500 ms",
    ]
    for picture in read.pictures:
        assert "class=" not in picture
        colors = set(re.findall(r"(?:fill|stroke)=\"(#\w{6})\"", picture))
        assert colors
        assert all(_contrast(color, ground) >= 3 for color in colors for ground in _GROUNDS)


def test_failed_tasks_show_in_bar_timeline_and_histogram() -> None:
    """What failed is painted apart everywhere, and only where something failed."""
    some = _Reader(_rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else ""))).pictures
    none = _Reader(_rendered(*_job(40))).pictures
    for failed, sound in zip(some, none, strict=True):
        assert 'fill="url(#h)"' in failed or 'stroke="#d94848"' in failed
        assert 'fill="url(#h)"' not in sound
        assert 'stroke="#d94848"' not in sound


def test_a_cell_has_no_zeros_that_say_nothing() -> None:
    """One warm task: its bill and its memory; a cold start is reported where there was one."""
    for is_cold, columns in ((False, ["billed", "peak memory"]), (True, ["billed", "cold starts", "peak memory"])):
        happened = (started(1, "fit(X)"), sent("a", 0), ended("a", 0, is_cold=is_cold), outcome(0), over())
        html = result.render(after(*happened), TaskGrid())
        assert re.findall('scope="row">([^<]*)<', html) == columns


def test_a_map_that_continued_after_failures_is_amber_and_counts_them() -> None:
    """It is not red: its other values are there. One of which nothing came is."""
    card = result.render(after(started(2), outcome(0), outcome(1, "E"), over()), TaskGrid())
    assert '<span class="lmr-s lmr-partly">! 1 of 2 failed</span>' in card
    card = result.render(after(started(2), outcome(0, "E"), outcome(1, "E"), over()), TaskGrid())
    assert '<span class="lmr-s lmr-failed">✗ failed</span>' in card


def test_it_reads_as_text_where_a_page_takes_styles_and_pictures_out() -> None:
    """The facts and the first error are in the text, in lines and their own words; no debris of pictures does."""
    html = _rendered(*_job(40, error=lambda task: "ValueError: x" if task == 7 else ""), traceback="the remote lines")
    assert _Reader(html).lines == [
        "λ evaluate ! 1 of 40 failed",
        "40/40 tasks · 10.0 s · job 20260101-000000-abcdef01",
        *("billed", "1 min 00 s", "cold starts", "40", "failed", "1", "peak memory", "100 of 512 MB"),
        "40 invocations on 31 execution environments in 10.0 s, 2 to a line: thin while sent, half height for a cold "
        "start, full for tasks",
        "run times: median 500 ms, 95% within 500 ms, longest 500 ms",
        "✗ 1 × ValueError: x",
        "the remote lines",
    ]


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
    assert _Reader(html).tags.count("img") == 3, "its own pictures"
    assert "script" not in _Reader(html).tags


def test_a_cell_is_small() -> None:
    """One task has no timeline and no histogram, and its error stands below the cell already."""
    html = _rendered(started(1, "fit(X)"), sent("000001", 0), ended("000001", 0), outcome(0, "ValueError: x"), over())
    assert "<img" not in html
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
    """The text next to the HTML names the most frequent errors."""
    listener = ProgressListener()
    for event in _job(10, error=lambda task: f"E{task % 5}"):
        listener(event)
    lines = result.plain(listener.snapshot()).splitlines()
    assert lines[0].startswith("λ evaluate  ✗ failed  10/10 tasks")
    assert lines[1] == "  ✗ 2 × E0"
    assert lines[-1] == "  and 2 other kinds of error"
