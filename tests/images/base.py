"""A base image from Debian's packages, since no registry's image may be at hand: made by debootstrap, kept as a tar.

`python -m tests.images.base` makes it (some 90 s, 240 MB in the user's cache folder); with it there, nothing happens.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = "bookworm"
PYTHON = "3.11"  # Debian 12's
_PACKAGES = "python3,python3-pip,ca-certificates"
_TIMEOUT_S = 600


def cache_folder() -> Path:
    """Return the cache folder of the user, not of a test's home."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "lambdamagic-tests"


def base_tar(folder: Path) -> Path:
    """Return the tar of the base, made at first use.

    Raises:
        RuntimeError: debootstrap failed; carries the end of its log.
    """
    path = folder / f"debian-{SUITE}-python-1.tar"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="debian-", dir=folder) as temporary:
        root = Path(temporary) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
        partial = Path(temporary) / "base.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(partial), "."], check=True, timeout=120)
        partial.rename(path)
    print(f"made {path} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return path


if __name__ == "__main__":
    base_tar(cache_folder())
