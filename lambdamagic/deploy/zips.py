"""Zip files that are the same bytes for the same content, on every machine and on every day."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lambdamagic.errors import PackageError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ZipFacts:
    """A finished zip file.

    Attributes:
        path: Where it is.
        sha256: The digest of its bytes, in hexadecimal.
        size_bytes: How large it is.
        unzipped_bytes: How large its content is, which is what Lambda limits.
    """

    path: Path
    sha256: str
    size_bytes: int
    unzipped_bytes: int

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda writes it in `CodeSha256`."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def tree(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield each file of a folder, and each link within it, as its name in a zip file, and its path.

    Raises:
        PackageError: A symbolic link leads out of the folder: in Lambda it would lead to nothing.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            _check_link(path, folder)
        if path.is_symlink() or path.is_file():
            yield f"{prefix}{path.relative_to(folder).as_posix()}", path


def _check_link(path: Path, folder: Path) -> None:
    # Not `Path.resolve`, which refuses links in a circle on Python 3.11 and 3.12.
    if path.readlink().is_absolute() or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise PackageError(
            f"{path.relative_to(folder)} is a symbolic link that leads out of its folder, to {path.readlink()}",
            hint="Put a copy in its place, or leave it out",
        )


def write_zip(target: Path, files: Iterable[tuple[str, Path | bytes]]) -> ZipFacts:
    """Write a zip file; equal names and contents give equal bytes.

    Order is that of the names, times are fixed, and of the modes only "executable" is kept; links stay links. zlib's
    output can differ between its versions; on one machine it does not.

    Args:
        target: Where to write it.
        files: Names in the zip file, each with a file or its content. A later one wins over an earlier one.
    """
    entries = dict(files)
    unzipped = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(entries):
            content = entries[name]
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.create_system = 3  # Unix, whatever this is: it decides how the mode is read
            info.compress_type = zipfile.ZIP_DEFLATED
            is_link = isinstance(content, Path) and content.is_symlink()
            info.external_attr = (stat.S_IFLNK | 0o777 if is_link else stat.S_IFREG | _mode(content)) << 16
            if isinstance(content, bytes):
                data = content
            else:
                data = os.fsencode(content.readlink()) if is_link else content.read_bytes()
            unzipped += len(data)
            archive.writestr(info, data)
    return facts_of(target, unzipped)


def facts_of(path: Path, unzipped_bytes: int | None = None) -> ZipFacts:
    """Return the facts of an existing zip file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    if unzipped_bytes is None:
        with zipfile.ZipFile(path) as archive:
            unzipped_bytes = sum(entry.file_size for entry in archive.infolist())
    return ZipFacts(path, digest.hexdigest(), path.stat().st_size, unzipped_bytes)


def _mode(content: Path | bytes) -> int:
    if isinstance(content, bytes):
        return 0o644
    return 0o755 if os.access(content, os.X_OK) else 0o644
