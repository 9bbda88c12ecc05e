"""One browser for all browser tests, and a separate page for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.browser.jupyter import Jupyter


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Headless Chromium. Without one the tests are skipped, except where REQUIRE_BROWSER says that they must run.

    It ends with this folder's tests: as long as Playwright's synchronous interface is open, an event loop runs in this
    thread, and no other could.
    """
    from playwright.sync_api import sync_playwright

    path = chromium.find()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("no Chromium: `python -m tests.browser.chromium` installs one where it can")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="package")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A JupyterLab server."""
    found = Jupyter(tmp_path_factory.mktemp("jupyterlab"), "lab")
    yield found
    found.close()


@pytest.fixture(scope="package")
def kept_page(browser: Any) -> Iterator[Any]:
    """A page that stays open: loading JupyterLab costs five seconds of processor time, another notebook in it one."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(90_000)
    yield page
    context.close()


@pytest.fixture
def lab_page(kept_page: Any) -> Callable[..., Any]:
    """Gives tests that need JupyterLab, and not a new one, the page that they share."""

    def resized(width: int = 1000, height: int = 800) -> Any:
        kept_page.set_viewport_size({"width": width, "height": height})
        return kept_page

    return resized


@pytest.fixture
def keep() -> Callable[[Any, str], None]:
    """Keeps a screenshot on request."""

    def take(page: Any, name: str) -> None:
        folder = os.environ.get("PICTURES")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return take


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Opens pages; a page that logged an error, or whose script raised, fails its test.

    PICTURES=folder keeps a screenshot of each page as it was at the end.
    """
    contexts: list[Any] = []
    problems: list[str] = []

    def note(message: Any) -> None:
        if message.type == "error" and "favicon" not in message.text:
            problems.append(message.text)

    def open_one(*, strict: bool = True, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        if strict:
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", note)
        return page

    yield open_one
    for number, context in enumerate(contexts):
        if folder := os.environ.get("PICTURES"):
            context.pages[0].screenshot(path=Path(folder) / f"end-of-{request.node.name}-{number}.png")
        context.close()
    assert not problems, problems
