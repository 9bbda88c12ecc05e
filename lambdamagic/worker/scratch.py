"""Where user code may write: a working directory, a HOME and caches under `/tmp`, the one writable place on Lambda.

The task root, HOME and the packages' folders are read-only there ("Lambda execution environment", Developer Guide), so
that `open("out.csv", "w")`, `pip install`, matplotlib's and Hugging Face's caches would fail. A new job finds an empty
working directory. HOME, caches and installed packages stay for the jobs of one session, and are emptied for another's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

_FOLDER = "lambdamagic-scratch"
#: Set unless the function's own variables say otherwise; below the scratch folder.
_VARIABLES = {
    "MPLCONFIGDIR": "home/.config/matplotlib",
    "NUMBA_CACHE_DIR": "home/.cache/numba",
    "PIP_PREFIX": "home/packages",
    "XDG_CACHE_HOME": "home/.cache",
    "XDG_CONFIG_HOME": "home/.config",
    "XDG_DATA_HOME": "home/.local/share",
    "XDG_STATE_HOME": "home/.local/state",
}
_LINKED_MAX = 200  # files of the function's package that the working directory shows; more would be felt


class Scratch:
    """The scratch folder of this execution environment.

    Args:
        environ: The process's variables; those that lead out of it are set here.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._root = Path(environ.get("TMPDIR") or "/tmp") / _FOLDER  # it is the environment's own
        self._work, self._home = self._root / "work", self._root / "home"
        self._session: str | None = None
        self._job = ""
        self._links: dict[str, str] | None = None
        for folder in (self._work, self._home):
            folder.mkdir(parents=True, exist_ok=True)
        if not _is_writable(environ.get("HOME", "")):
            environ["HOME"] = str(self._home)
        for name, relative in _VARIABLES.items():
            environ.setdefault(name, str(self._root / relative))
        environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        #: Where `pip install` puts packages; found after all others, as it leaves out what is already installed.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._prefix = environ["PIP_PREFIX"]
        self.packages = str(Path(self._prefix) / "lib" / version / "site-packages")
        paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        if self.packages not in paths:  # for the processes that user code starts; ours is given it below
            environ["PYTHONPATH"] = os.pathsep.join([*paths, self.packages])

    def enter(self, job_id: str, session: str) -> bool:
        """Make the working directory current, empty for a new job; return whether it was emptied.

        Args:
            job_id: The job; its chunks find what those before them have left here.
            session: Whose it is. Nothing is left here for anybody else.
        """
        if session != self._session:
            _empty(self._home)
            # Made at once: libraries remember that a folder is there, and the importer that one is not.
            for folder in (*(self._root / relative for relative in _VARIABLES.values()), Path(self.packages)):
                folder.mkdir(parents=True, exist_ok=True)
            # uv has no variable for this, as pip has.
            uv = self._root / _VARIABLES["XDG_CONFIG_HOME"] / "uv" / "uv.toml"
            uv.parent.mkdir()
            places = {"prefix": self._prefix, "python": sys.executable}
            uv.write_text("[pip]\n" + "".join(f"{name} = {json.dumps(place)}\n" for name, place in places.items()))
            self._session = session
        try:
            os.chdir(self._work)
        except FileNotFoundError:  # code of the last job has removed it
            self._work.mkdir(parents=True)
            os.chdir(self._work)
        is_new = job_id != self._job
        if is_new:
            self._job = job_id
            self._show_package()
        if self.packages not in sys.path:
            sys.path.append(self.packages)
        return is_new

    def _show_package(self) -> None:
        """Leave nothing in the working directory but links to the data files of the function's package."""
        if self._links is None:
            self._links = _data_files(os.environ.get("LAMBDA_TASK_ROOT", ""))
        there = _empty(self._work, keep=self._links)
        for name in self._links.keys() - there:
            (self._work / name).symlink_to(self._links[name])


def _is_writable(folder: str) -> bool:
    return bool(folder) and Path(folder).is_dir() and os.access(folder, os.W_OK)


def _data_files(task_root: str) -> dict[str, str]:
    """Return what is in the task root and is no code, by its name: on Lambda that is the working directory."""
    found: dict[str, str] = {}
    try:
        with os.scandir(task_root or ".") as entries:
            for entry in entries:
                is_code = entry.name.endswith((".py", ".pyc", ".so", ".dist-info", "__pycache__"))
                is_own = entry.name.startswith("lambdamagic")
                if not is_code and not is_own and not (Path(entry.path) / "__init__.py").exists():
                    found[entry.name] = entry.path
    except OSError:
        return {}  # there is no task root
    return found if len(found) <= _LINKED_MAX else {}


def _empty(folder: Path, keep: dict[str, str] | None = None) -> set[str]:
    """Delete what is in a folder but for links that are wanted there; return the names of those."""
    kept: set[str] = set()
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return kept
    for entry in entries:
        if keep and entry.is_symlink() and keep.get(entry.name) == os.readlink(entry.path):  # noqa: PTH115
            kept.add(entry.name)
        elif entry.is_dir(follow_symlinks=False):
            import shutil

            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)
    return kept
