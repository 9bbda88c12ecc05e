"""The widget in a plain page, which gets the kernel's own messages and is heard by the kernel's side of it."""

from __future__ import annotations

import base64
import json
from typing import Any

from lambdamagic.widgets.actions import Actions, OutputLog
from lambdamagic.widgets.bundle import page_code, page_style
from lambdamagic.widgets.live import JobWidget
from lambdamagic.widgets.progress import ProgressListener
from tests.widgets.jobs import START

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Widget</title><style>{style}</style>
<style>
body {{ margin: 20px; font-family: sans-serif; background: #fff }}
body[data-jp-theme-light="false"] {{ background: #111; --jp-layout-color1: #212121; --jp-ui-font-color0: #fff; }}
</style></head><body data-jp-theme-light="{light}"><main><div id="widget" style="width: {width}px"></div></main>
<script type="module">
const url = URL.createObjectURL(new Blob([{code}], {{ type: "text/javascript" }}));
const {{ initialize, render }} = (await import(url)).default;
const listeners = new Set();
const model = {{
  get: (name) => (name === "key" ? "one" : undefined),
  on: (name, listener) => listeners.add(listener),
  off: (name, listener) => listeners.delete(listener),
  send: (content) => window.toKernel(content),
}};
window.hear = (content, buffers) => {{
  const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
  for (const listener of listeners) listener(content, views);
}};
initialize({{ model }});
const el = document.getElementById("widget");
window.close = render({{ model, el }});
window.widget = el.lambdamagic;
</script></body></html>"""


class _Line:
    """A comm whose other end is the page."""

    comm_id = "line"

    def __init__(self, page: Any) -> None:
        self._page = page
        self.sizes: list[int] = []

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        if data["method"] == "custom":
            texts = [base64.b64encode(bytes(buffer)).decode() for buffer in buffers or []]
            self.sizes.append(len(json.dumps(data["content"])) + sum(map(len, buffers or [])))
            self._page.evaluate("([content, buffers]) => hear(content, buffers)", [data["content"], texts])

    def on_msg(self, callback: Any) -> None:
        """The page is heard by `WidgetPage.listen`."""

    def close(self, *args: Any, **more: Any) -> None:
        """Nothing is open."""


class WidgetPage:
    """A widget with both of its ends.

    Args:
        page: An empty page.
        actions: What can be done with the job.
        light: Whether the theme is light.
        is_deaf: Whether the kernel is busy, so that it hears nothing.
    """

    def __init__(
        self, page: Any, *, actions: Actions | None = None, light: bool = True, is_deaf: bool = False, width: int = 900
    ) -> None:
        self.page, self.listener, self.log = page, ProgressListener(), OutputLog()
        self.said: list[dict[str, Any]] = []
        self._unheard: list[dict[str, Any]] = []
        self.is_deaf = is_deaf
        self.widget = JobWidget(self.listener, actions or Actions(), self.log)
        self.line = _Line(page)
        self.widget.comm = self.line
        # A page cannot be answered in the middle of a call: its messages are read when the test listens.
        page.expose_function("toKernel", lambda content: self._unheard.append(content))
        code = json.dumps(page_code()).replace("</", "<\\/")
        page.set_content(_PAGE.format(style=page_style(), light="true" if light else "false", code=code, width=width))
        # Until the module has run, `window.widget` is the element with that id.
        page.wait_for_function("window.widget !== undefined && !(window.widget instanceof Element)")
        self.listen()

    def listen(self) -> None:
        """Let the kernel hear what the page has said."""
        waiting, self._unheard = self._unheard, []
        for content in waiting:
            self.said.append(content)
            if not self.is_deaf:
                self.widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    def wait_until_said(self, kind: str) -> dict[str, Any]:
        """Wait until the page has said something of this kind, let it be heard, and return it."""
        for _ in range(6000):
            found = next((content for content in self._unheard if content["kind"] == kind), None)
            if found is not None:
                self.listen()
                return found
            self.page.wait_for_timeout(10)
        raise AssertionError(f"the page did not say {kind!r}; it said {self.said + self._unheard}")

    def happens(self, *events: Any) -> None:
        """Let something happen to the job; nothing is sent."""
        for event in events:
            self.listener(event)

    def update(self, now: float = START + 4) -> None:
        """Let the kernel's side tick, and the page draw."""
        self.widget.update(self.listener.snapshot(), now)
        self.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")

    def close(self) -> None:
        """End the kernel's side."""
        self.widget.close()
