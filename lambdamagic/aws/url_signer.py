"""Presigned URLs, made fast: every invocation carries a few, and botocore takes eight times as long.

The form is "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" of the S3 API reference. Makes
no request and knows no botocore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

from lambdamagic.aws.sigv4 import ALGORITHM, FrozenCredentials, SigV4, time_stamp

MAX_EXPIRES_S = 604_800
"""Seven days: the longest that a presigned URL may live, by the page named above."""

_UNRESERVED = "-_.~"


class UrlSigner:
    """Signs URLs of one bucket. Thread-safe.

    Args:
        base_url: Where the bucket's keys are, without a trailing slash; with the bucket in the host (AWS) or as the
            path's first part (custom endpoints).
        region: The bucket's region.
        credentials: Gives the credentials of this moment.
        now: Gives the seconds since the epoch.
    """

    def __init__(
        self, *, base_url: str, region: str, credentials: Callable[[], FrozenCredentials], now: Callable[[], float]
    ) -> None:
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._prefix = parts.path
        self._sigv4 = SigV4(region, "s3")
        self._credentials = credentials
        self._now = now

    def sign(self, method: str, key: str, expires_s: int, *, query: Mapping[str, str] | None = None) -> str:
        """Return a URL for one method on one key.

        A URL signed with temporary credentials ends with them, even when `expires_s` is longer. Only the host is
        signed: Range, If-Match and Content-Type may be added to the request, headers `x-amz-*` may not.

        Args:
            method: The HTTP method.
            key: The object's key, unquoted.
            expires_s: 1 to 604,800.
            query: Further parameters of the operation, such as `partNumber`.

        Raises:
            ValueError: `expires_s` is out of range.
            CredentialsError: there are no credentials.
        """
        if not 1 <= expires_s <= MAX_EXPIRES_S:
            raise ValueError(f"a presigned URL lives 1 to {MAX_EXPIRES_S} seconds, not {expires_s}")
        frozen = self._credentials()
        stamp = time_stamp(self._now())
        credential = f"{frozen.access_key}/{self._sigv4.scope(stamp)}"
        canonical_query = _canonical_query(credential, stamp, expires_s, frozen.token, tuple((query or {}).items()))
        path = f"{self._prefix}/{quote(key, safe='/' + _UNRESERVED)}"
        request = f"{method}\n{path}\n{canonical_query}\nhost:{self._host}\n\nhost\nUNSIGNED-PAYLOAD"
        signature = self._sigv4.signature(request, stamp, frozen)
        return f"{self._origin}{path}?{canonical_query}&X-Amz-Signature={signature}"


@lru_cache(maxsize=256)  # the URLs of one moment differ in their keys only, and a token has a thousand characters
def _canonical_query(
    credential: str, stamp: str, expires_s: int, token: str | None, more: tuple[tuple[str, str], ...]
) -> str:
    parameters = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": credential,
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
        **({"X-Amz-Security-Token": token} if token else {}),
        **dict(more),
    }
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in parameters.items()
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
