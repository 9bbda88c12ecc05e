"""What an instance keeps of its clients' objects: on disk, and not without bound."""

from __future__ import annotations

import base64
import os
import resource
import signal
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdamagic.errors import LocalServerError
from lambdamagic.local.control.moto_app import MotoApp, moto_request
from lambdamagic.local.control.object_files import ObjectFile
from lambdamagic.local.control.staged_blobs import IN_USE_S, StagedBlobs
from lambdamagic.local.server.folders import make_folder
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse
from tests.local.conftest import Account

MB = 1 << 20
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request"


def _request(method: str, path: str, body: bytes = b"") -> HttpRequest:
    return HttpRequest(method, path, "", {"host": "127.0.0.1:1", "authorization": SIGNED}, body)


class _Bucket:
    """Sizes of blobs, and which were deleted; its clock goes when a test says so."""

    def __init__(self, limit_bytes: int) -> None:
        self.sizes: dict[str, int] = {}
        self.now = 0.0
        self.blobs = StagedBlobs(limit_bytes, size_of=self._size, delete=self._delete, now=lambda: self.now)

    def _size(self, bucket: str, key: str) -> int | None:
        assert bucket == "b"
        return self.sizes.get(key)

    def _delete(self, bucket: str, key: str) -> None:
        del self.sizes[key]

    def put(self, name: str, size: int) -> None:
        self.sizes[f"lambdamagic/blobs/{name}"] = size
        self.ask(name, "PUT")

    def ask(self, name: str, method: str = "HEAD", status: int = 200) -> None:
        self.blobs.note(_request(method, f"/b/lambdamagic/blobs/{name}"), HttpResponse(status))

    @property
    def names(self) -> set[str]:
        return {key.rpartition("/")[2] for key in self.sizes}


def test_the_least_recently_used_blob_is_deleted() -> None:
    """A bound of 10 keeps what was sent or read last."""
    bucket = _Bucket(10)
    for name in "abc":
        bucket.put(name, 3)
        bucket.now += 1
    bucket.ask("a", "GET")
    bucket.now += IN_USE_S
    bucket.put("d", 4)
    assert bucket.names == {"a", "c", "d"}


def test_a_blob_in_use_stays_over_the_bound() -> None:
    """What was sent or asked for within the last minute is not taken away from a job; later it is."""
    bucket = _Bucket(10)
    for name in "abc":
        bucket.put(name, 9)
    assert bucket.names == set("abc")
    bucket.now += IN_USE_S
    bucket.ask("c")
    assert bucket.names == {"c"}


def test_a_blob_that_is_gone_is_not_counted() -> None:
    """One that was deleted, or replaced by one of another size, leaves its room."""
    bucket = _Bucket(10)
    bucket.put("a", 8)
    del bucket.sizes["lambdamagic/blobs/a"]
    bucket.ask("a", "DELETE", 204)
    bucket.put("b", 8)
    bucket.put("b", 5)
    bucket.put("c", 5)
    bucket.now += IN_USE_S
    bucket.ask("c", status=404)
    assert bucket.names == {"b", "c"}


def test_the_embedded_s3_forgets_old_blobs_and_nothing_else() -> None:
    """moto's objects next to the blobs stay, and so do the blobs that fit."""
    now = [0.0]
    app = MotoApp(account_id="123456789012", blob_limit_bytes=3 * MB, now=lambda: now[0])
    app.answer("s3", _request("PUT", "/bounded"))
    app.answer("s3", _request("PUT", "/bounded/lambdamagic/jobs/x", bytes(4 * MB)))
    for number in range(5):
        app.answer("s3", _request("PUT", f"/bounded/lambdamagic/blobs/{number}", bytes(MB)))
        now[0] += IN_USE_S
    statuses = [app.answer("s3", _request("HEAD", f"/bounded/lambdamagic/blobs/{n}")).status for n in range(5)]
    assert statuses == [404, 404, 200, 200, 200]
    assert app.answer("s3", _request("HEAD", "/bounded/lambdamagic/jobs/x")).status == 200


