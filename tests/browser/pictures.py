"""The pictures of docs/images that show a notebook's day, taken of the real thing: `python -m tests.browser.pictures`.

It runs notebooks in JupyterLab and headless Chromium against the embedded Lambda, and takes a picture of a cell as it
is while it runs or afterwards. `map.gif` is a map from its first task to its result. Names as arguments take these
pictures only.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.browser.jupyter import Jupyter, NotebookPage

_FOLDER = Path(__file__).parents[2] / "docs" / "images"
_SETUP = "%load_ext lambdamagic\n%config LambdaMagics.memory_mb = 1024"
_FIRST = "%%lambda\nimport matplotlib.pyplot, pandas, tqdm  # a cold start is not what the pictures are of"
#: As a line of 100 Mbit/s has it; this machine's own is too fast for a picture.
_SLOW_LINE = """\
import time
from lambdamagic.aws import connections
whole = connections.chunks
def slowly(views):
    for chunk in whole(views):
        time.sleep(len(chunk) / 12_500_000)
        yield chunk
connections.chunks = slowly"""
_FRAME_MS, _LAST_MS, _FRAMES = 300, 4000, 60


class Album:
    """A notebook that is open in a page, and the pictures of its cells.

    Args:
        jupyter: The server.
        browser: Chromium.
        folder: Where the pictures go.
        scale: How many pixels of a picture are one of the page.
    """

    def __init__(self, jupyter: Jupyter, browser: Any, folder: Path, *, scale: int = 2) -> None:
        self._jupyter, self._browser, self.folder, self._scale = jupyter, browser, folder, scale
        self.page: Any = None
        self.notebook: Any = None

    def open(self, name: str, *cells: str) -> None:
        """Open a notebook with the cells after the set-up, which is run."""
        path = self._jupyter.write(f"{name}.ipynb", _SETUP, _FIRST, *cells)
        options = {"viewport": {"width": 1000, "height": 1400}, "device_scale_factor": self._scale}
        self.page = self._browser.new_context(**options).new_page()
        self.page.set_default_timeout(120_000)
        self.notebook = NotebookPage(self.page)
        self._jupyter.open(self.page, path.name)
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        for cell in (0, 1):
            self.notebook.run(cell)

    def cell(self, number: int) -> Any:
        """Return a cell of those that follow the set-up."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number + 2)

    def output(self, number: int) -> Any:
        """Return what it shows."""
        return self.notebook.output(number + 2)

    def start(self, number: int) -> None:
        """Begin to run it."""
        self.notebook.start(number + 2)

    def run(self, number: int) -> None:
        """Run it to its end."""
        self.notebook.run(number + 2)

    def take(self, name: str, number: int) -> None:
        """Take a picture of a cell as it is now."""
        self.page.mouse.move(5, 5)
        self.cell(number).screenshot(path=self.folder / f"{name}.png")

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()


def dollar_signs(album: Album) -> None:
    """Prices stay prices."""
    album.open(
        "dollars",
        "shares = {'A': (189.20, 12), 'B': (402.10, 3)}",
        "%%lambda --name '$ per share'\nimport time; time.sleep(1)\n"
        "for name, (price, count) in shares.items():\n"
        "    print(f'{name}: ${price:.2f} × {count} = ${price * count:,.2f}')",
        "%%lambda --plan\nsum(price * count for price, count in shares.values())",
    )
    album.run(0)
    album.run(1)
    album.take("dollar-signs", 1)
    album.run(2)
    album.take("plan-dollars", 2)


def progress(album: Album) -> None:
    """A bar while its cell runs, and what stays when it is stopped."""
    album.open(
        "progress",
        "%%lambda --name training\nimport time\nfrom tqdm.auto import tqdm\n\nfor epoch in range(1, 4):\n"
        "    print('epoch', epoch)\n    for step in tqdm(range(60), desc='fitting'):\n        time.sleep(0.1)\n"
        "model = 'fitted'",
    )
    album.start(0)
    album.output(0).locator(".lm-now pre", has_text="epoch 2").wait_for()
    album.output(0).locator(".lm-now pre", has_text="%|").wait_for()
    album.take("progress", 0)
    album.notebook.interrupt()
    album.notebook.wait_until_ready()
    album.output(0).get_by_text("KeyboardInterrupt").wait_for()
    album.take("stopped", 0)


