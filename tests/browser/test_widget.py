"""The widget's page in a real browser, fed by the kernel's side of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from lambdamagic.widgets.actions import Actions, Printed, TaskDetail
from tests.browser.axe import violations
from tests.browser.widget_page import WidgetPage
from tests.widgets.jobs import ended, outcome, over, sent, started
from tests.widgets.test_task_grid import _happens

_TABS = ("Tasks", "Timeline", "Durations", "Errors", "Output")


@pytest.fixture
def open_widget(open_page: Callable[..., Any]) -> Any:
    """Opens widgets, and closes them."""
    opened: list[WidgetPage] = []

    def open_one(*, page: dict[str, Any] | None = None, **options: Any) -> WidgetPage:
        found = WidgetPage(open_page(**(page or {})), **options)
        opened.append(found)
        return found

    yield open_one
    for widget in opened:
        widget.close()


def _busy(widget: WidgetPage, count: int = 400) -> None:
    """A job of which a part is done, a part has failed and a part runs."""
    widget.happens(started(count))
    for first in range(0, count // 2, 10):
        tasks = tuple(range(first, first + 10))
        widget.happens(sent(f"{first:06d}", *tasks), ended(f"{first:06d}", *tasks, is_cold=first < 40, cost=0.001))
        widget.happens(*(outcome(task, "" if task % 9 else "ValueError: no number") for task in tasks))
    widget.happens(sent("900000", *range(count // 2, count // 2 + 30)))
    widget.log.add(Printed(3, 1, "stdout", "loss 0.5\nloss 0.25\n"))
    widget.log.add(Printed(12, 1, "stderr", "slow disk\n"))
    widget.update()


def test_a_page_puts_differences_together_as_the_kernel_knows_them(open_widget: Any) -> None:
    """After hundreds of random events in random portions the page's tasks are the kernel's."""
    widget, rng = open_widget(), random.Random(7)
    for event in _happens(rng, 700):
        widget.happens(event)
        if rng.random() < 0.1:
            widget.update()
    while len(widget.page.evaluate("widget._store.invocations")) < len(widget.listener.tasks().rows()):
        widget.update()
    kernel = widget.listener.tasks()
    assert bytes(widget.page.evaluate("[...widget._store.states]")) == bytes(kernel.states)
    assert widget.page.evaluate("[...widget._store.seconds]") == list(kernel.seconds)
    rows = widget.page.evaluate("widget._store.invocations.map((row) => [row.first, row.count, row.environment])")
    assert rows == [[row.first, row.tasks, row.environment] for row, _ in kernel.rows()]


@pytest.mark.parametrize("light", [True, False])
def test_axe_finds_nothing(open_widget: Any, light: bool) -> None:
    """Each tab, with a task open and an error open, in both themes."""
    detail = TaskDetail("'x'", "printed\n", "Traceback …", "", "id", "billed 1 s", "fields @message")
    actions = Actions(cancel=lambda: None, describe=lambda task: detail, results_csv=lambda: "")
    widget = open_widget(light=light, actions=actions)
    _busy(widget)
    for tab in _TABS:
        widget.page.get_by_role("tab", name=tab).click()
        if tab == "Tasks":
            widget.page.locator(".lm-grid").click(position={"x": 5, "y": 5})
        if tab in ("Tasks", "Errors"):
            widget.wait_until_said("describe")
        assert violations(widget.page, "#widget") == [], tab


def test_the_bar_and_the_summary_show_the_progress(open_widget: Any) -> None:
    """A progressbar with its value, and one polite region that says it in words, not at every tick."""
    widget = open_widget()
    _busy(widget)
    bar = widget.page.get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") == "200"
    assert bar.get_attribute("aria-valuetext") == "200 of 400 tasks"
    spoken = widget.page.locator("[aria-live=polite]")
    assert spoken.count() == 1
    said = spoken.text_content()
    assert said == "evaluate × 10: running, 200 of 400 tasks, 23 failed"
    widget.happens(outcome(200))
    widget.update()
    assert spoken.text_content() == said
    widget.happens(over("cancelled"))
    widget.update()
    assert spoken.text_content() == "evaluate × 10: cancelled, 201 of 400 tasks, 23 failed"


def test_tasks_are_reached_by_keys(open_widget: Any) -> None:
    """Arrows walk through the grid and say each task, Enter opens it; arrows walk through the tabs."""
    widget = open_widget(actions=Actions(describe=lambda task: TaskDetail(argument=f"item {task}")))
    _busy(widget)
    grid = widget.page.get_by_role("slider", name="Task")
    grid.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft"):
        widget.page.keyboard.press(key)
    assert grid.get_attribute("aria-valuetext") == "Item 2 of 400: ✓ done, 500 ms"
    widget.page.keyboard.press("End")
    assert grid.get_attribute("aria-valuetext") == "Item 400 of 400: · waiting"
    widget.page.keyboard.press("Home")
    assert grid.get_attribute("aria-valuetext") == "Item 1 of 400: ✗ failed, 500 ms"
    widget.page.keyboard.press("Enter")
    assert widget.wait_until_said("describe")["task"] == 0
    detail = widget.page.get_by_role("region", name="Item 1 of 400, failed")
    assert "item 0" in detail.text_content()
    assert detail.evaluate("(detail) => detail === document.activeElement"), "where one is led is told"
    widget.page.keyboard.press("Escape")
    assert not detail.is_visible()
    assert grid.evaluate("(grid) => grid === document.activeElement")
    widget.page.get_by_role("tab", name="Tasks").focus()
    widget.page.keyboard.press("ArrowRight")
    assert widget.page.get_by_role("tab", name="Timeline").get_attribute("aria-selected") == "true"
    assert widget.page.get_by_role("tabpanel").get_attribute("aria-labelledby").endswith("tab-1")


def test_a_busy_kernel_is_reported(open_widget: Any) -> None:
    """A button that is not heard says what to do instead; one that is heard says what it did."""
    pressed: list[str] = []
    widget = open_widget(actions=Actions(cancel=lambda: pressed.append("cancel")), is_deaf=True)
    _busy(widget)
    note = widget.page.locator(".lm-note")
    assert "stop button ■ cancels it" in note.text_content()
    widget.page.get_by_role("button", name="Cancel").click()
    widget.page.wait_for_function("document.querySelector('.lm-note').textContent.includes('The kernel is busy')")
    assert pressed == []
    widget.is_deaf = False
    widget.wait_until_said("cancel")  # what was pressed is heard when the kernel is free
    assert pressed == ["cancel"]
    assert note.text_content().startswith("Cancelled")


@pytest.mark.parametrize(
    ("is_blocking", "note"), [(True, "The cell waits"), (False, "Runs in the background."), (None, "")]
)
def test_a_note_says_whether_the_cell_waits(open_widget: Any, is_blocking: bool | None, note: str) -> None:
    """A program's job has no note: its caller may wait now or later."""
    widget = open_widget(actions=Actions(is_blocking=is_blocking))
    _busy(widget)
    shown = widget.page.locator(".lm-note").text_content()
    assert shown.startswith(note) if note else shown == ""


