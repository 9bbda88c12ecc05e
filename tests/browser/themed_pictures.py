"""The pictures of docs/images that show the views in both themes: `python -m tests.browser.themed_pictures`.

Names as arguments take these pictures only.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.browser.jupyter import Jupyter, NotebookPage

_FOLDER = Path(__file__).parents[2] / "docs" / "images"
_SETUP = "%load_ext lambdamagic\n%config LambdaMagics.memory_mb = 1024"
_DIGITS = """\
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=1)"""
_BUILD = '''\
def build(candidate):
    """Make the model that a candidate stands for."""
    return make_pipeline(StandardScaler(), SVC(C=candidate["C"], gamma=candidate["gamma"]))

def evaluate(candidate):
    """Return the mean accuracy of a candidate over three folds."""
    return cross_val_score(build(candidate), X_train, y_train, cv=3).mean()'''
_BEST = """\
%%lambda --name "fit the best"
results.sort(key=lambda result: result["accuracy"], reverse=True)
best = results[0]
model = build(best).fit(X_train, y_train)
print(f"best: C={best['C']:g}, gamma={best['gamma']:g}")
print(f"accuracy on unseen digits: {model.score(X_test, y_test):.4f}")
print(f"over 30 folds: {cross_val_score(model, X_train, y_train, cv=30).mean():.4f}")
pd.DataFrame(results).head()"""
_SLEEPS = """\
import random, time
def evaluate(n):
    time.sleep(random.lognormvariate(-3.2, 0.6))
    if n % 111 == 5:
        raise ValueError(f"no convergence for {n}")
    return n * n
candidates = range(2000)"""
_RETRIED = """\
import time
from pathlib import Path
fixed = Path("fixed").absolute()
fixed.unlink(missing_ok=True)

def evaluate(n):
    time.sleep(0.05)
    if n % 80 == 0 and not fixed.exists():
        raise ValueError("no convergence")
    return n * n"""


def _shrink(path: Path) -> None:
    """Give a picture 256 colors: views have fewer, and the page that shows it loads faster."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


class Shooting:
    """Opens notebooks in one theme, and takes pictures of them.

    Args:
        jupyter: The server.
        browser: Chromium.
        folder: Where the pictures go.
        theme: `light` or `dark`.
    """

    def __init__(self, jupyter: Jupyter, browser: Any, folder: Path, theme: str) -> None:
        self._jupyter, self._browser, self.folder, self.theme = jupyter, browser, folder, theme
        self.page: Any = None
        self.notebook: Any = None

    def open(self, name: str, *cells: str, run: int, width: int = 1000, height: int = 1400, scale: int = 2) -> None:
        """Open a notebook, and run so many of its cells."""
        path = self._jupyter.write(f"{name}-{self.theme}.ipynb", *cells)
        options = {"viewport": {"width": width, "height": height}, "device_scale_factor": scale}
        self.page = self._browser.new_context(**options).new_page()
        self.page.set_default_timeout(120_000)
        self.notebook = NotebookPage(self.page)
        self._jupyter.open(self.page, path.name)
        self.notebook.theme(f"JupyterLab {self.theme.capitalize()}")
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for number in range(run):
            self.notebook.run(number)

    def cell(self, number: int) -> Any:
        """Return a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def take(self, name: str, of: Any = None) -> None:
        """Take a picture of an element, or of the whole page."""
        self.page.mouse.move(5, 5)
        path = self.folder / f"{name}-{self.theme}.png"
        (self.page if of is None else of).screenshot(path=path)
        _shrink(path)

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()


def cell(shooting: Shooting) -> None:
    """A cell, an error of a map, and the session's jobs."""
    pairs = '[{"C": c, "gamma": g} for c in (1, 3, 10, 30) for g in (0.001, 0.003, 0.01)]'
    shooting.open(
        "cell",
        _SETUP,
        _DIGITS,
        _BUILD,
        f"candidates = {pairs}",
        "accuracies = %lambda_map evaluate candidates",
        "results = [{**candidate, 'accuracy': found} for candidate, found in zip(candidates, accuracies)]",
        _BEST,
        'attempts = %lambda_map evaluate [{"C": 1, "gamma": 0.01}, {"C": 1}]',
        "%lambda jobs",
        run=7,
    )
    shooting.take("cell", shooting.cell(6))
    shooting.notebook.run(7)
    shooting.take("error", shooting.cell(7))
    shooting.notebook.run(8)
    shooting.take("jobs", shooting.cell(8))