def displays(album: Album) -> None:
    """A table that is updated while its cell runs."""
    album.open(
        "displays",
        "%%lambda --name 'grid search'\nimport time\nimport pandas as pd\n\n"
        "scores = pd.DataFrame(columns=['depth', 'score'])\n"
        "table = display(scores, display_id=True)\nfor depth in range(1, 9):\n    time.sleep(1)\n"
        "    scores.loc[depth] = depth, round(0.9 - 1 / (depth + 2) ** 2, 3)\n    table.update(scores)",
    )
    album.start(0)
    album.output(0).locator("table.dataframe tbody tr").nth(2).wait_for()
    album.take("displays", 0)
    album.notebook.wait_until_ready()


def files(album: Album) -> None:
    """A file that is sent with it, one that comes back, and a figure that was closed."""
    album.open(
        "files",
        "from pathlib import Path\n_ = Path('points.csv').write_text('x,y\\n0,1\\n1,3\\n2,2\\n3,5\\n4,4\\n')",
        "%%lambda --file points.csv --fetch plot.png --name 'a plot of a file'\n"
        "import pandas as pd, matplotlib.pyplot as plt\n"
        "frame = pd.read_csv('points.csv')\nfig, axis = plt.subplots(figsize=(5, 2.2))\n"
        "axis.plot(frame.x, frame.y, marker='o')\nfig.savefig('plot.png')\nplt.close(fig)\nfig",
    )
    album.run(0)
    album.run(1)
    album.output(1).locator("img").last.wait_for()
    album.take("file-figure", 1)


def transfers(album: Album) -> None:
    """Pickling, and sending over a slow line."""
    album.open(
        "transfers",
        "rows = [{'n': n, 'name': f'row {n}', 'tags': ['a', str(n)]} for n in range(1_500_000)]",
        _SLOW_LINE,
        "%%lambda --name 'count rows'\nlen(rows)",
    )
    for cell in (0, 1):
        album.run(cell)
    album.start(2)
    album.output(2).get_by_text("pickling").wait_for()
    album.take("pickling", 2)
    album.output(2).get_by_text("sending").first.wait_for()
    album.page.wait_for_timeout(1500)
    album.take("sending", 2)
    album.notebook.wait_until_ready()


def prints(album: Album) -> None:
    """A map that prints much: a summary in the cell, all of it in the card."""
    album.open(
        "prints",
        "def clean(n):\n    for step in ('read', 'parse', 'store'):\n        print(step, n)\n    return n",
        "cleaned = %lambda_map clean range(1000)",
    )
    album.run(0)
    album.run(1)
    album.output(1).locator("details summary").last.click()
    album.take("prints", 1)


def moving_map(album: Album) -> None:
    """A map from its first task to its result, as an animation."""
    from PIL import Image

    album.open(
        "map",
        "import random, time\n\ndef evaluate(n):\n    time.sleep(random.lognormvariate(-2.6, 0.6))\n    return n * n",
        "scores = %lambda_map --chunksize 5 --max-concurrency 16 evaluate range(1000)",
    )
    album.run(0)
    album.start(1)
    album.output(1).locator(".lm-widget").wait_for()
    box = album.cell(1).bounding_box()
    clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": min(box["height"], 620)}
    frames: list[bytes] = []
    while len(frames) < _FRAMES and not album.output(1).locator(".lmr").count():
        frames.append(album.page.screenshot(clip=clip))
        album.page.wait_for_timeout(_FRAME_MS - 100)
    album.output(1).locator(".lmr").wait_for()
    album.page.wait_for_timeout(500)
    frames.append(album.page.screenshot(clip=clip))
    seen = [Image.open(io.BytesIO(each)).convert("RGB") for each in frames]
    both = Image.new("RGB", (seen[0].width, 2 * seen[0].height))  # the result has colors that the widget lacks
    both.paste(seen[len(seen) // 2], (0, 0))
    both.paste(seen[-1], (0, seen[0].height))
    palette = both.quantize(96)
    small = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in seen]
    times = [_FRAME_MS] * (len(small) - 1) + [_LAST_MS]
    small[0].save(
        album.folder / "map.gif", save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True
    )


_PICTURES: dict[str, Callable[[Album], None]] = {
    each.__name__: each for each in (dollar_signs, progress, displays, files, transfers, prints, moving_map)
}


def main(names: list[str], folder: Path = _FOLDER) -> None:
    """Take the pictures of these names, or all."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        jupyter = Jupyter(Path(place) / "jupyter", "lab")
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.ARGUMENTS)
        try:
            for name in names or _PICTURES:
                album = Album(jupyter, browser, folder, scale=1 if name == "moving_map" else 2)
                _PICTURES[name](album)
                album.close()
                print(name)
        finally:
            browser.close()
            jupyter.close()


if __name__ == "__main__":
    main(sys.argv[1:])
