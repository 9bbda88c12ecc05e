"""Takes the pictures of docs/dask.md: `python -m tests.browser.graph_pictures docs/images`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.browser.jupyter import Jupyter

_SETUP = """\
import time
import dask.array as da
import numpy as np
import lambdamagic.dask

def simulate(block_info=None):
    row, column = block_info[None]["chunk-location"]
    time.sleep(0.3 + 0.25 * ((3 * row + column) % 4))
    return np.random.default_rng(row * 10 + column).random((200, 200))

def smooth(block):
    time.sleep(0.35)
    return (block + block.T) / 2

field = da.map_blocks(simulate, chunks=((200,) * 8, (200,) * 8), dtype=float)"""
_GRAPH = """\
on_lambda = lambdamagic.dask.DaskScheduler(max_workers=6, memory_mb=512)
(field.map_blocks(smooth).mean(axis=0) - field.std()).sum().compute(scheduler=on_lambda)"""


def main(folder: Path) -> None:
    """Take them: the widget while a graph runs, and the timeline that stays, in both themes."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.ARGUMENTS)
        jupyter = Jupyter(Path(scratch), "lab")
        try:
            for theme in ("Light", "Dark"):
                page = browser.new_page(viewport={"width": 1100, "height": 900}, device_scale_factor=2)
                page.set_default_timeout(45_000)
                jupyter.write(f"graph-{theme}.ipynb", _SETUP, _GRAPH)
                notebook = jupyter.open(page, f"graph-{theme}.ipynb")
                notebook.theme(f"JupyterLab {theme}")
                take(notebook, folder, theme.lower())
                page.close()
        finally:
            jupyter.close()
            browser.close()


def take(notebook: Any, folder: Path, theme: str) -> None:
    """Run the notebook's cells, and take both pictures."""
    page = notebook.page
    notebook.run(0)
    notebook.start(1)
    page.wait_for_function("Number(document.querySelector('.lm-bar')?.getAttribute('aria-valuenow')) >= 60")
    page.locator(".lm-grid").hover(position={"x": 120, "y": 8})
    page.locator(".lm-widget").screenshot(path=folder / f"graph-{theme}.png")
    page.get_by_role("tab", name="Timeline").click()
    page.wait_for_function("Number(document.querySelector('.lm-bar')?.getAttribute('aria-valuenow')) >= 130")
    page.locator(".lm-widget").screenshot(path=folder / f"graph-timeline-{theme}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
