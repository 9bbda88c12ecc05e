"""What stays in the notebook, as a separate page: on a light and a dark system, in a themed page, and sanitised."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from lambdamagic.widgets.progress import ProgressListener
from lambdamagic.widgets.result import render
from tests.browser.axe import violations
from tests.widgets.test_result import _job, _rendered

#: How many pixels of each image are green and red; its size is 0 when it could not be drawn.
COLORS = """(images) => images.map((image) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let [green, red] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] > 200 && data[at + 1] > data[at] + 60) green += 1;
        if (data[at + 3] > 200 && data[at] > data[at + 1] + 60) red += 1;
    }
    return { green, red, width: image.clientWidth };
})"""


@pytest.mark.parametrize("theme", ["system light", "system dark", "jupyter light", "jupyter dark"])
def test_axe_finds_nothing(open_page: Callable[..., Any], theme: str) -> None:
    """Contrast and structure hold wherever it is read; a page that says what theme it has is believed."""
    where, lightness = theme.split()
    page = open_page(color_scheme=lightness if where == "system" else {"light": "dark", "dark": "light"}[lightness])
    html = _rendered(*_job(300, error=lambda task: f"E{task % 3}" if task % 8 == 7 else ""), traceback="Traceback …")
    body = f' data-jp-theme-light="{str(lightness == "light").lower()}"' if where == "jupyter" else ""
    page.set_content(f'<html lang="en"><title>A result</title><body{body}><main id="all">{html}</main></body></html>')
    assert violations(page, "#all") == []
    ground = page.evaluate("getComputedStyle(document.querySelector('.lmr')).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 29, 32)"}[lightness]


@pytest.mark.parametrize("taken", ["styles", "styles and pictures"])
@pytest.mark.parametrize("ground", [("#ffffff", "#1f2328"), ("#0d1117", "#f0f6fc")])
def test_it_is_whole_where_a_page_takes_its_style_away(
    open_page: Callable[..., Any], ground: tuple[str, str], taken: str
) -> None:
    """Without style sheets, style attributes and classes (GitHub) the pictures have their colors; words never meet."""
    html = _rendered(*_job(300, error=lambda task: f"E{task % 3}" if task % 8 == 7 else ""), traceback="Traceback …")
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r' (?:class|style|role|tabindex|aria-label)="[^"]*"', "", html)
    if "pictures" in taken:
        html = re.sub(r"<img[^>]*>", "", html)
    page = open_page()
    back, words = ground
    body = f'<body style="background:{back};color:{words};font:14px sans-serif"><main>{html}</main></body>'
    page.set_content(f'<html lang="en"><title>A result</title>{body}</html>')
    assert violations(page, "main") == []
    lines = [line.strip() for line in page.locator("main").inner_text().splitlines() if line.strip()]
    assert lines[0] == "λ evaluate ! 37 of 300 failed"
    assert lines[1].startswith("300/300 tasks · 10.0 s · job ")
    assert lines[-1].startswith("✗ ")
    if "pictures" not in taken:
        shown = page.locator("img").evaluate_all(COLORS)
        assert len(shown) == 3
        assert all(one["green"] > 500 and one["red"] > 50 and one["width"] == 720 for one in shown)


@pytest.mark.parametrize("width", [320, 400, 570, 900])
def test_it_stays_within_its_edge(open_page: Callable[..., Any], width: int) -> None:
    """All figures of a job wrap where a notebook is narrow, as two side by side in JupyterLab are."""
    listener = ProgressListener()
    for event in _job(300, error=lambda task: f"E{task % 3}" if task % 8 == 7 else ""):
        listener(event)
    moved = {"sent_bytes": 41_000_000, "received_bytes": 3_200_000, "cost_usd": 0.0123, "peak_memory_mb": 812}
    counts = {"retried": 12, "throttled": 3, "backed_up": 2, "cached": 55}
    progress = replace(listener.snapshot(), label="cross_val_score(model, X_train, y_train)", **moved, **counts)
    page = open_page(viewport={"width": width, "height": 800})
    page.set_content(f'<html lang="en"><body style="margin:0">{render(progress, listener.tasks())}</body></html>')
    assert page.evaluate("document.documentElement.scrollWidth") == width
    edge = "(nodes) => Math.max(...nodes.map((node) => node.getBoundingClientRect().right))"
    assert page.locator(".lmr *").evaluate_all(edge) <= width


@pytest.mark.parametrize("width", [320, 400, 560, 900])
def test_the_words_of_an_axis_stay_readable(open_page: Callable[..., Any], width: int) -> None:
    """A picture is drawn smaller where its card is narrow, but its digits keep 6 pixels."""
    page = open_page(viewport={"width": width, "height": 800})
    html = _rendered(*_job(300))
    page.set_content(f'<html lang="en"><body style="margin:0">{html}</body></html>')
    image = Image.open(io.BytesIO(page.locator("img").last.screenshot())).convert("L")
    below = image.crop((0, int(image.height * 60 / 82) + 1, image.width, image.height))
    inked = [below.crop((0, y, 60, y + 1)).getextrema()[0] < 180 for y in range(below.height)]
    assert 6 <= sum(inked) <= 14, inked
