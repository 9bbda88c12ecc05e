"""Large objects in parallel parts: begun and joined by boto3, the parts themselves over presigned URLs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lambdamagic.storage.presigned import Transfer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_PARTS = 10_000
"""Parts of one upload at most ("Amazon S3 multipart upload limits", S3 user guide)."""

_PART_EXPIRES_S = 3600


class Sign(Protocol):
    """Makes a presigned URL for one method on one key."""

    def __call__(self, method: str, key: str, expires_s: int, *, query: dict[str, str]) -> str:
        """Return the URL."""
        ...


def put_in_parts(
    client: S3Client,
    transfer: Transfer,
    sign: Sign,
    bucket: str,
    key: str,
    views: Sequence[memoryview],
    *,
    size: int,
    content_type: str,
) -> None:
    """Upload `views` as one object in parallel parts.

    Billed as one request for each part and two more. After a failure the upload is aborted, so that its parts are
    not stored (and billed) any longer.

    Args:
        client: Begins, completes and aborts.
        transfer: Sends the parts; its tuning says how large they are.
        sign: Makes the parts' URLs.
        bucket: The bucket.
        key: The object's key.
        views: The body's flat, non-empty pieces.
        size: Their length together, in bytes.
        content_type: The object's Content-Type.
    """
    part_bytes = max(transfer.tuning.part_bytes, -(-size // MAX_PARTS))
    parts = cut(views, part_bytes)
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)["UploadId"]
    etags = [""] * len(parts)

    def send(index: int) -> None:
        query = {"partNumber": str(index + 1), "uploadId": upload}
        etags[index] = transfer.upload(sign("PUT", key, _PART_EXPIRES_S, query=query), parts[index])

    try:
        transfer.parts.run(send, len(parts))
        client.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": n} for n, etag in enumerate(etags, 1)]},
        )
    except BaseException:
        # The first failure is the one to raise. The bucket's lifecycle aborts what is not aborted here.
        with contextlib.suppress(Exception):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def cut(views: Sequence[memoryview], part_bytes: int) -> list[list[memoryview]]:
    """Group the views' bytes, in order, into parts of `part_bytes` (the last may be shorter). Copies nothing."""
    parts: list[list[memoryview]] = [[]]
    room = part_bytes
    for view in views:
        start = 0
        while start < len(view):
            if room == 0:
                parts.append([])
                room = part_bytes
            piece = view[start : start + room]
            parts[-1].append(piece)
            room -= len(piece)
            start += len(piece)
    return parts
