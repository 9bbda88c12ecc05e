"""What every object store does, asked of the fake and of S3 alike."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from urllib.parse import urlsplit

import pytest

from lambdamagic.errors import IntegrityError, TargetError

from .conftest import Pair

LARGE = random.Random(1).randbytes((12 << 20) + 17)
LARGE_SHA256 = hashlib.sha256(LARGE).hexdigest()


@pytest.mark.parametrize("key", ["a", "lambdamagic/blobs/0f", "with blank+plus", "ünï/cödé", "a%2Fb", "~-_.!*'()"])
def test_an_object_that_was_put_can_be_read(pair: Pair, key: str) -> None:
    """An object comes back under the very key that it was stored under, whatever signs that holds."""
    pair.store.put(key, [b"he", bytearray(b"ll"), memoryview(b"o")])
    body = pair.store.get(key)
    assert isinstance(body, bytearray)
    assert body == b"hello"
    assert [info.key for info in pair.store.list("")] == [key]


def test_segments_of_any_kind_are_joined(pair: Pair) -> None:
    """Empty, tiny, numeric and multi-dimensional buffers are stored as their bytes, in order."""
    numbers = memoryview(bytearray(16)).cast("I")
    numbers[0] = 7
    table = memoryview(bytes(range(12))).cast("B", (3, 4))
    segments = [b"", numbers, b"x", table, *[b"y"] * 1000, bytes(100_000), b"z"]
    pair.store.put("k", segments)
    assert pair.store.get("k") == b"".join(bytes(segment) for segment in segments)


def test_views_with_gaps_are_refused(pair: Pair) -> None:
    """A view that is not contiguous is the caller's error, reported before anything is sent."""
    with pytest.raises(ValueError, match="contiguous"):
        pair.store.put("k", [memoryview(b"abcdef")[::2]])
    assert not pair.store.exists("k")


def test_an_empty_object_is_an_object(pair: Pair) -> None:
    """An object of no bytes exists, is read as such and fills an empty buffer."""
    pair.store.put("empty", [])
    assert pair.store.exists("empty")
    assert pair.store.get("empty", sha256=hashlib.sha256().hexdigest()) == b""
    pair.store.get_into("empty", 0, memoryview(bytearray()))
    assert pair.transfer.fetch(pair.store.presign_get("empty", 60), 0) == b""


def test_a_large_object_makes_a_round_trip(pair: Pair) -> None:
    """More than one part's worth comes back byte for byte, by every way, with its digest taken on the way."""
    pair.store.put("large", [LARGE[:1], memoryview(LARGE)[1:7_000_000], LARGE[7_000_000:]])
    seen = hashlib.sha256()
    assert pair.store.get("large", hasher=seen, sha256=LARGE_SHA256) == LARGE
    assert seen.hexdigest() == LARGE_SHA256
    buffer = bytearray(len(LARGE))
    pair.store.get_into("large", len(LARGE), memoryview(buffer), sha256=LARGE_SHA256)
    assert buffer == LARGE
    for size in (None, len(LARGE)):
        assert pair.transfer.fetch(pair.store.presign_get("large", 60), size, sha256=LARGE_SHA256) == LARGE


def test_a_worker_uploads_a_large_object(pair: Pair) -> None:
    """A worker's upload is stored whole, and its hasher has seen every byte once, in order."""
    seen = hashlib.sha256()
    pair.transfer.upload(pair.store.presign_put("w", 60), [LARGE[:100], LARGE[100:]], hasher=seen)
    assert pair.store.get("w") == LARGE
    assert seen.hexdigest() == LARGE_SHA256


def test_putting_again_replaces(pair: Pair) -> None:
    """The later object is the stored one."""
    pair.store.put("k", [b"first and longer"])
    pair.store.put("k", [b"second"])
    assert pair.store.get("k") == b"second"


