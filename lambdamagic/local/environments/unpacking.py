"""Unpacks deployment packages and layers, once per content, into the instance's folder."""

from __future__ import annotations

import io
import os
import shutil
import stat
import threading
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from lambdamagic.errors import LocalServerError
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.local.environments.function_versions import FunctionVersion

MAX_UNZIPPED_BYTES = AWS_LAMBDA.package_bytes.most


class PackageStore:
    """Keeps unpacked packages by digest; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def task_root(self, function: FunctionVersion) -> Path:
        """Return the folder that stands for `/var/task`.

        Raises:
            LocalServerError: The package is not a zip file, is too large, or the disk is full.
        """
        return self._unpacked("task", function.code_digest or "empty", function.package)

    def layer_roots(self, function: FunctionVersion) -> list[Path]:
        """Return the folders that stand for `/opt`, the last layer first, since later layers win."""
        return [self._unpacked("layer", layer.digest, layer.package) for layer in reversed(function.layers)]

    def _unpacked(self, kind: str, digest: str, package: bytes) -> Path:
        target = self._folder / f"{kind}-{digest}"
        with self._lock:
            if target.exists():
                return target
            partial = target.with_suffix(".partial")
            try:
                shutil.rmtree(partial, ignore_errors=True)  # what a package that was refused has left
                partial.mkdir()  # not its parents: the instance may have ended, and its folder with it
                if package:
                    _unzip(package, partial)
                partial.rename(target)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise LocalServerError(f"the {kind} package is not a zip file: {error}") from error
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in an unknown way
                raise LocalServerError(f"the {kind} package cannot be unpacked: {error}") from error
            except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                raise LocalServerError(f"the {kind} package holds a file and a folder of one name: {error}") from error
            except OSError as error:
                raise LocalServerError(
                    f"the {kind} package could not be unpacked: {error}",
                    hint=f"Free space in {self._folder.parent} or start the server with another --folder",
                ) from error
        return target


def _unzip(package: bytes, target: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNZIPPED_BYTES:
            raise LocalServerError(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")
        links = []
        for entry in archive.infolist():
            # extract() itself drops "..", drive letters and leading slashes.
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                links.append(entry)
                continue
            path = archive.extract(entry, target)
            if mode & 0o111 and not entry.is_dir():
                os.chmod(path, 0o755)  # noqa: PTH101, S103 - a program in a package, as Lambda keeps its mode
        _make_links(archive, links, Path(os.path.realpath(target)))


def _make_links(archive: zipfile.ZipFile, links: Sequence[zipfile.ZipInfo], target: Path) -> None:
    """Make symbolic links as Lambda does, but for those that lead out of the package: functions share this machine.

    After all files, so that none is written through a link; and each is followed when all are there, since links
    that lead through other links lead elsewhere than their names say.
    """
    made = []
    for entry in links:
        path = target.joinpath(*(part for part in entry.filename.split("/") if part not in ("", ".", "..")))
        if os.path.realpath(path.parent) != str(path.parent):
            raise LocalServerError(f"the package's link {entry.filename} is below another link")
        to = os.fsdecode(archive.read(entry))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)
        made.append((path, to))
    for path, to in made:
        if Path(to).is_absolute() or not Path(os.path.realpath(path)).is_relative_to(target):
            raise LocalServerError(f"the package's link {path.relative_to(target)} leads out of it, to {to}")