def widget(shooting: Shooting) -> None:
    """A map while it runs: its tasks, its timeline; and its result, of which some tasks failed."""
    shooting.open(
        "widget",
        _SETUP,
        _SLEEPS,
        "scores = %lambda_map --on-error return --chunksize 5 --max-concurrency 16 evaluate candidates",
        run=2,
    )
    shooting.notebook.start(2)
    card = shooting.notebook.output(2).locator(".lm-widget")
    shooting.page.wait_for_timeout(9_000)
    shooting.take("widget", card)
    card.get_by_role("tab", name="Timeline").click()
    shooting.page.wait_for_timeout(1_000)
    shooting.take("timeline", card)
    shooting.notebook.wait_until_ready()
    if shooting.theme == "light":
        shooting.notebook.output(2).locator(".lmr details pre").first.wait_for()
        shooting.cell(2).screenshot(path=shooting.folder / "partly.png")
        _shrink(shooting.folder / "partly.png")


def panel(shooting: Shooting) -> None:
    """JupyterLab with the panel at its right, and a map whose failed tasks can be retried; and the two at first."""
    shooting.open(
        "panel",
        f"{_SETUP}\n{_RETRIED}",
        "scores = %lambda_map --on-error return --chunksize 5 --max-concurrency 4 evaluate range(200)",
        "%%lambda\ntotal = sum(each for each in scores if isinstance(each, int))\nprint('total:', total)\ntotal",
        "%%lambda\nscores[10_000]",
        run=2,
        width=1280,
        height=800,
        scale=1,
    )
    shooting.page.evaluate("window.jupyterapp.commands.execute('lambdamagic:show-jobs')")
    if shooting.theme == "light":
        shooting.notebook.output(1).get_by_role("button", name="Retry").wait_for()
        shooting.cell(0).scroll_into_view_if_needed()
        shooting.page.screenshot(path=shooting.folder / "retry.png")
        _shrink(shooting.folder / "retry.png")
    shooting.notebook.run(2)
    shooting.notebook.run(3)
    shooting.page.wait_for_timeout(1_000)
    shooting.cell(1).scroll_into_view_if_needed()
    shooting.take("panel")


_ACCOUNT = """\
import os, subprocess, sys
from lambdamagic.local.local_server import LocalServer
account = LocalServer.start()
os.environ |= {**account.connection.environment(), "HOME": "/tmp/home"}  # deploying writes settings
subprocess.run([sys.executable, "-m", "lambdamagic", "deploy"], check=True)
import sklearn"""


def doctor(shooting: Shooting) -> None:
    """What `%lambda doctor` finds in an account with a function that lacks a package."""
    shooting.open("doctor", _ACCOUNT, "%load_ext lambdamagic", "%lambda doctor", "account.close()", run=3)
    shooting.take("doctor", shooting.cell(2))
    shooting.notebook.run(3)


_PICTURES: dict[str, Callable[[Shooting], None]] = {each.__name__: each for each in (cell, widget, panel, doctor)}


def main(names: list[str], folder: Path = _FOLDER) -> None:
    """Take the pictures of these names, or all, in both themes."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        jupyter = Jupyter(Path(place) / "jupyter", "lab")
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.ARGUMENTS)
        try:
            for name in names or _PICTURES:
                for theme in ("light", "dark"):
                    shooting = Shooting(jupyter, browser, folder, theme)
                    _PICTURES[name](shooting)
                    shooting.close()
                    print(name, theme)
        finally:
            browser.close()
            jupyter.close()


if __name__ == "__main__":
    main(sys.argv[1:])
