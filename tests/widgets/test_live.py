"""The live widget's messages, as they leave the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lambdamagic.widgets.actions import Actions, OutputLog, Printed, TaskDetail
from lambdamagic.widgets.live import JobWidget
from lambdamagic.widgets.progress import ProgressListener
from tests.widgets.jobs import START, ended, outcome, over, sent, started


class _Line:
    """The kernel's end of a comm: what is sent is kept."""

    comm_id = "line"

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        if data["method"] == "custom":
            self.sent.append((data["content"], list(buffers or [])))

    def on_msg(self, callback: Any) -> None:
        self.hear = callback

    def close(self, *args: Any, **more: Any) -> None:
        """Nothing is open."""


class _Page:
    """One widget, its job, and what a page would say and get."""

    def __init__(self, actions: Actions | None = None) -> None:
        self.listener, self.log, self.line = ProgressListener(), OutputLog(), _Line()
        self.widget = JobWidget(self.listener, actions or Actions(), self.log)
        self.widget.comm = self.line
        self.now = START

    def says(self, **content: Any) -> None:
        self.widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    def happens(self, *events: Any) -> None:
        for event in events:
            self.listener(event)

    def update(self) -> tuple[dict[str, Any], list[bytes]] | None:
        """Tick, and return what was sent."""
        before = len(self.line.sent)
        self.now += 0.1
        self.widget.update(self.listener.snapshot(), self.now)
        return self.line.sent[-1] if len(self.line.sent) > before else None


@pytest.fixture
def page() -> Iterator[_Page]:
    found = _Page()
    yield found
    found.widget.close()


def test_a_tick_sends_what_changed_and_no_more(page: _Page) -> None:
    """After everything was sent once, one task that ends is one byte of states and four of seconds."""
    page.happens(started(1000))
    page.update()
    page.says(kind="ready")
    page.happens(sent("000001", 17), ended("000001", 17), outcome(17))
    content, (ranges, states, seconds, rows) = page.update()  # type: ignore[misc]
    assert content["whole"] is False
    assert (len(ranges), len(states), len(seconds), len(rows)) == (8, 1, 4, 2 * 32)
    assert content["head"]["done"] == 1


def test_everything_is_sent_periodically_until_a_page_answers(page: _Page) -> None:
    """A page drops what comes before its code runs; a blocked kernel cannot hear that it does run now."""
    page.happens(started(10))
    wholes = [page.update()[0]["whole"] for _ in range(60)]  # type: ignore[index]
    assert [number for number, whole in enumerate(wholes, 1) if whole] == [1, 3, 6, 12, 24, 48]


def test_a_page_that_listens_gets_everything_once(page: _Page) -> None:
    """Its `ready` is answered at once, and only differences follow."""
    page.happens(started(10), sent("000001", 0), ended("000001", 0), outcome(0))
    page.log.add(Printed(0, 1, "stdout", "hello\n"))
    page.says(kind="ready")
    content, buffers = page.line.sent[-1]
    assert content["whole"] is True
    assert len(buffers[1]) == 10
    assert content["printed"] == [[0, 1, "stdout", "hello\n"]]
    assert not any(page.update()[0]["whole"] for _ in range(60))  # type: ignore[index]


def test_a_hidden_view_costs_nothing(page: _Page) -> None:
    """Nothing is sent while it is hidden; when it is seen again it gets all that it missed."""
    page.happens(started(100))
    page.says(kind="ready")
    page.says(kind="visible", value=False)
    page.happens(*(outcome(task) for task in range(100)))
    assert [page.update() for _ in range(5)] == [None] * 5
    page.says(kind="visible", value=True)
    content, buffers = page.line.sent[-1]
    assert content["head"]["done"] == 100
    assert buffers[1] == bytes([2]) * 100


def test_messages_of_ten_thousand_tasks_are_small(page: _Page) -> None:
    """At 500 tasks in each tenth of a second, every third one failing, a message has a few kB at most."""
    page.happens(started(10_000))
    page.says(kind="ready")
    sizes = []
    for first in range(0, 10_000, 500):
        for chunk in range(first, first + 500, 50):
            attempt, tasks = f"{chunk:06d}", tuple(range(chunk, chunk + 50))
            page.happens(sent(attempt, *tasks), ended(attempt, *tasks))
            page.happens(*(outcome(task, "" if task % 3 else "ValueError: x") for task in tasks))
        content, buffers = page.update()  # type: ignore[misc]
        sizes.append(len(str(content)) + sum(map(len, buffers)))
    assert max(sizes) < 6_000


def test_output_is_fed_in_small_parts(page: _Page) -> None:
    """A task that prints a lot is shown bit by bit; the oldest makes room."""
    page.happens(started(10))
    page.says(kind="ready")
    for number in range(400):
        page.log.add(Printed(number, 1, "stdout", "x" * 1_000))
    content, _ = page.update()  # type: ignore[misc]
    assert sum(len(text) for *_, text in content["printed"]) <= 4_000
    assert content["printed"][0][0] == 400 - 262  # 256 Ki characters are kept


def test_a_click_asks_for_one_task() -> None:
    """Details are fetched on demand; before, none of them is sent."""
    page = _Page(Actions(describe=lambda task: TaskDetail(argument=f"item {task}")))
    page.says(kind="describe", task=3)
    assert page.line.sent[-1][0] == {
        "kind": "detail",
        "task": 3,
        "detail": vars(TaskDetail(argument="item 3")),
    }
    page.widget.close()


def test_buttons_act_and_report_failures() -> None:
    """Each press is answered; an error of the job is shown to the user, and breaks nothing."""
    pressed: list[str] = []

    def broken() -> None:
        raise RuntimeError("the engine is closed")

    page = _Page(
        Actions(cancel=lambda: pressed.append("cancel"), retry_failed=broken, results_csv=lambda: "task,state\n")
    )
    page.says(kind="cancel")
    page.says(kind="csv")
    page.says(kind="retry")
    assert pressed == ["cancel"]
    assert [content for content, _ in page.line.sent] == [
        {"kind": "answer", "to": "cancel", "error": ""},
        {"kind": "answer", "to": "csv", "error": "", "csv": "task,state\n"},
        {"kind": "answer", "to": "retry", "error": "RuntimeError: the engine is closed"},
    ]
    page.widget.close()


def test_the_end_is_announced(page: _Page) -> None:
    """The last update says how it ended, and that nothing runs."""
    page.happens(started(4), sent("000001", 0, 1), outcome(0), outcome(1, "E"), over("cancelled"))
    page.says(kind="ready")
    head = page.line.sent[-1][0]["head"]
    assert (head["state"], head["running"], head["done"], head["failed"]) == ("cancelled", 0, 1, 1)


def test_output_so_far_is_sent_when_it_changes(page: _Page) -> None:
    """Whole, since its beginning goes; the reader knows whether a page shows it."""
    page.says(kind="ready")
    assert page.log.is_watched and page.line.sent[-1][0]["now"] == ""
    page.happens(started(3))
    page.log.now = "step 1"
    first, second = page.update(), page.update()
    assert first is not None and first[0]["now"] == "step 1"
    assert second is None or "now" not in second[0]
    page.says(kind="visible", value=False)
    assert not page.log.is_watched
