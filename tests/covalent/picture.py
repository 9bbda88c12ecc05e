"""Takes the picture of docs/covalent.md: `python -m tests.covalent.picture docs/images/covalent.png`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import ARGUMENTS, find
from tests.covalent.environment import CovalentHome, make
from tests.docs.snippets import blocks_of
from tests.environments import ROOT, lambdamagic_metadata
from tests.images.base import cache_folder


def main(path: str) -> None:
    """Run the page's lattice and photograph it in Covalent's own page."""
    python = make(cache_folder())
    program = next(block.text for block in blocks_of(ROOT / "docs/covalent.md") if block.language == "python")
    with tempfile.TemporaryDirectory(prefix="covalent-") as folder:
        package = lambdamagic_metadata(python, Path(folder) / "package")
        home = CovalentHome(python, Path(folder) / "home", package)
        try:
            home.start()
            home.run(program)  # the embedded Lambda is warm then
            dispatch_id = home.run(f"{program}\nanswer = dispatch_id\n")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
                page = browser.new_page(viewport={"width": 1600, "height": 700})
                page.goto(f"{home.url}/{dispatch_id}")
                node = page.get_by_text("Join Words").first
                node.wait_for(timeout=60_000)
                page.wait_for_load_state("networkidle")
                node.click()
                page.get_by_text("Executor: lambdamagic").wait_for(timeout=30_000)
                page.wait_for_function("document.getAnimations().every(each => each.playState === 'finished')")
                page.screenshot(path=path)
                browser.close()
        finally:
            home.close()


if __name__ == "__main__":
    main(sys.argv[1])