def test_a_missing_object_is_reported(pair: Pair) -> None:
    """Reading nothing is FileNotFoundError with the key in it; asking is False."""
    assert not pair.store.exists("gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        pair.store.get("gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        pair.store.get_into("gone", 1, memoryview(bytearray(1)))
    for size in (None, 5):
        with pytest.raises(FileNotFoundError, match="gone"):
            pair.transfer.fetch(pair.store.presign_get("gone", 60), size)


@pytest.mark.parametrize("size", [4, 6, 7 << 20])
def test_another_size_is_an_integrity_error(pair: Pair, size: int) -> None:
    """An object that is shorter or longer than expected is not taken."""
    pair.store.put("k", [b"hello"])
    with pytest.raises(IntegrityError, match=r"5 bytes|fewer than"):
        pair.store.get_into("k", size, memoryview(bytearray(size)))
    with pytest.raises(IntegrityError):
        pair.transfer.fetch(pair.store.presign_get("k", 60), size)


def test_another_digest_is_an_integrity_error(pair: Pair) -> None:
    """Bytes that do not have the digest that they should are not given to the caller."""
    pair.store.put("k", [b"hello"])
    wrong = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(IntegrityError, match="SHA-256"):
        pair.store.get("k", sha256=wrong)
    with pytest.raises(IntegrityError, match="SHA-256"):
        pair.store.get_into("k", 5, memoryview(bytearray(5)), sha256=wrong)
    with pytest.raises(IntegrityError, match="SHA-256"):
        pair.transfer.fetch(pair.store.presign_get("k", 60), 5, sha256=wrong)


def test_a_planted_object_is_not_read_above_a_size(pair: Pair) -> None:
    """What others may have written fills no memory before its signature is known."""
    pair.store.put("k", [b"x" * 101])
    with pytest.raises(IntegrityError, match="holds 101 bytes, more than 100"):
        pair.store.get("k", most_bytes=100)
    assert pair.store.get("k", most_bytes=101) == b"x" * 101


def test_a_buffer_must_fit(pair: Pair) -> None:
    """A buffer of another size, or one that cannot be written, is the caller's mistake."""
    pair.store.put("k", [b"hello"])
    with pytest.raises(ValueError, match="bytes"):
        pair.store.get_into("k", 5, memoryview(bytearray(6)))
    with pytest.raises(ValueError, match="writable"):
        pair.store.get_into("k", 5, memoryview(bytes(5)))


def test_a_buffer_may_be_an_arrays(pair: Pair) -> None:
    """A buffer of another element type is filled as bytes."""
    pair.store.put("k", [(1).to_bytes(4, "little") * 3])
    numbers = memoryview(bytearray(12)).cast("I")
    pair.store.get_into("k", 12, numbers)
    assert numbers.tobytes() == b"\1\0\0\0" * 3


def test_listing_is_by_prefix_and_in_order(pair: Pair) -> None:
    """A listing holds the keys under the prefix, sorted, with their sizes and times."""
    for key in ("b/2", "b/10", "a", "b", "c/1", "b/é"):
        pair.store.put(key, [key.encode()])
    infos = [*pair.store.list("b/")]
    assert [info.key for info in infos] == ["b/10", "b/2", "b/é"]
    assert [info.size_bytes for info in infos] == [4, 3, 4]
    assert all(info.modified_s > 1_600_000_000 for info in infos)
    assert [*pair.store.list("none/")] == []


def test_folders_are_those_below_a_prefix(pair: Pair) -> None:
    """Each is named once, with its prefix, whatever is in it; an object next to them is none."""
    for key in ("jobs/b/x/1", "jobs/b/y", "jobs/a/2", "jobs/readme", "other/c/1"):
        pair.store.put(key, [b"x"])
    assert [*pair.store.folders("jobs/")] == ["jobs/a/", "jobs/b/"]
    assert [*pair.store.folders("none/")] == []


def test_deleting_deletes(pair: Pair) -> None:
    """Named objects go, others stay, and what was not there is not an error."""
    for key in ("a", "b", "c"):
        pair.store.put(key, [b"x"])
    pair.store.delete(iter(["a", "c", "never"]))
    pair.store.delete([])
    assert [info.key for info in pair.store.list("")] == ["b"]


def test_urls_do_what_they_were_made_for_only(pair: Pair) -> None:
    """A URL to read cannot write, nor the reverse, and neither can be bent to another key."""
    pair.store.put("mine", [b"mine"])
    pair.store.put("other", [b"other"])
    get, put = pair.store.presign_get("mine", 60), pair.store.presign_put("mine", 60)
    with pytest.raises(TargetError):
        pair.transfer.upload(get, [b"overwritten"])
    if urlsplit(get).scheme == "http":
        with pytest.raises(TargetError):
            pair.transfer.fetch(get.replace("mine", "other"), 5)
    with pytest.raises(TargetError):
        pair.transfer.fetch(put, 4)
    assert pair.store.get("mine") == b"mine"


@pytest.mark.parametrize("expires_s", [0, 604_801])
def test_urls_live_between_a_second_and_a_week(pair: Pair, expires_s: int) -> None:
    """Lifetimes that S3 would refuse are refused when the URL is made."""
    with pytest.raises(ValueError, match="604800"):
        pair.store.presign_get("k", expires_s)
    with pytest.raises(ValueError, match="604800"):
        pair.store.presign_put("k", expires_s)


@pytest.mark.parametrize("expires_s", [1, 604_800])
def test_a_second_and_a_week_are_lifetimes(pair: Pair, expires_s: int) -> None:
    """The bounds themselves may be asked for, by a reader and by a writer."""
    assert pair.store.presign_get("k", expires_s) != pair.store.presign_put("k", expires_s)


def test_errors_do_not_show_signatures(pair: Pair) -> None:
    """A message names the object, never the URL's query, which would let its reader in."""
    pair.store.put("k", [b"x"])
    url = pair.store.presign_get("k", 60)
    with pytest.raises(TargetError) as caught:
        pair.transfer.upload(url, [b"y"])
    for _, _, value in (pair_.partition("=") for pair_ in urlsplit(url).query.split("&")):
        if len(value) > 20:
            assert value not in str(caught.value)


def test_many_threads_share_a_store(pair: Pair) -> None:
    """Eight threads put, look, get and sign at once, and each sees its own objects."""
    failures = []
    names = itertools.count()

    def work() -> None:
        try:
            for _ in range(5):
                key = f"t/{next(names)}"
                pair.store.put(key, [key.encode()])
                assert pair.store.exists(key)
                assert pair.store.get(key) == key.encode()
                assert pair.transfer.fetch(pair.store.presign_get(key, 60)) == key.encode()
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len([*pair.store.list("t/")]) == 40
