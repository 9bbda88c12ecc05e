"""Staged bytes in, staged results out, through presigned URLs.

Blobs are named by their digest, so a warm environment keeps them on its disk: the same DataFrame is fetched once per
environment, not once per task.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lambdamagic.errors import TargetError
from lambdamagic.protocol.envelope import Request
from lambdamagic.protocol.keys import sign
from lambdamagic.protocol.payload import FrameRef, Part, Payload, inline_payload, signed_text

_KEEP_FRACTION = 0.5  # of the free space under /tmp, and of its size where that is known: the rest is the user's
_CHUNK = 1 << 20
PARALLEL_MIN_BYTES = 16 << 20  # below this one request is as fast as several


class BlobCache:
    """Blobs of this execution environment, on disk.

    Args:
        folder: Where they are kept; by default in the temporary folder.
        size_mb: The size of /tmp, where the file system does not say it: by default what the embedded Lambda says.
    """

    def __init__(self, folder: Path | None = None, size_mb: int | None = None) -> None:
        self._folder = folder
        self._size_mb = int(os.environ.get("LAMBDAMAGIC_EPHEMERAL_MB", "0")) if size_mb is None else size_mb
        self.fetched_bytes = 0
        # What the system says of a file that was verified: hashing 100 MB takes longer than reading them.
        self._verified: dict[str, tuple[int, ...]] = {}

    @property
    def folder(self) -> Path:
        """Where they are kept; made at first use."""
        if self._folder is None:
            import tempfile

            self._folder = Path(tempfile.gettempdir()) / "lambdamagic-blobs"
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def path(self, sha256: str) -> Path:
        """File of a blob."""
        return self.folder / sha256

    def read(self, frame: FrameRef) -> bytearray:
        """Return a blob in separate memory (arrays are built right in it), verified.

        Raises:
            IntegrityError: The bytes do not have the digest.
            TargetError: It is no longer there.
            TransferError: S3 refused or could not be reached.
        """
        kept = self._from_disk(frame)
        if kept is not None:
            return kept
        from lambdamagic.storage.presigned import fetch

        try:
            data = fetch(frame.url, frame.size_bytes, sha256=frame.sha256)
        except FileNotFoundError as error:
            raise TargetError(
                "a staged payload is no longer in the bucket",
                hint="Run it again, which uploads it again. Objects expire, and the embedded Lambda keeps 2 GB",
            ) from error
        self.fetched_bytes += frame.size_bytes
        self._keep(frame.sha256, data)
        return data

    def _from_disk(self, frame: FrameRef) -> bytearray | None:
        path = self.path(frame.sha256)
        try:
            with path.open("rb") as file:
                data = bytearray(frame.size_bytes)
                if file.readinto(data) != frame.size_bytes:
                    return None
        except FileNotFoundError:
            return None
        is_verified = self._verified.get(frame.sha256) == _stamp(path)
        if not is_verified and hashlib.sha256(data).hexdigest() != frame.sha256:
            path.unlink(missing_ok=True)  # the user's code can write here too
            return None
        os.utime(path)
        self._verified[frame.sha256] = _stamp(path)
        return data

    def _keep(self, sha256: str, data: bytearray) -> None:
        files = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime)
        room = self._room_bytes(files)
        while files and room < len(data):
            room += files[0].stat().st_size
            files.pop(0).unlink(missing_ok=True)
        if room < len(data):
            return
        partial = self.folder / f".{sha256}.{os.getpid()}"
        try:
            partial.write_bytes(data)
            partial.replace(self.path(sha256))
        except OSError:
            partial.unlink(missing_ok=True)  # a full disk costs a fetch next time, nothing else

    def _room_bytes(self, files: Sequence[Path]) -> float:
        stat = os.statvfs(self.folder)
        room = stat.f_bavail * stat.f_frsize * _KEEP_FRACTION
        if self._size_mb:
            kept = sum(path.stat().st_size for path in files)
            room = min(room, self._size_mb * (1 << 20) * _KEEP_FRACTION - kept)
        return room

    def pristine(self, sha256: str) -> Callable[[], Iterator[bytes]] | None:
        """Return a reader of a blob's bytes as they arrived, chunk by chunk; None if they were not kept."""
        path = self.path(sha256)
        if not path.exists():
            return None

        def chunks() -> Iterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk

        return chunks


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written to; the time of a change of state cannot be set back."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_frames(payload: Payload, cache: BlobCache) -> list[bytearray]:
    """Return a payload's own frames, each in separate writable memory; staged ones are verified."""
    own = payload.own_frames
    inline = payload.inline_segments()[: len(own)]
    return [cache.read(frame) if segment is None else segment for frame, segment in zip(own, inline, strict=True)]


def deliver(
    segments: Sequence[Any], request: Request, *, inline_bytes: int, left_s: float = 120.0
) -> tuple[Payload, str]:
    """Put a result inline, or stage it in parallel parts where it is too large for the answer.

    Args:
        segments: The result.
        request: What it answers.
        inline_bytes: Up to which size it goes inline.
        left_s: For how long S3 may refuse: the code that made it was paid for.

    Returns:
        The payload, and its signature (empty when inline).
    """
    views = [memoryview(segment).cast("B") for segment in segments]
    total = sum(len(view) for view in views)
    if total <= inline_bytes or not request.uploads:
        return inline_payload(views), ""
    count = min(len(request.uploads), max(1, total // PARALLEL_MIN_BYTES))
    parts: list[Part | None] = [None] * count
    from lambdamagic.storage.presigned import upload
    from lambdamagic.storage.retry import TransferRetry

    def send(number: int) -> None:
        body = _cut(views, total * number // count, total * (number + 1) // count)
        digest = hashlib.sha256()
        upload(request.uploads[number].url, body, hasher=digest, retry=TransferRetry.until(left_s))
        size = sum(len(view) for view in body)
        parts[number] = Part(request.uploads[number].key, size, digest.hexdigest())

    if count == 1:
        send(0)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(count) as pool:
            list(pool.map(send, range(count)))
    done = tuple(part for part in parts if part is not None)
    payload = Payload(tuple(FrameRef(len(view)) for view in views), b"", done)
    return payload, sign(request.key, request.job_id, request.attempt_id, *signed_text(done))


def _cut(views: Sequence[memoryview], start: int, end: int) -> list[memoryview]:
    """Return bytes `start` to `end` of the views as if they were joined."""
    found = []
    position = 0
    for view in views:
        low, high = max(start - position, 0), min(end - position, len(view))
        if low < high:
            found.append(view[low:high])
        position += len(view)
    return found
