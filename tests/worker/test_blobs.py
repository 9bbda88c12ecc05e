"""The blobs of an execution environment, on its disk."""

from __future__ import annotations

import hashlib

from lambdamagic.protocol.payload import FrameRef
from lambdamagic.worker.blobs import BlobCache


def test_a_kept_blob_that_was_written_to_is_not_read(tmp_path):
    """A file that was verified is hashed again once it was changed, and then dropped."""
    data = bytes(range(256)) * 64
    frame = FrameRef(len(data), hashlib.sha256(data).hexdigest())
    cache = BlobCache(tmp_path)
    cache._keep(frame.sha256, bytearray(data))
    assert cache._from_disk(frame) == cache._from_disk(frame) == data
    with cache.path(frame.sha256).open("r+b") as file:
        file.write(b"other")
    assert cache._from_disk(frame) is None
    assert not cache.path(frame.sha256).exists()
