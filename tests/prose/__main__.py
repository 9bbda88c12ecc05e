"""Look for words that the house style replaces, in the files that git knows: `python -m tests.prose [PATH ...]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.prose.check import findings


def _files(places: list[str]) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *places], capture_output=True, text=True, check=True)
    return [path for path in map(Path, listed.stdout.splitlines()) if path.exists()]


def main(places: list[str]) -> int:
    """Print each finding as `file:line: word -> better`; the exit status is 1 if there is one."""
    found = [finding for path in _files(places) for finding in findings(path)]
    for finding in found:
        print(finding)
    if found:
        print(f"{len(found)} places to rewrite: see `Words` in CONTRIBUTING.md")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
