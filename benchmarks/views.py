"""What a map's views and the panel cost: the kernel's time, bytes to the page, and the time of a frame in the browser.

The kernel's share is measured as processor time of the threads that listen, draw and send, against the wall time of the
same job: a difference of two noisy wall times would say nothing about two per cent.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from operator import itemgetter
from typing import Any

from benchmarks.measure import Comparison, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.events import EVERY_JOB
from lambdamagic.magics.lab import LabLink
from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.live import JobWidget
from lambdamagic.widgets.panel import JobsPanel
from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.showing import EVERY_S

_TASKS = 10_000
_FRAME_MS = 16.0


def nap(number: int) -> int:
    """Take a millisecond: less than that is not worth a task."""
    time.sleep(0.001)
    return number


class _Wire:
    """The kernel's end of a comm: counts what is sent, and keeps it for the browser."""

    comm_id = "wire"

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self.sizes: list[int] = []

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        """Take a message."""
        if data["method"] == "custom":
            parts = [bytes(buffer) for buffer in buffers or []]
            self.messages.append((data["content"], parts))
            self.sizes.append(len(json.dumps(data["content"])) + sum(map(len, parts)))

    def on_msg(self, callback: Any) -> None:
        """Nothing is heard."""

    def close(self, *args: Any, **more: Any) -> None:
        """Nothing is open."""


class _PanelWire:
    """The kernel's end of the panel's comm, with a page behind it or none."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.say: Any = None

    def send(self, data: Any) -> None:
        """Take a message."""
        self.sizes.append(len(json.dumps(data)))

    def on_msg(self, callback: Any) -> None:
        """Keep who hears the page."""
        self.say = callback

    def close(self) -> None:
        """Nothing is open."""


class _Panel:
    """JupyterLab's panel next to a job's own view; notes the processor time of its listener and its thread."""

    def __init__(self, session: Any, *, has_page: bool) -> None:
        self.wire, self.seconds = _PanelWire(), 0.0
        self.panel = JobsPanel(LabLink(session))
        self.panel.connect(self.wire)
        if has_page:
            self.wire.say({"content": {"data": {"kind": "hello"}}})
        self._remove = EVERY_JOB.add(self._hear)

    def _hear(self, event: Any) -> None:
        began = time.thread_time()
        self.panel(event)
        self.seconds += time.thread_time() - began

    def close(self) -> None:
        """End it, and add what its thread took."""
        self._remove()
        sender = self.panel._sender
        if sender is not None and sender.ident is not None:
            self.seconds += time.clock_gettime(time.pthread_getcpuclockid(sender.ident))
        self.panel.close()


class _Measured:
    """Listens and draws as a job's view does, and notes the processor time of both."""

    def __init__(self) -> None:
        self.listener, self.wire = ProgressListener(), _Wire()
        self.widget = JobWidget(self.listener, Actions(), OutputLog())
        self.widget.comm = self.wire
        self.widget._on_message(self.widget, {"kind": "ready"}, [])
        self.seconds, self._drawn = 0.0, 0.0

    def hear(self, event: Any) -> None:
        """Take in an event."""
        began = time.thread_time()
        self.listener(event)
        self.seconds += time.thread_time() - began

    def tick(self) -> None:
        """Draw, as often as a view does."""
        if time.monotonic() - self._drawn < EVERY_S:
            return
        self._drawn = time.monotonic()
        began = time.thread_time()
        self.widget.update(self.listener.snapshot(), time.time())
        self.seconds += time.thread_time() - began


