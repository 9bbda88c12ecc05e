"""The instance's folder: made for one user's eyes, and swept up after an instance that could not do it itself."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from lambdamagic.errors import LocalServerError

_PREFIX = "lambdamagic-local-"


def make_folder(parent: str | None) -> tuple[Path, int]:
    """Make a new folder with access for this user only.

    Returns:
        The folder, and a descriptor that holds its lock, for the keeper. As long as any copy of it is open, no start
        sweeps the folder.

    Raises:
        LocalServerError: The parent does not exist, cannot be written, or is full.
    """
    base = Path(parent) if parent is not None else Path(tempfile.gettempdir())
    folder: Path | None = None
    try:
        sweep(base)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        for name in ("environments", "objects", "packages", "tmp"):
            (folder / name).mkdir()
        lock = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Before there is anything in it: another start passes empty ones over, and takes one that is not locked.
            fcntl.flock(lock, fcntl.LOCK_EX)
            # A full disk often still has room for an empty folder, so something is written.
            os.write(lock, b"\0" * 4096)
        except OSError:
            os.close(lock)
            raise
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise LocalServerError(
            f"the embedded Lambda cannot write to {base}: {error.strerror or error}",
            hint="Free some space there or choose another place with the folder option",
        ) from error
    return folder, lock


def sweep(base: Path) -> None:
    """Remove the folders of this user's instances whose keeper is gone (killed, or lost in a power cut)."""
    for folder in base.glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            with (folder / "keeper.lock").open("r+b") as lock:
                # A lock file that is still empty belongs to an instance that is just starting.
                if os.fstat(lock.fileno()).st_size == 0:
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # held by a living keeper, or removed by its own at this moment