def test_failed_tasks_are_retried_by_a_button(open_widget: Any) -> None:
    """It is there as soon as something has failed, also while the job runs, and says when they run."""
    pressed: list[str] = []
    widget = open_widget(actions=Actions(retry_failed=lambda: pressed.append("retry"), is_blocking=False))
    retry = widget.page.get_by_role("button", name="Retry failed")
    widget.happens(started(400), sent("000001", 1), ended("000001", 1), outcome(1))
    widget.update()
    widget.page.get_by_text("1/400 tasks").wait_for()
    assert not retry.is_visible()
    _busy(widget)
    retry.click()
    widget.wait_until_said("retry")
    assert pressed == ["retry"]
    assert "when the job has ended" in widget.page.locator(".lm-note").text_content()


def test_results_are_saved_as_a_file(open_widget: Any) -> None:
    """The table comes from the kernel when it is asked for, and is named after the job."""
    widget = open_widget(actions=Actions(results_csv=lambda: "task,state\n0,done\n"))
    _busy(widget)
    with widget.page.expect_download() as download:
        widget.page.get_by_role("button", name="CSV").click()
        widget.wait_until_said("csv")
    assert download.value.suggested_filename == "20260101-000000-abcdef01.csv"
    assert download.value.path().read_text() == "task,state\n0,done\n"


