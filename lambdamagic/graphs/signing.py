"""Signs the files of a bucket, so that tasks read them with this user's rights."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.errors import ConfigError
from lambdamagic.graphs.presigned_files import PresignedFiles, SignedFile
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.storage.object_store import ObjectInfo, ObjectStore


def presigned(url: str, *, expires_s: int = PRESIGN_EXPIRES_S, **options: Any) -> PresignedFiles:
    """Return the files below a URL, which tasks read with the rights that you have and the function's role may lack.

    The files are listed and signed here; one byte of the first is read, since a URL can be signed without the right.
    Billed is a LIST for every 1,000 files, and that GET. Each task that reads carries the URLs: some 100 bytes a file.
    Whoever has a URL may read that file until it expires.

    Args:
        url: `s3://bucket/key`, `s3://bucket/folder` or `s3://bucket`.
        expires_s: For how long they may be read, 1 to 604,800 seconds; no longer than temporary credentials last.
        **options: Any setting of docs/configuration.md that says where the bucket is: `target`, `profile`, `region`.

    Raises:
        ConfigError: It is not an S3 URL, or `expires_s` is out of its limits.
        FileNotFoundError: There is no such file or folder.
        CredentialsError, TargetError: You may not list or read it, or the bucket is in another region.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ConfigError(f"{url!r} is not an S3 URL", hint="Write it as s3://BUCKET/KEY")
    prefix = url.removeprefix(f"s3://{parts.netloc}").strip("/")
    with closing(Launcher(read_options(options)).target().store_of(parts.netloc)) as store:
        try:
            files = [
                SignedFile(f"{parts.netloc}/{found.key}", found.size_bytes, store.presign_get(found.key, expires_s))
                for found in _below(store, prefix)
                if not found.key.endswith("/")  # a folder that was made in S3's console
            ]
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if not files:
        raise FileNotFoundError(f"no object at {url}")
    made = PresignedFiles(table=PresignedFiles.packed(files))
    made.cat_file(max(files, key=lambda file: file.size > 0).path, 0, 1)
    return made


def _below(store: ObjectStore, prefix: str) -> Iterable[ObjectInfo]:
    first = next(store.list(prefix), None) if prefix else None
    if first is not None and first.key == prefix:  # keys are listed in their order, so it is the first
        return [first]
    return store.list(f"{prefix}/" if prefix else "")
