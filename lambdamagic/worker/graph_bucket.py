"""One graph's objects in the bucket, reached with the function's own role; boto3 need not be there."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from xml.sax.saxutils import unescape

from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.storage.object_store import TransferError

if TYPE_CHECKING:
    from lambdamagic.storage.presigned import Transfer

_T = TypeVar("_T")
_URL_LIVES_S = PRESIGN_EXPIRES_S
#: S3 answers 409 where two conditional writes meet; the loser is to ask again ("Conditional writes", S3 user guide).
_CONFLICT, _EXISTS = 409, 412
_CONFLICT_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)
#: Requests at once, where a node needs many values.
_AT_ONCE = 32
_FIRST_ONLY = {"If-None-Match": "*"}


class GraphBucket:
    """A `walks.fan_in.Bucket`. Thread-safe.

    Args:
        bucket: The bucket's name.
        prefix: The graph's prefix; names are below it.
        left_s: Returns how long something may still be tried.

    Attributes:
        writes: PUT and LIST requests so far.
        reads: GET requests so far.
    """

    def __init__(self, bucket: str, prefix: str, left_s: Callable[[], float]) -> None:
        from lambdamagic.aws.partitions import Endpoints
        from lambdamagic.aws.url_signer import UrlSigner
        from lambdamagic.storage.presigned import default_transfer
        from lambdamagic.worker.role_credentials import RoleCredentials

        endpoints, credentials = Endpoints.of_environment(os.environ), RoleCredentials()
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self._signer = UrlSigner(
            base_url=f"{endpoint.rstrip('/')}/{bucket}" if endpoint else endpoints.bucket_url(bucket),
            region=endpoints.region,
            credentials=lambda: credentials,
            now=time.time,
        )
        self._prefix, self._left_s = prefix, left_s
        self._transfer: Transfer = default_transfer()
        self._lock = threading.Lock()
        self.writes = self.reads = 0

    def put_first(self, name: str, body: Sequence[Any]) -> bool:
        """Store an object where there is none; False if there is one, which stays.

        Raises:
            TransferError: S3 refused, or could not be reached.
        """
        from lambdamagic.storage.retry import TransferRetry

        url, segments = self._signer.sign("PUT", self._prefix + name, _URL_LIVES_S), list(body)
        for wait_s in (*_CONFLICT_WAITS_S, None):
            self._count(writes=1)
            try:
                retry = TransferRetry.until(self._left_s())
                self._transfer.upload(url, segments, headers=_FIRST_ONLY, retry=retry)
            except TransferError as error:
                if error.status == _EXISTS:
                    return False
                if error.status != _CONFLICT or wait_s is None:
                    raise
                time.sleep(wait_s)
            else:
                return True
        raise AssertionError("unreachable: the last wait is None")

    def put_all(self, objects: Sequence[tuple[str, Sequence[Any]]]) -> list[bool]:
        """Store some objects at the same time; see `put_first`."""
        return in_parallel(lambda each: self.put_first(*each), objects)

    def put(self, name: str, body: Sequence[Any]) -> None:
        """Store an object, whether one exists or not."""
        self._count(writes=1)
        self._transfer.upload(self._signer.sign("PUT", self._prefix + name, _URL_LIVES_S), list(body))

    def get(self, name: str) -> bytearray:
        """Return an object.

        Raises:
            FileNotFoundError: There is none.
            TransferError: S3 refused, or could not be reached.
        """
        self._count(reads=1)
        return self._transfer.fetch(self.link(name))

    def get_all(self, names: Sequence[str]) -> list[bytearray]:
        """Return some objects, read at the same time."""
        return in_parallel(self.get, names)

    def find(self, prefix: str) -> list[str]:
        """Return the names that begin so; one request for every 1,000."""
        found: list[str] = []
        query = {"list-type": "2", "prefix": self._prefix + prefix}
        while True:
            self._count(writes=1)
            text = self._transfer.read_answer(self._signer.sign("GET", "", _URL_LIVES_S, query=query)).decode()
            found.extend(unescape(key)[len(self._prefix) :] for key in re.findall(r"<Key>([^<]*)</Key>", text))
            token = re.search(r"<NextContinuationToken>([^<]*)</NextContinuationToken>", text)
            if token is None:
                return found
            query = {**query, "continuation-token": unescape(token[1])}

    def find_all(self, prefixes: Sequence[str]) -> list[list[str]]:
        """Return the names that begin with each, found at the same time."""
        return in_parallel(self.find, prefixes)

    def link(self, name: str) -> str:
        """Return a URL to read an object with."""
        return self._signer.sign("GET", self._prefix + name, _URL_LIVES_S)

    def _count(self, *, writes: int = 0, reads: int = 0) -> None:
        with self._lock:
            self.writes += writes
            self.reads += reads


def in_parallel(call: Callable[[Any], _T], items: Sequence[Any]) -> list[_T]:
    """Return what a call returns for each item; some threads make the calls, and end with them."""
    if len(items) < 2:
        return [call(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_AT_ONCE, len(items)), thread_name_prefix="lambdamagic-graph") as pool:
        return list(pool.map(call, items))