def test_a_view_that_is_not_seen_says_so(open_widget: Any) -> None:
    """Scrolled away, hidden or closed it asks for nothing; seen again it gets what it missed."""
    widget = open_widget()
    _busy(widget)
    widget.page.evaluate("document.getElementById('widget').style.display = 'none'")
    assert widget.wait_until_said("visible")["value"] is False
    sent_before = len(widget.line.sizes)
    widget.happens(outcome(200), outcome(201))
    widget.update()
    assert len(widget.line.sizes) == sent_before
    widget.page.evaluate("document.getElementById('widget').style.display = ''")
    assert widget.wait_until_said("visible")["value"] is True
    widget.page.wait_for_function("document.querySelector('.lm-pace').textContent.startsWith('202/400')")
    widget.page.evaluate("window.close()")
    assert widget.wait_until_said("visible")["value"] is False


def test_output_is_searched_and_filtered_by_item(open_widget: Any) -> None:
    """By words, and by task; stderr looks different."""
    widget = open_widget()
    _busy(widget)
    page = widget.page
    page.get_by_role("tab", name="Output").click()
    lines = page.locator(".lm-output > div")
    assert lines.all_text_contents() == ["4loss 0.5\n", "4loss 0.25\n", "13slow disk\n"]
    assert lines.nth(2).get_attribute("class") == "lm-stderr"
    page.get_by_role("searchbox").fill("0.25")
    assert lines.all_text_contents() == ["4loss 0.25\n"]
    page.get_by_role("searchbox").fill("")
    page.get_by_role("spinbutton").fill("13")
    assert lines.all_text_contents() == ["13slow disk\n"]


def test_colors_follow_the_theme_and_motion_the_wish(open_widget: Any) -> None:
    """The canvas is painted again when the theme changes, and nothing moves for those who want no motion."""
    widget = open_widget(page={"reduced_motion": "reduce"})
    _busy(widget)
    page = widget.page
    pixel = "[...document.querySelector('.lm-grid canvas').getContext('2d').getImageData(20, 4, 1, 1).data]"
    light = page.evaluate(pixel)
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.wait_for_function(f"JSON.stringify({pixel}) !== '{str(light).replace(' ', '')}'")
    running = "getComputedStyle(document.querySelector('.lm-seg-running')).animationName"
    assert page.evaluate(running) == "none"


def test_a_hundred_thousand_tasks_are_blocks(open_widget: Any) -> None:
    """A cell stands for a block of tasks and says what they do; the keys go from block to block."""
    widget = open_widget()
    widget.happens(started(100_000))
    for first in range(0, 50_000, 1000):
        tasks = tuple(range(first, first + 1000))
        widget.happens(sent(f"{first:06d}", *tasks), ended(f"{first:06d}", *tasks))
        widget.happens(*(outcome(task, "E" if task == 40 else "") for task in tasks))
    widget.update()
    grid = widget.page.get_by_role("slider", name="Task")
    grid.focus()
    widget.page.keyboard.press("ArrowRight")
    said = grid.get_attribute("aria-valuetext")
    block = widget.page.evaluate("widget._grid._block")
    assert block > 10
    assert said.startswith(f"Tasks {block} to {2 * block - 1}: ")
    assert said.endswith("1 failed")