def _run(book: Notebook, *, has_page: bool = True) -> tuple[float, _Measured, _Panel]:
    """Run the map with the measured view and panel next to it; return its wall time too."""
    from lambdamagic.jobs.job import Job

    book.shell.user_ns["nap"] = nap
    measured = _Measured()
    session, start, arrivals = book.magics.session, book.magics.session.start, Job.arrivals
    panel = _Panel(session, has_page=has_page)

    def starting(spec: Any, listeners: Any) -> Job:
        listeners.add(measured.hear)
        return start(spec, listeners)

    def arriving(job: Job, tick: Any = None, **more: Any) -> Any:
        for arrival in arrivals(job, measured.tick, **more):
            yield arrival
            measured.tick()

    session.start, Job.arrivals = starting, arriving  # type: ignore[method-assign]  # the benchmark's own ears
    try:
        began = time.perf_counter()
        book.run(f"_ = %lambda_map nap range({_TASKS})")
        return time.perf_counter() - began, measured, panel
    finally:
        panel.close()
        session.start, Job.arrivals = start, arrivals  # type: ignore[method-assign]


def _frames(messages: list[tuple[dict[str, Any], list[bytes]]]) -> list[float] | None:
    """Feed the messages to the page's own code in Chromium; return each update's milliseconds."""
    from playwright.sync_api import sync_playwright

    from lambdamagic.widgets.bundle import page_code, page_style
    from tests.browser import chromium

    path = chromium.find()
    if path is None:
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.set_content(f"<style>{page_style()}</style><div id='widget' style='width:900px'></div>")
        page.evaluate(
            """async (code) => {
                const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
                const { initialize, render } = (await import(url)).default;
                let take;
                const model = { get: () => "one", on: (_, f) => (take = f), off() {}, send() {} };
                initialize({ model });
                const el = document.getElementById("widget");
                render({ model, el });
                window.feed = async (content, texts) => {
                    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                    const views = texts.map((text) => new DataView(bytes(text).buffer));
                    const began = performance.now();
                    take(content, views);
                    const taken = performance.now() - began;
                    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
                    return taken + el.lambdamagic.frameMs;
                };
            }""",
            page_code(),
        )
        frames = [
            page.evaluate(
                "([content, texts]) => feed(content, texts)", [content, [base64.b64encode(b).decode() for b in parts]]
            )
            for content, parts in messages
        ]
        browser.close()
    return frames


def main() -> list[Comparison]:
    """Run and print."""
    with notebook() as book:
        _run(book)
        rounds = [_run(book) for _ in range(3)]
        closed = [_run(book, has_page=False) for _ in range(3)]
    share, measured, panel, wall = sorted(
        (((view.seconds + panel.seconds) / wall, view, panel, wall) for wall, view, panel in rounds), key=itemgetter(0)
    )[1]
    hidden, _, unseen, quiet = sorted(
        ((panel.seconds / wall, view, panel, wall) for wall, view, panel in closed), key=itemgetter(0)
    )[1]
    sizes = measured.wire.sizes
    lines = [
        Comparison(
            f"widget and panel of {_TASKS:,} tasks of 1 ms",
            "the job",
            (measured.seconds + panel.seconds) * 1000,
            wall * 1000,
            share,
            0.02,
        ),
        Comparison("the panel where no page has it", "the job", unseen.seconds * 1000, quiet * 1000, hidden, 0.005),
    ]
    frames = _frames(measured.wire.messages)
    if frames is not None:
        typical = statistics.median(frames[1:])
        lines.append(
            Comparison(
                f"a frame of {_TASKS:,} cells on update", "60 a second", typical, _FRAME_MS, typical / _FRAME_MS, 1.0
            )
        )
    notes = [
        f"to the page: {len(sizes)} messages in {wall:.1f} s, median {statistics.median(sizes) / 1000:.1f} kB, "
        f"largest {max(sizes) / 1000:.1f} kB, together {sum(sizes) / 1000:.0f} kB",
        f"the widget takes {measured.seconds / wall:.2%} and the panel {panel.seconds / wall:.2%}, which sent "
        f"{len(panel.wire.sizes)} messages of {statistics.median(panel.wire.sizes) / 1000:.1f} kB",
    ]
    if frames is not None:
        notes.append(
            f"the first frame, of all cells: {frames[0]:.1f} ms; the slowest after it: {max(frames[1:]):.1f} ms"
        )
    else:
        notes.append("no Chromium: no frames were measured")
    show("Views", lines, notes)
    return lines


if __name__ == "__main__":
    main()
