"""Files behind presigned URLs, as a file system of fsspec's: a task reads them with the rights of whoever signed.

Runs in Lambda too, without credentials and without boto3. Neither lists nor signs: it knows what it was made with.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import fsspec
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from lambdamagic.aws.aws_errors import is_expired
from lambdamagic.errors import TargetError
from lambdamagic.storage.object_store import TransferError
from lambdamagic.storage.presigned import default_transfer

PROTOCOL = "presigned"
_EXPIRED = "Sign the files again (lambdamagic.dask.presigned), with a longer expires_s if your credentials last longer"


class SignedFile(NamedTuple):
    """A file.

    Attributes:
        path: Bucket and key.
        size: In bytes.
        url: Its presigned GET.
    """

    path: str
    size: int
    url: str


class PresignedFiles(AbstractFileSystem):  # type: ignore[misc,unused-ignore]  # fsspec is untyped here
    """The files that there were when `lambdamagic.dask.presigned` was called; read-only. Thread-safe.

    Every reader that takes a file system of fsspec's, or `storage_options`, reads them:
    `dd.read_csv("presigned://my-data/*.csv", storage_options=files.storage_options)`. Billed is a GET for each range.

    Args:
        table: What `packed` returns.

    Raises:
        FileNotFoundError: There was no such file.
        TransferError: A URL has expired, or the store refuses it.
        IntegrityError: A file has another size by now.
    """

    protocol = PROTOCOL

    def __init__(self, *, table: bytes, **options: Any) -> None:
        super().__init__(table=table, **options)
        self._table = table

    @staticmethod
    def packed(files: Iterable[SignedFile]) -> bytes:
        """Return files as bytes, which are sent with each task: compressed, since URLs of one bucket are alike."""
        return zlib.compress(json.dumps(list(files)).encode())

    @cached_property
    def _files(self) -> dict[str, SignedFile]:
        found = (SignedFile(*each) for each in json.loads(zlib.decompress(self._table)))
        return {file.path: file for file in found}

    @cached_property
    def _folders(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The content of each folder, by path."""
        found: dict[str, dict[str, dict[str, Any]]] = {"": {}}
        for file in self._files.values():
            path, entry = file.path, {"name": file.path, "size": file.size, "type": "file"}
            while path:
                above = path.rpartition("/")[0]
                is_known = above in found
                found.setdefault(above, {})[path] = entry
                if is_known:
                    break
                path, entry = above, {"name": above, "size": 0, "type": "directory"}
        return found

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Return what is in a folder, or a file by itself; no request."""
        path = self._strip_protocol(path)
        entries = [self.info(path)] if path in self._files else None
        if entries is None:
            if path not in self._folders:
                raise FileNotFoundError(f"s3://{path} did not exist when the files were signed")
            entries = list(self._folders[path].values())
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Return a path's kind and size; no request."""
        path = self._strip_protocol(path)
        if path in self._folders:
            return {"name": path, "size": 0, "type": "directory"}
        return {"name": path, "size": self._file(path).size, "type": "file"}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return a file's bytes, or some of them; negative places count from the end."""
        file = self._file(self._strip_protocol(path))
        first, last, _ = slice(start, end).indices(file.size)
        return _read(file, first, last)

    def _file(self, path: str) -> SignedFile:
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(f"s3://{path} did not exist when the files were signed") from None

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, cache_options: Any = None, **kwargs: Any
    ) -> AbstractBufferedFile:
        if mode != "rb":
            raise PermissionError("presigned files are read-only")
        file = self._file(self._strip_protocol(path))
        more = {} if block_size is None else {"block_size": block_size}
        return _Opened(self, path, mode, cache_options=cache_options, size=file.size, **more, **kwargs)


class _Opened(AbstractBufferedFile):  # type: ignore[misc,unused-ignore]  # fsspec is untyped here
    def _fetch_range(self, start: int, end: int) -> bytes:
        found: bytes = self.fs.cat_file(self.path, start, end)
        return found


def _read(file: SignedFile, first: int, last: int) -> bytes:
    if first >= last:
        return b""
    try:
        return bytes(default_transfer().fetch_range(file.url, first, last - first, file.size))
    except TargetError as error:
        if not is_expired(error) and "expired" not in str(error):
            raise
        raise TransferError(f"the permission to read s3://{file.path} has expired", hint=_EXPIRED) from error


fsspec.register_implementation(PROTOCOL, PresignedFiles, clobber=True)
