"""The browser of the browser tests: Debian's chromium, another that is installed, or Playwright's own.

`python -m tests.browser.chromium` installs one where it can, and says so where it cannot; `make test` calls it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
    """Install a browser if there is none; return its path, or None where that is not possible."""
    if (found := find()) is not None:
        return found
    attempts = []
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        attempts += [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]]
    attempts.append([sys.executable, "-m", "playwright", "install", "chromium"])
    for command in attempts:
        try:
            subprocess.run(command, check=False, timeout=600, stdout=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            continue
        if (found := find()) is not None:
            return found
    return None


if __name__ == "__main__":
    path = install()
    if path is None:
        print("no browser could be installed: the browser tests will be skipped (install Chromium to run them)")
    elif "--quiet" not in sys.argv:
        print(path)
