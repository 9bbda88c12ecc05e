"""The object store on S3.

Bodies go over presigned URLs that the store makes for itself: no second copy of a large array, no pass to sign its
bytes (they are content-addressed already), no boto3 on the way. boto3 finds endpoint, region and credentials, lists,
deletes and joins the parts of large objects.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from lambdamagic.aws.access import AwsAccess, still_expired
from lambdamagic.aws.aws_errors import AwsContext, code_of, error_from_botocore, is_expired
from lambdamagic.aws.connections import Connections
from lambdamagic.aws.partitions import is_aws_host
from lambdamagic.aws.url_signer import UrlSigner
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import CredentialsError, TargetError
from lambdamagic.storage.object_store import OCTETS, Hasher, ObjectInfo, Segment, byte_views, object_missing
from lambdamagic.storage.presigned import Transfer, Tuning
from lambdamagic.storage.requests import count_operation
from lambdamagic.storage.retry import TEMPORARY_REDIRECT, TransferRetry
from lambdamagic.storage.s3.multipart import put_in_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")

_OWN_URLS_EXPIRE_S = 3600  # the store's own URLs are used at once; a retry near its deadline still fits
_ATTEMPTS = 5
_DELETE_BATCH = 1000  # "DeleteObjects", S3 API reference


class S3ObjectStore:
    """Keeps objects in one S3 bucket; an `ObjectStore`. Thread-safe.

    Nothing is imported, asked or connected before the first call.

    Args:
        bucket: The bucket's name.
        access: The account that it is in.
        tuning: How large objects are cut.
        clock: The time in signatures and between retries.
        transfer: Moves the bodies; closed with the store. By default one that trusts boto3's certificates.
    """

    def __init__(
        self,
        bucket: str,
        access: AwsAccess,
        *,
        tuning: Tuning | None = None,
        clock: Clock = SYSTEM_CLOCK,
        transfer: Transfer | None = None,
    ) -> None:
        self._bucket = bucket
        self._access = access
        self._clock = clock
        self._tuning = tuning or Tuning()
        self._lock = threading.RLock()
        self._own_transfer = transfer
        self._own_signer: UrlSigner | None = None
        self._own_client: S3Client | None = None
        self._generation = access.generation
        self._is_closed = False

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    def put(self, key: str, segments: Sequence[Segment], *, content_type: str = OCTETS) -> None:
        """Store an object; see `ObjectStore.put`. One PUT up to the threshold, else parallel parts."""
        views = byte_views(segments)
        self._again_if_expired(lambda: self._put(key, views, content_type))

    def _put(self, key: str, views: list[memoryview], content_type: str) -> None:
        size = sum(len(view) for view in views)
        transfer = self._transfer()
        url = self._sign("PUT", key)
        if not transfer.splits(url, size):
            transfer.upload(url, views, headers={"Content-Type": content_type})
            return
        with self._translated(f"write {key!r}"):
            put_in_parts(
                self._client(), transfer, self._sign, self._bucket, key, views, size=size, content_type=content_type
            )

    def get(
        self,
        key: str,
        *,
        hasher: Hasher | None = None,
        sha256: str | None = None,
        most_bytes: int = sys.maxsize,
    ) -> bytearray:
        """Return an object's bytes; see `ObjectStore.get`. One GET up to the threshold, else parallel ranges."""
        with self._missing_as(key):
            return self._again_if_expired(
                lambda: self._transfer().fetch(
                    self._sign("GET", key), hasher=hasher, sha256=sha256, most_bytes=most_bytes
                )
            )

    def get_into(
        self, key: str, size: int, buffer: memoryview, *, hasher: Hasher | None = None, sha256: str | None = None
    ) -> None:
        """Fill a buffer with an object; see `ObjectStore.get_into`."""
        if buffer.nbytes != size:
            raise ValueError(f"the buffer holds {buffer.nbytes} bytes, not {size}")
        with self._missing_as(key):
            self._again_if_expired(
                lambda: self._transfer().fetch_into(self._sign("GET", key), buffer, hasher=hasher, sha256=sha256)
            )

    def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`; one HEAD. A missing bucket looks like a missing key."""
        return self._again_if_expired(lambda: self._exists(key))

    def _exists(self, key: str) -> bool:
        try:
            return self._transfer().exists(self._sign("HEAD", key))
        except TargetError as refused:
            return self._explain(key, refused)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects under a prefix; one request for every 1,000."""
        for page in self._pages(prefix):
            for item in page.get("Contents", ()):
                yield ObjectInfo(item["Key"], item["Size"], item["LastModified"].timestamp())

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders under a prefix; one request for every 1,000."""
        for page in self._pages(prefix, Delimiter="/"):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"]

    def _pages(self, prefix: str, **more: str) -> Iterator[Any]:
        while True:
            page = self._again_if_expired(partial(self._page, prefix, more))
            yield page
            if not page.get("NextContinuationToken"):
                return
            more = {**more, "ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: str, more: dict[str, str]) -> Any:
        with self._translated(f"list {prefix!r}"):
            return self._client().list_objects_v2(Bucket=self._bucket, Prefix=prefix, **more)  # type: ignore[arg-type]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one request for every 1,000."""
        for batch in _batches(keys, _DELETE_BATCH):
            answer = self._again_if_expired(partial(self._delete_batch, batch))
            for failed in answer.get("Errors", ()):
                raise TargetError(f"could not delete {failed.get('Key')!r}: {failed.get('Message')}")

    def _delete_batch(self, batch: Sequence[str]) -> Any:
        objects: Any = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
        with self._translated("delete objects"):
            return self._client().delete_objects(Bucket=self._bucket, Delete=objects)

    def presign_get(self, key: str, expires_s: int) -> str:
        """Return a URL to read `key` with, for 1 to 604,800 seconds or until temporary credentials end."""
        return self._sign("GET", key, expires_s)

    def presign_put(self, key: str, expires_s: int) -> str:
        """Return a URL to write `key` with, for 1 to 604,800 seconds or until temporary credentials end."""
        return self._sign("PUT", key, expires_s)

    def links_last_s(self, needed_s: float) -> float:
        """Return for how long URLs made now last at most; see `ObjectStore.links_last_s`."""
        return self._access.lasting_s(needed_s)

    def signer(self) -> str:
        """Name the access key that signs URLs now."""
        return self._access.credentials().access_key

    def close(self) -> None:
        """Close connections and end threads; what is asked for later raises TargetError. Idempotent."""
        with self._lock:
            self._is_closed = True
            transfer, self._own_transfer = self._own_transfer, None
            client, self._own_client = self._own_client, None
        if transfer is not None:
            transfer.close()
        if client is not None:
            client.close()

    def _sign(
        self, method: str, key: str, expires_s: int = _OWN_URLS_EXPIRE_S, *, query: Mapping[str, str] | None = None
    ) -> str:
        return self._signer().sign(method, key, expires_s, query=query)

    def _signer(self) -> UrlSigner:
        if self._own_signer is None:
            with self._lock:
                base_url = self._base_url()
                self._own_signer = UrlSigner(
                    base_url=base_url,
                    region=self._access.region,
                    credentials=self._access.credentials,
                    now=self._clock.time,
                )
        return self._own_signer

    def _base_url(self) -> str:
        """Return where the bucket's keys are, by boto3's own rules: they know the profile's FIPS and dual stack."""
        if self._access.endpoint_url:
            return f"{self._access.endpoint_url.rstrip('/')}/{self._bucket}"
        with self._translated("find the bucket's endpoint"):
            probe = self._client().generate_presigned_url("get_object", {"Bucket": self._bucket, "Key": "k"})
        parts = urlsplit(probe)
        return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/k')}"

    def _transfer(self) -> Transfer:
        with self._lock:
            self._check_open()
            if self._own_transfer is None:
                # The CA file is looked up only where TLS is used: it costs the import of boto3.
                plain = (self._access.endpoint_url or "").startswith("http://")
                connections = Connections(cafile=None if plain else self._access.ca_file())
                self._own_transfer = Transfer(tuning=self._tuning, clock=self._clock, connections=connections)
            return self._own_transfer

    def _again_if_expired(self, do: Callable[[], _T]) -> _T:
        """Do something, and again with new credentials if the session token had expired."""
        try:
            return do()
        except CredentialsError as error:
            if not is_expired(error) or not self._access.renew():
                raise
        return do()

    def _client(self) -> S3Client:
        with self._lock:
            self._check_open()
            if self._own_client is not None and self._generation != self._access.generation:
                self._own_client.close()  # its credentials are those of an older session
                self._own_client = None
            self._generation = self._access.generation
            if self._own_client is None:
                # Style "auto" would sign URLs for the global host, whatever the region; see `Endpoints.bucket_url`.
                client: S3Client = self._make_client("path" if self._access.endpoint_url else "virtual")
                host = urlsplit(client.meta.endpoint_url).hostname or ""
                if not self._access.endpoint_url and not is_aws_host(host):
                    # An endpoint from AWS_ENDPOINT_URL or the profile seldom has a host for every bucket.
                    client.close()
                    client = self._make_client("path")
                self._own_client = client
            return self._own_client

    def _check_open(self) -> None:
        # A job's last words may come when its target is closed: a connection opened for them would stay for ever.
        if self._is_closed:
            raise TargetError(f"the store of bucket {self._bucket!r} was closed")

    def _make_client(self, addressing_style: str) -> S3Client:
        client: S3Client = self._access.client(
            "s3",
            signature_version="s3v4",
            s3={"addressing_style": addressing_style, "us_east_1_regional_endpoint": "regional"},
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=self._tuning.parallel,
            # Objects are named by their sha256 or signed: botocore's CRC32 would be a second pass for nothing.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # For each attempt, in the thread that asks.
        client.meta.events.register("before-send.s3", _count)
        client.meta.events.register("needs-retry.s3", _delay_s)  # type: ignore[arg-type]  # its answer counts
        return client

    def _explain(self, key: str, refused: TargetError) -> bool:
        """Find out what a refused HEAD, which has no body, was refused for: ask for the first byte."""
        with self._translated(f"look for {key!r}"):
            try:
                self._client().get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
            except Exception as exc:
                if code_of(exc)[0] in ("NoSuchKey", "404"):
                    return False
                if code_of(exc)[0] == "InvalidRange":
                    return True
                # Without the right to list the bucket, a missing object is reported as 403 ("GetObject").
                if code_of(exc)[0] == "AccessDenied" and "s3:GetObject" not in code_of(exc)[2]:
                    return False
                raise
        raise refused

    @contextmanager
    def _missing_as(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as exc:
            raise object_missing(key, self._bucket) from exc

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Convert boto3's exceptions to ours."""
        self._access.session()  # the first to import botocore
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as exc:
            context = AwsContext(doing, bucket=self._bucket, where=self._access.endpoint_url or "")
            raise error_from_botocore(exc, context) from exc
        except RuntimeError as exc:
            if "refreshed credentials" not in str(exc):
                raise
            raise still_expired(exc) from exc


def _count(event_name: str, **_: Any) -> None:
    count_operation(event_name.rpartition(".")[2])


def _delay_s(response: tuple[Any, Any] | None, attempts: int, **_: Any) -> float | None:
    """Return how long to wait before a request that was redirected for now is sent again; see `storage.retry`."""
    if response is None or response[0].status_code != TEMPORARY_REDIRECT:
        return None
    return TransferRetry(attempts=_ATTEMPTS).delay_s(attempts, elapsed_s=0.0, jitter=random.random())


def _batches(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for key in keys:
        batch.append(key)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
