"""Installs packages with pip, and shows how far it is: `python notebooks/install.py FOLDER PACKAGE ...`.

It makes the virtual environment if it is not there. Needs nothing but Python.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

_LINE_EVERY_S = 10.0


class Installing:
    """What pip does, read from its output and, while it says nothing, from the environment's folder.

    Args:
        environment: The virtual environment.
    """

    def __init__(self, environment: Path) -> None:
        self._environment = environment
        self._began = time.monotonic()
        self._what, self._count, self._before = "starting", 0, len(self._installed())
        self.said: list[str] = []

    def _installed(self) -> list[Path]:
        return list(self._environment.glob("lib/python*/site-packages/*.dist-info"))

    def hear(self, line: str) -> None:
        """Take in a line of pip's."""
        self.said.append(line)
        if found := re.match(r"Installing collected packages: (.*)", line):
            self._count = len(found[1].split(","))
        elif found := re.match(r"\s*(Collecting|Downloading|Using cached) ([\w.-]+)", line):
            self._what = f"collecting {found[2].split('-')[0]}"

    def reported(self) -> str:
        """Return how far it is."""
        done = min(self._count, len(self._installed()) - self._before)
        what = f"{done} of {self._count} packages" if self._count else self._what
        return f"Installing: {what} · {time.monotonic() - self._began:.0f} s"


def install(environment: Path, packages: list[str]) -> int:
    """Install packages into a virtual environment, and return pip's exit status."""
    if not (environment / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--progress-bar", "off"]
    # Python compiles what it imports; pip would compile all, of which the demo imports a small part.
    command = [*pip, "--no-compile", *packages]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    installing = Installing(environment)
    over = threading.Event()
    shown = threading.Thread(target=_show, args=(installing, over))
    shown.start()
    assert process.stdout is not None
    for line in process.stdout:
        installing.hear(line.rstrip())
    status = process.wait()
    over.set()
    shown.join()
    if status:
        print("\n".join(installing.said[-30:]), file=sys.stderr)
    return status


def _show(installing: Installing, over: threading.Event) -> None:
    """Say how far it is: in one line that changes where there is a terminal, else now and then."""
    is_terminal = sys.stdout.isatty()
    while not over.wait(0.25 if is_terminal else _LINE_EVERY_S):
        print(
            f"\r\033[K{installing.reported()}" if is_terminal else installing.reported(),
            end="" if is_terminal else "\n",
        )
        sys.stdout.flush()
    print(f"\r\033[K{installing.reported()}" if is_terminal else installing.reported(), flush=True)


if __name__ == "__main__":
    sys.exit(install(Path(sys.argv[1]), sys.argv[2:]))
