"""The blobs of an execution environment, on its disk."""

from __future__ import annotations

import hashlib
import os

import pytest

from lambdamagic.errors import TargetError
from lambdamagic.protocol.payload import FrameRef
from lambdamagic.worker.blobs import BlobCache
from tests.storage.scripted import ScriptedServer, Step


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


def test_the_cache_stays_below_the_size_of_tmp(tmp_path):
    """Half of the function's ephemeral storage, where that is a folder of a larger disk: older blobs make room."""
    cache = BlobCache(tmp_path, size_mb=8)
    for number in range(8):
        data = bytearray([number]) * (1 << 20)
        cache._keep(str(number), data)
        os.utime(cache.path(str(number)), (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5", "6", "7"]
    cache._keep("large", bytearray(5 << 20))
    assert not cache.path("large").exists()


def test_a_staged_input_that_is_gone_is_said_to_be(tmp_path):
    """The bucket forgets: the error says what to do, and is not that of a program that cannot be read."""
    with ScriptedServer(Step(404, b"<Error><Code>NoSuchKey</Code></Error>")) as server:
        frame = FrameRef(1, "0" * 64, f"{server.url}/b/k")
        with pytest.raises(TargetError, match="no longer in the bucket"):
            BlobCache(tmp_path).read(frame)
