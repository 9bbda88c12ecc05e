"""The Authorization header of a request to AWS ("Create a signed AWS API request", IAM user guide)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import quote, urlsplit

from lambdamagic.aws.sigv4 import ALGORITHM, FrozenCredentials, SigV4, time_stamp


class RequestSigner:
    """Signs requests to one service in one region. Thread-safe.

    Args:
        region: AWS region.
        service: The name in the credential scope, such as `lambda`.
        credentials: Gives the credentials of this moment.
        now: Gives the seconds since the epoch.
    """

    def __init__(
        self, *, region: str, service: str, credentials: Callable[[], FrozenCredentials], now: Callable[[], float]
    ) -> None:
        self._sigv4 = SigV4(region, service)
        self._credentials = credentials
        self._now = now

    def sign(self, method: str, url: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return the headers to send: those given, and those that carry the signature.

        Args:
            method: The HTTP method.
            url: The URL without its query, its path quoted.
            query: The query as it will be sent: quoted, names in order.
            headers: Other headers; all are signed. They hold no line breaks and no double blanks.
            body: The body; its SHA-256 is part of the signature (about 3 ms for each MB).

        Raises:
            CredentialsError: there are no credentials.
        """
        frozen = self._credentials()
        parts = urlsplit(url)
        stamp = time_stamp(self._now())
        sent = {**headers, "X-Amz-Date": stamp}
        if frozen.token:
            sent["X-Amz-Security-Token"] = frozen.token
        lines = sorted([("host", parts.netloc), *((name.lower(), value) for name, value in sent.items())])
        names = ";".join(name for name, _ in lines)
        canonical = "".join(f"{name}:{value}\n" for name, value in lines)
        path = quote(parts.path or "/", safe="/")  # quoted twice, as every service but S3 wants it
        digest = sha256(body).hexdigest()
        signature = self._sigv4.signature(f"{method}\n{path}\n{query}\n{canonical}\n{names}\n{digest}", stamp, frozen)
        credential = f"{frozen.access_key}/{self._sigv4.scope(stamp)}"
        sent["Authorization"] = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return sent
