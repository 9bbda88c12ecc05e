"""A payload's bytes: what stays in the stream, what is a frame, how pieces are cut, and what bounds hold."""

from __future__ import annotations

import hashlib
import pickle

import pytest

from lambdamagic.codec.buffers import BoundedFile, Stream, WatchedFile, taker
from lambdamagic.codec.frames import (
    ALONE_MIN_BYTES,
    OUT_OF_BAND_MIN_BYTES,
    Frames,
    StoredAt,
    Written,
    digest_of,
    sha256_of,
)


def test_a_bounded_file_takes_its_bound() -> None:
    """And not one byte more, whether it comes at once or after others."""
    file = BoundedFile(3)
    assert file.write(b"abc") == 3
    with pytest.raises(ValueError, match=r"^it takes more than 0 MB$"):
        file.write(b"d")
    with pytest.raises(ValueError, match=r"^it takes more than 2 MB$"):
        BoundedFile(2_000_000).write(bytes(2_000_001))


def test_a_watched_file_reports_large_writes() -> None:
    """With how much there is by then; a frame of pickle's has 64 kB."""
    seen: list[int] = []
    file = WatchedFile(seen.append)
    file.write(b"ab")
    assert file.write(bytes(65_536)) == 65_536
    file.write(bytes(65_535))
    file.write(bytes(100_000))
    assert seen == [65_538, 65_538 + 65_535 + 100_000]
    assert len(file.getvalue()) == seen[-1]


def test_small_buffers_stay_in_the_stream() -> None:
    """From 4,096 bytes on they are frames."""
    buffers: list[memoryview] = []
    take = taker(buffers, None)
    assert take(pickle.PickleBuffer(bytes(OUT_OF_BAND_MIN_BYTES - 1)))
    assert not buffers
    assert not take(pickle.PickleBuffer(bytes(OUT_OF_BAND_MIN_BYTES)))
    assert not take(pickle.PickleBuffer(bytes(OUT_OF_BAND_MIN_BYTES + 1)))
    assert [each.nbytes for each in buffers] == [OUT_OF_BAND_MIN_BYTES, OUT_OF_BAND_MIN_BYTES + 1]


def test_buffers_have_a_bound_together() -> None:
    """The one that is above it is refused."""
    take = taker([], 10_000)
    assert not take(pickle.PickleBuffer(bytes(5_000)))
    assert not take(pickle.PickleBuffer(bytes(5_000)))
    with pytest.raises(ValueError, match="more than 0 MB"):
        take(pickle.PickleBuffer(bytes(4_096)))


@pytest.mark.parametrize("data", [b"abcd", bytearray(b"abcd"), memoryview(b"abcd")])
def test_a_stream_knows_its_end(data: bytes) -> None:
    """Also after bytes were put before those that are left, and after it was read past its end."""
    stream = Stream(data)
    assert not stream.at_end()
    assert stream.read(1) == b"a"
    stream.insert(b"xy")
    assert stream.read(3) == b"xyb"
    assert not stream.at_end()
    assert stream.read(2) == b"cd"
    assert stream.at_end()
    assert stream.read(5) == b""
    assert stream.at_end()
    assert Stream(b"").at_end()


def test_sizes_are_those_of_the_bytes() -> None:
    """Of views too, whatever their items are."""
    frames = Frames((b"ab", bytearray(3), memoryview(bytes(16)).cast("d")))
    assert frames.sizes == (2, 3, 16)
    assert frames.size_bytes == 21


def test_large_pieces_are_alone() -> None:
    """What is between them is joined: a request for each would cost more than a copy."""
    large, larger = bytes(ALONE_MIN_BYTES), bytes(ALONE_MIN_BYTES + 1)
    small = bytes(ALONE_MIN_BYTES - 1)
    written = Written(Frames((b"a", b"b", large, larger, small, b"c")), is_of_home=True, modules=["m", "m"])
    assert [bytes(piece) for piece in written.pieces] == [b"ab", large, larger, small + b"c"]
    assert written.pieces[1] is large
    assert written.sha256 == tuple(hashlib.sha256(piece).hexdigest() for piece in written.pieces)
    assert written.frame_sizes == (1, 1, len(large), len(larger), len(small), 1)
    assert written.size_bytes == sum(written.frame_sizes)
    assert written.digest == digest_of(written.sha256, written.frame_sizes)
    assert (written.is_of_home, written.modules, written.stored) == (True, {"m"}, None)
    assert not (written.extends or written.gives_copies or written.functions or written.shared)
    assert Written(Frames((b"",)), is_of_home=False, extends=True).extends


def test_content_is_named_by_its_bytes_and_its_cuts() -> None:
    """The same bytes in other frames are other content."""
    one, other = (Written(Frames(cut), is_of_home=False) for cut in ((b"ab", b"c"), (b"a", b"bc")))
    assert one.sha256 == other.sha256
    assert one.digest != other.digest


def test_a_reference_to_stored_bytes_has_none() -> None:
    """Readers get copies of what stayed in the bucket, and change them."""
    place = StoredAt("key", 7, 100)
    found = Written.at(place, (3, 4), "ff", is_of_home=True)
    assert (found.pieces, found.sha256, found.frame_sizes, found.size_bytes) == ((), ("ff",), (3, 4), 7)
    assert (found.stored, found.gives_copies, found.extends, found.is_of_home) == (place, True, False, True)
    assert found.digest == digest_of(("ff",), (3, 4))
    assert not (found.shared or found.functions or found.modules)


def test_a_digest_of_segments_is_that_of_their_bytes() -> None:
    """As if they were joined."""
    assert sha256_of([b"ab", memoryview(b"c")]) == hashlib.sha256(b"abc").hexdigest()
    assert sha256_of([]) == hashlib.sha256().hexdigest()