@pytest.mark.parametrize("key", ["Enter", "click"])
def test_a_block_opens_what_failed_in_it(open_widget: Any, key: str) -> None:
    """And from there its neighbors, and the next that failed, however many tasks a cell stands for."""
    widget = open_widget(actions=Actions(describe=lambda task: TaskDetail(argument=f"item {task}")))
    widget.happens(started(100_000), *(outcome(task, "E" if task in (9, 7_000) else "") for task in range(100_000)))
    widget.update()
    page = widget.page
    assert page.evaluate("widget._grid._block") > 9
    if key == "click":
        page.locator(".lm-grid").click(position={"x": 2, "y": 2})
    else:
        page.locator(".lm-grid").focus()
        page.keyboard.press(key)
    page.get_by_role("region", name="Item 10 of 100,000, failed").wait_for()
    for button, shown in (
        ("Previous", "Item 9 of 100,000, done"),
        ("Next", "Item 10 of 100,000, failed"),
        ("Next failed", "Item 7,001 of 100,000, failed"),
    ):
        page.get_by_role("button", name=button, exact=True).click()
        detail = page.get_by_role("region", name=shown)
        detail.wait_for()
        assert page.get_by_role("button", name=button, exact=True).evaluate("(one) => one === document.activeElement")
    page.get_by_role("button", name="Next failed").click()
    page.get_by_role("region", name="Item 10 of 100,000, failed").wait_for()


def test_one_failure_in_a_block_is_a_corner_of_its_cell(open_widget: Any) -> None:
    """Failures of one in a hundred look like few, and are seen; a block of nothing else is crossed."""
    widget = open_widget()
    tasks = 40_000
    widget.happens(
        started(tasks), *(outcome(task, "E" if task % 100 == 3 or task < 200 else "") for task in range(tasks))
    )
    widget.update()
    page = widget.page
    red, drawn = page.evaluate("""() => {
        const canvas = document.querySelector('.lm-grid canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let [red, drawn] = [0, 0];
        for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3] > 200) drawn += 1;
            if (data[at + 3] > 200 && data[at] > data[at + 1] + 60) red += 1;
        }
        return [red, drawn];
    }""")
    assert 0.01 < red / drawn < 0.1
    assert "red corner is the share that failed" in page.locator(".lm-hint").first.text_content()


def test_two_failures_among_many_are_seen_in_the_bar(open_widget: Any) -> None:
    """A segment that would be thinner than a line has two pixels, inside the bar."""
    widget = open_widget()
    widget.happens(started(50_000), *(outcome(task, "E" if task < 2 else "") for task in range(50_000)))
    widget.update()
    failed, bar = widget.page.locator(".lm-seg-failed").bounding_box(), widget.page.locator(".lm-bar").bounding_box()
    assert failed["width"] >= 2
    assert failed["x"] + failed["width"] <= bar["x"] + bar["width"] + 0.1


def test_a_narrow_widget_is_drawn_or_left_out(open_widget: Any) -> None:
    """No width holds the page up, also where cells are blocks, and nothing runs out of the card where there is room."""
    widget = open_widget(width=300)
    _busy(widget, 20_000)
    right = (
        "Math.max(...[...document.querySelectorAll('.lm-widget *')].map((one) => one.getBoundingClientRect().right))"
    )
    card = "document.querySelector('.lm-widget').getBoundingClientRect().right"
    assert widget.page.evaluate(f"{right} <= {card}")
    for width in range(60, 32, -1):  # the card's edges take 34
        widget.page.evaluate(f"document.getElementById('widget').style.width = '{width}px'")
        widget.page.wait_for_function(
            f"widget._grid.root.clientWidth === {max(0, width - 34)} && (widget._draw(null), true)"
        )


