"""The signing key of AWS's Signature Version 4, kept for the day and credentials that it is valid for.

"Create a signed AWS API request", IAM user guide. Used to presign S3's URLs and to sign Lambda's invocations: botocore
derives the key again for every request and wraps each in objects, which costs several times what the signature does.
"""

from __future__ import annotations

import hmac
import threading
import time
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

ALGORITHM = "AWS4-HMAC-SHA256"


class FrozenCredentials(Protocol):
    """Credentials at one moment."""

    @property
    def access_key(self) -> str:
        """The access key id."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret access key."""
        ...

    @property
    def token(self) -> str | None:
        """The session token of temporary credentials."""
        ...


class SigV4:
    """Signs canonical requests to one service in one region. Thread-safe.

    Args:
        region: AWS region.
        service: The name in the credential scope, such as `s3` or `lambda`.
    """

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._lock = threading.Lock()
        self._kept: tuple[tuple[str, str], bytes] | None = None

    def scope(self, stamp: str) -> str:
        """Return the credential scope at a time stamp."""
        return f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"

    def signature(self, canonical_request: str, stamp: str, credentials: FrozenCredentials) -> str:
        """Return the hex signature of a canonical request."""
        digest = sha256(canonical_request.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{stamp}\n{self.scope(stamp)}\n{digest}"
        return hmac.digest(self._key(credentials.secret_key, stamp[:8]), to_sign.encode(), "sha256").hex()

    def _key(self, secret: str, day: str) -> bytes:
        with self._lock:
            if self._kept is None or self._kept[0] != (secret, day):
                key = f"AWS4{secret}".encode()
                for part in (day, self._region, self._service, "aws4_request"):
                    key = hmac.digest(key, part.encode(), "sha256")
                self._kept = ((secret, day), key)
            return self._kept[1]


def time_stamp(now_s: float) -> str:
    """Return seconds since the epoch as AWS writes them."""
    return _stamp(int(now_s))


@lru_cache(maxsize=4)  # an invocation carries several of one second
def _stamp(now_s: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
