"""One object in parts: how many there are, and what is left when one fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from lambdamagic.storage.parallel import Parallel
from lambdamagic.storage.presigned import Tuning
from lambdamagic.storage.s3.multipart import MAX_PARTS, cut, put_in_parts


@dataclass
class _S3:
    """Both sides of an upload: what was asked of S3's client, and the parts that were sent."""

    tuning: Tuning
    failure: BaseException | None = None
    calls: list[str] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    abort_fails: bool = False

    def __post_init__(self) -> None:
        self.parts = Parallel(2)

    def create_multipart_upload(self, **options: Any) -> dict[str, str]:
        self.calls.append("create")
        return {"UploadId": "u"}

    def complete_multipart_upload(self, *, MultipartUpload: dict[str, Any], **options: Any) -> None:
        self.calls.append("complete")
        parts = MultipartUpload["Parts"]
        assert [each["PartNumber"] for each in parts] == list(range(1, len(parts) + 1))
        assert [each["ETag"] for each in parts] == [f"etag {each['PartNumber']}" for each in parts]

    def abort_multipart_upload(self, **options: Any) -> None:
        self.calls.append("abort")
        if self.abort_fails:
            raise RuntimeError("no such upload")

    def upload(self, url: str, segments: list[memoryview]) -> str:
        number = int(url)
        if self.failure is not None and number == 2:
            raise self.failure
        self.sizes[number] = sum(map(len, segments))
        return f"etag {number}"

    def put(self, size: int) -> None:
        views = [memoryview(bytes(size))] if size else []
        sign: Any = lambda method, key, expires_s, query: query["partNumber"]
        client: Any = self
        put_in_parts(client, client, sign, "b", "k", views, size=size, content_type="x")


def _s3(part_bytes: int, **options: Any) -> _S3:
    return _S3(SimpleNamespace(part_bytes=part_bytes), **options)  # type: ignore[arg-type]  # of the tuning only that is read


@pytest.mark.parametrize(
    ("size", "part_bytes", "expected"),
    [
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (MAX_PARTS, 1, [1] * MAX_PARTS),
        (MAX_PARTS + 1, 1, [2] * (MAX_PARTS // 2) + [1]),
        (5 * MAX_PARTS // 2, 1, [3] * 8333 + [1]),
        (5 * MAX_PARTS // 2, 2, [3] * 8333 + [1]),
        (5 * MAX_PARTS // 2, 4, [4] * 6250),
    ],
)
def test_parts_are_as_large_as_wanted_unless_there_were_too_many(
    size: int, part_bytes: int, expected: list[int]
) -> None:
    """S3 takes 10,000; with more the parts grow, and all but the last are of one size."""
    s3 = _s3(part_bytes)
    s3.put(size)
    s3.parts.close()
    assert [s3.sizes[number] for number in range(1, len(expected) + 1)] == expected
    assert len(s3.sizes) == len(expected) <= MAX_PARTS
    assert s3.calls == ["create", "complete"]


@pytest.mark.parametrize("abort_fails", [False, True])
@pytest.mark.parametrize("failure", [ValueError("part 2"), KeyboardInterrupt("part 2")])
def test_a_failed_part_ends_the_upload_and_is_what_is_raised(failure: BaseException, abort_fails: bool) -> None:
    """The upload is aborted, also where the user interrupts it; that this fails too does not hide why."""
    s3 = _s3(1, failure=failure, abort_fails=abort_fails)
    with pytest.raises(type(failure), match="part 2"):
        s3.put(5)
    s3.parts.close()
    assert s3.calls == ["create", "abort"]


def test_views_are_cut_anywhere() -> None:
    """A part may hold several views, and one view may be cut into several parts."""
    views = [memoryview(each) for each in (b"ab", b"cdefg", b"h")]
    assert [b"".join(part) for part in cut(views, 3)] == [b"abc", b"def", b"gh"]
    assert [b"".join(part) for part in cut(views, 8)] == [b"abcdefgh"]