def test_a_request_is_released_when_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's request refers to itself: a body of 3 GB stayed in memory until the garbage collector came by."""
    made = []

    def noting(request: HttpRequest) -> object:
        received = moto_request(request)
        made.append(weakref.ref(received))
        return received

    monkeypatch.setattr("lambdamagic.local.control.moto_app.moto_request", noting)
    app = MotoApp(account_id="123456789012")
    import gc

    gc.disable()
    try:
        app.answer("s3", _request("PUT", "/let-go"))
        app.answer("s3", _request("PUT", "/let-go/k", bytes(MB)))
        app.answer("s3", _request("GET", "/let-go/k"))
        assert [each() for each in made] == [None, None, None]
    finally:
        gc.enable()


@settings(deadline=None)  # a loaded machine may take its time
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 40_000).map(bytes)), max_size=4), st.integers(-1, 50_000)
)
def test_a_body_reads_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], size: int):
    """In memory or on disk, in one piece or several, and again after it was cut."""
    path = tmp_path_factory.mktemp("objects") / "0"
    file = ObjectFile(path)
    for piece in pieces:
        file.write(piece)
    whole = b"".join(pieces)
    file.seek(0)
    assert file.read(size) == (whole if size < 0 else whole[:size])
    assert file.read() == (b"" if size < 0 else whole[size:])
    file.seek(0)
    file.truncate()
    file.write(b"other")
    file.seek(0)
    assert file.read() == b"other"
    file.close()
    assert not path.exists()


def test_a_body_that_finds_no_room_takes_none(tmp_path: Path) -> None:
    """A failed write frees its space and keeps the body before it; each failed PUT once took more of the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    small, large = ObjectFile(tmp_path / "small"), ObjectFile(tmp_path / "large")
    large.write(bytes(MB))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MB // 2, limits[1]))
        for file in (small, large):
            with pytest.raises(OSError, match="too large"):
                file.write(bytes(4 * MB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert {each.name: each.stat().st_size for each in tmp_path.iterdir()} == {"large": MB}
    large.seek(0)
    assert large.read() == bytes(MB)
    small.write(b"fits")
    small.seek(0)
    assert small.read() == b"fits"


def test_a_start_on_a_full_disk_leaves_no_folder(tmp_path: Path) -> None:
    """The error says what is wrong, and the folder is removed."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        with pytest.raises(LocalServerError, match="cannot write to"):
            make_folder(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.iterdir())


def test_a_file_goes_with_its_body(tmp_path: Path) -> None:
    """moto drops bodies that it does not close: of refused requests, and of old versions."""
    file = ObjectFile(tmp_path / "0")
    file.write(bytes(MB))
    assert list(tmp_path.iterdir())
    del file
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA256": "A" * 43 + "="}, "BadDigest"),
    ],
)
def test_a_body_that_is_not_the_stated_one_is_refused(account: Account, stated: dict[str, str], code: str) -> None:
    """S3 compares each checksum that a request has, and stores no object if one does not fit."""
    s3, bucket = account.client("s3"), account.bucket()
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"body", **stated)
    assert caught.value.response["Error"]["Code"] == code
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"body", ChecksumCRC32=base64.b64encode(zlib.crc32(b"body").to_bytes(4)).decode()
    )


def test_large_objects_are_files_of_the_instance(own_account: Callable) -> None:
    """They are neither in the server's memory nor open descriptors, and go with the object."""
    account = own_account()
    s3, bucket, server = account.client("s3"), account.bucket(), psutil.Process(account.connection.pid)
    s3.put_object(Bucket=bucket, Key="warm", Body=bytes(MB))
    before, descriptors = server.memory_info().rss, server.num_fds()
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=os.urandom(12 * MB))
    folder = Path(account.connection.folder) / "objects"
    assert sum(file.stat().st_size for file in folder.iterdir()) == 20 * 12 * MB + MB
    assert server.memory_info().rss - before < 120 * MB
    assert server.num_fds() <= descriptors + 2
    assert s3.get_object(Bucket=bucket, Key="7")["Body"].read() != bytes(12 * MB)
    for number in range(20):
        s3.delete_object(Bucket=bucket, Key=f"{number}")
    assert [file.stat().st_size for file in folder.iterdir()] == [MB]
