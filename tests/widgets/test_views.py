"""When and where progress is shown."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

from lambdamagic.widgets import showing as views
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.notebook import CardView, DisplayPlace, HeadlessView, WidgetView
from lambdamagic.widgets.progress import Progress, ProgressListener
from lambdamagic.widgets.showing import LogView, NoView, Showing, TerminalView, choose_view
from tests.widgets.jobs import START, after, ended, outcome, over, sent, started


class _Recorder:
    """A view that records its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def show(self, progress: Progress, now: float) -> None:
        self.calls.append("show")

    def close(self, progress: Progress, now: float) -> None:
        self.calls.append("close")


class _Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_job_shows_nothing() -> None:
    """The delay counts from the first tick, not from when the target was opened."""
    recorder, clock = _Recorder(), _Time()
    showing = Showing(recorder, ProgressListener(), monotonic=clock)
    clock.now = 100.0
    showing.tick()
    clock.now = 100.59
    showing.tick()
    assert recorder.calls == []
    clock.now = 100.7
    showing.tick()
    assert recorder.calls == ["show"]


def test_a_view_is_drawn_now_and_then() -> None:
    """However often the waiting thread ticks, a view is drawn some seven times a second, and once at the end."""
    recorder, clock = _Recorder(), _Time()
    showing = Showing(recorder, ProgressListener(), delay_s=0.0, monotonic=clock)
    for step in range(1, 101):
        clock.now = 1 + step / 100
        showing.tick()
    assert 6 <= recorder.calls.count("show") <= 1 / views.EVERY_S + 1
    showing.close()
    assert recorder.calls[-1] == "close"


def test_a_log_has_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """One when it becomes long, one every 30 s, one at the end."""
    view = LogView(every_s=30)
    running, done = after(started(), sent("a", 0)), after(started(), *(outcome(n) for n in range(10)), over())
    for second in range(65):
        view.show(running, START + second)
    view.close(done, START + 65)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "▶ running  0/10 tasks" in lines[0]
    assert "✓ done  10/10 tasks" in lines[-1]


def test_a_log_has_no_line_for_a_quick_job(capsys: pytest.CaptureFixture[str]) -> None:
    """What was never shown is not closed with a line either."""
    LogView().close(after(started(), over()), START)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line_that_ends_with_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar stands on stderr, and what it says last stays there."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    view = TerminalView()
    view.show(after(started(), sent("a", 0, 1)), START + 1)
    view.close(after(started(), ended("a", 0, 1), *(outcome(n) for n in range(10)), over()), START + 10)
    text = screen.getvalue()
    assert "evaluate × 10" in text
    assert "✓" in text
    assert "10/10 tasks" in text
    view.close(after(started(), over()), START + 10)
    assert screen.getvalue() == text


def test_a_label_is_no_markup_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets of the user's code are shown as they are."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    view = TerminalView()
    view.show(after(started(2, "f × xs[bold]")), START + 1)
    view.close(after(started(2, "f × xs[bold]"), over()), START + 2)
    assert "xs[bold]" in screen.getvalue()


def test_what_tasks_print_does_nothing_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their latest lines are shown above the bar: a title, a cleared screen and a clipboard are text there."""
    screen, log = io.StringIO(), OutputLog()
    monkeypatch.setattr(sys, "stderr", screen)
    view = TerminalView(log)
    log.now = "\x1b]0;owned\x07a\n\x1b[2Jb\n\x1b]52;c;eA==\x07c \ud800\n\x1b[31mred"
    view.show(after(started(2, "f")), START + 1)
    view.close(after(started(2, "f"), over()), START + 2)
    shown = screen.getvalue()
    assert "]0;owned" in shown
    assert "red" in shown
    assert not re.search("\x1b]|\x1b\\[2J|[\x07\ud800]", shown)


def _listener(*happened: Any) -> ProgressListener:
    listener = ProgressListener()
    for event in happened:
        listener(event)
    return listener


def test_without_widgets_a_notebook_has_html_and_text_in_one_place(notebook: Any) -> None:
    """The card is drawn again in the same output, and the result takes its place."""
    listener = _listener(started(), sent("a", 0))
    notebook.names["view"] = CardView(listener, Actions(), DisplayPlace())
    notebook.names["states"] = [listener.snapshot(), after(started(), *map(outcome, range(10)), over())]
    ran = notebook.ok("view.show(states[0], 1001.0); view.show(states[0], 1002.0); view.close(states[1], 1003.0)")
    (bundle,) = ran.displays
    assert bundle["text/plain"].startswith("λ evaluate × 10  ✓ done  10/10 tasks")
    assert "10 of 10 tasks: 10 done" in bundle["text/html"]


def test_without_a_viewer_lines_come_first_and_the_result_at_the_end(
    notebook: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """nbclient and papermill get a log that reads well, and a notebook that shows what happened."""
    listener = _listener(started(), sent("a", 0))
    view = choose_view("headless", listener)
    notebook.names["view"], notebook.names["progress"] = view, listener.snapshot()
    ran = notebook.ok("view.show(progress, 1001.0); view.show(progress, 1002.0)")
    assert ran.stderr.splitlines() == ["λ evaluate × 10  ▶ running  0/10 tasks · 1.0 s · 1 running · 512 MB"]
    assert not ran.displays
    notebook.names["progress"] = after(started(), *map(outcome, range(10)), over())
    ran = notebook.ok("view.close(progress, 1010.0)")
    assert [sorted(bundle) for bundle in ran.displays] == [["text/html", "text/plain"]]
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("front", "wanted", "kind"),
    [
        ("notebook", "auto", WidgetView),
        ("notebook", "html", CardView),
        ("notebook", "text", LogView),
        ("headless", "auto", HeadlessView),
        ("terminal", "auto", LogView),
        ("none", "widget", NoView),
    ],
)
def test_the_view_fits_the_place(front: Any, wanted: str, kind: type) -> None:
    """A widget for display before a notebook, lines where stderr is no terminal, nothing with quiet."""
    assert type(choose_view(front, ProgressListener(), wanted=wanted)) is kind