def test_an_invocation_is_one_bar_in_the_timeline(open_widget: Any) -> None:
    """What the handler does when its tasks are done leaves no gap; the bar ends where the answer came."""
    widget = open_widget()
    widget.happens(
        started(4), sent("000001", 0), ended("000001", 0), outcome(0)
    )  # runs from 1.6 s to 3 s, its task 0.5 s
    widget.update()
    widget.page.get_by_role("tab", name="Timeline").click()
    green = widget.page.evaluate("""() => [1.2, 1.8, 2.6, 3.4].map((second) => {
        const canvas = document.querySelector('canvas[aria-label^=Timeline]');
        const place = Math.floor((second / widget._store.head.elapsed) * canvas.width);
        const [red, green, , alpha] = canvas.getContext('2d').getImageData(place, 2, 1, 1).data;
        return alpha > 200 && green > red + 60;
    })""")
    assert green == [False, True, True, False]


def test_a_traceback_that_a_busy_kernel_cannot_send_is_announced(open_widget: Any) -> None:
    """The error is there at once, and when its traceback comes is said."""
    widget = open_widget(actions=Actions(describe=lambda task: TaskDetail(traceback="the lines")), is_deaf=True)
    _busy(widget)
    widget.page.get_by_role("tab", name="Errors").click()
    trace = widget.page.locator(".lm-trace").first
    trace.filter(has_text="ValueError: no number").wait_for()  # a page says that a part is open a moment later
    assert "answers when its cell ends" in trace.text_content()
    widget.is_deaf = False
    widget.wait_until_said("describe")
    assert trace.text_content() == "the lines"


def test_a_cell_has_a_head_and_no_grid(open_widget: Any) -> None:
    """One task has no bar, no grid and no timeline; its figures and the way to stop it are there."""
    widget = open_widget(actions=Actions(cancel=lambda: None))
    widget.happens(started(1, "fit(X)"), sent("000001", 0))
    widget.update()
    page = widget.page
    assert page.locator(".lm-pace").text_content() == "4.0 s"
    assert page.get_by_role("button", name="Cancel").is_visible()
    assert not page.locator(".lm-tabs").is_visible()
    assert not page.locator(".lm-bar").is_visible()
    assert "cold starts" not in page.locator(".lm-facts").text_content()
    assert "failed" not in page.locator(".lm-facts").text_content()


def test_tasks_with_names_are_shown_by_them(open_widget: Any) -> None:
    """The grid, a task's details, the errors, and the bars of the timeline, also where tasks are apart."""
    widget = open_widget(actions=Actions(describe=lambda task: TaskDetail()))
    widget.happens(started(6, names=["load (0)", "load (1)", "sum", "load (2)", "max", "mean"]))
    widget.happens(sent("1", 0, 1, 3), ended("1", 0, 1, 3), *map(outcome, (0, 1)), outcome(3, "KeyError: 'x'"))
    widget.update()
    grid = widget.page.get_by_role("slider", name="Task")
    grid.focus()
    widget.page.keyboard.press("ArrowRight")
    assert grid.get_attribute("aria-valuetext") == "load (1): ✓ done, 500 ms"
    widget.page.keyboard.press("Enter")
    detail = widget.page.get_by_role("region", name="load (1), done")
    assert "with 2 other tasks" in detail.text_content()
    widget.page.get_by_role("tab", name="Errors").click()
    assert widget.page.get_by_role("button", name="Show load (2)").is_visible()
    widget.page.get_by_role("tab", name="Timeline").click()
    bars = widget.page.evaluate("widget._timeline._bars.map((bar) => [bar.task, bar.from, bar.to, bar.y])")
    assert [bar[0] for bar in bars] == [0, 1, 3]
    left, right, top = bars[2][1:]
    widget.page.locator("canvas[aria-label^=Timeline]").hover(position={"x": (left + right) / 2, "y": top + 2})
    assert widget.page.locator("canvas[aria-label^=Timeline]").get_attribute("title") == "load (2), 500 ms"
