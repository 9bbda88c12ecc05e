"""The browser of the browser tests: Debian's headless shell, another Chromium that is installed, or Playwright's own.

The shell is Chromium without windows. The whole browser draws its own window for each page, also where it is headless:
four fifths of the processor time of a small page.

`python -m tests.browser.chromium` installs one where it can, and says so where it cannot; `make test` calls it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_SHELL = "chromium-headless-shell"
_NAMES = (_SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: No sandbox: CI is root. No shared memory: containers have little of it.
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]


def find() -> str | None:
    """Return the path of a browser, or None."""
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install() -> str | None:
    """Install a browser; return its path, or None where that is not possible."""
    if shutil.which(_SHELL) is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (_apt(_SHELL), ["apt-get", "update", "-qq"], _apt(_SHELL)):
            if _run(command) and shutil.which(_SHELL) is not None:
                break
        if find() is None:  # a distribution without the shell
            _run(_apt("chromium"))
    if find() is None:
        _run([sys.executable, "-m", "playwright", "install", "chromium"])
    return find()


def _apt(package: str) -> list[str]:
    return ["apt-get", "install", "-y", "-qq", package, "fonts-liberation"]


def _run(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, check=False, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    path = install()
    if path is None:
        print("no browser could be installed: the browser tests will be skipped (install Chromium to run them)")
    elif "--quiet" not in sys.argv:
        print(path)
