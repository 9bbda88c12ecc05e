"""Authentication: requests that are not signed with SigV4 (or S3's older presigned form) are rejected.

This machine may be shared and a browser on it can reach 127.0.0.1, so knowing the port is no right to run
code. The canonical form follows "Create a signed AWS API request" (IAM user guide) and, for S3, "Authenticating
requests (AWS Signature Version 4)". It is computed here, not by botocore, because it stands on the path
of every warm invocation: botocore builds request objects that cost more than the signature itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from lambdamagic.local.server import auth_errors as errors
from lambdamagic.local.server.chunked import MODES, ChunkSigning
from lambdamagic.local.server.http_server import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_PREFIX = "STREAMING-"
MAX_SKEW_S = 15 * 60  # "Request timestamp must be within 15 minutes", SigV4 troubleshooting
MAX_PRESIGN_S = 7 * 24 * 3600  # "Authenticating Requests: Using Query Parameters"
_KEY_ID = re.compile(r"A[KS]IA[A-Z0-9]{16}")
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEY_CACHE_SIZE = 256
_SIGNED_BY_V2 = ("content-md5", "content-type")


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that is known to the instance."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a request, and for what.

    Attributes:
        access_key_id: The key.
        region: The region of the credential scope.
        service: The service of the credential scope (`s3`, `lambda`, ...).
        digest: The SHA-256 that the signature covers and that the body is still to be compared with
            (`check_body`); None when there is nothing left to compare.
        streaming: With what the chunks of an aws-chunked body are verified; None for any other body.
    """

    access_key_id: str
    region: str
    service: str
    digest: str | None = None
    streaming: ChunkSigning | None = None


class Authenticator:
    """Verifies signatures against the instance's keys. Not thread-safe: lives in the event loop."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._credentials: dict[str, Credential] = {}
        self._signing_keys: dict[tuple[str, str, str, str], bytes] = {}
        self._seen: dict[str, float] = {}
        self.is_over: Callable[[float], bool] = lambda _since: False
        self.look_up: Callable[[str], Credential | None] = lambda _key: None

    def add(self, credential: Credential) -> None:
        """Make a key known."""
        self._credentials[credential.access_key_id] = credential

    def knows_key_in(self, text: str) -> bool:
        """Return whether an Authorization header or a query names a known key: not proof, but no guess either."""
        match = _KEY_ID.search(text)
        return match is not None and (match[0] in self._credentials or self.look_up(match[0]) is not None)

    def verify(self, request: HttpRequest) -> Signer:
        """Return who signed, or raise the error that AWS would answer.

        Raises:
            AwsError: Nothing was signed, the key is unknown, the signature or the body's digest is
                wrong, or the time has passed.
        """
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return self._verify_header(request, authorization)
        if "X-Amz-Signature=" in request.query:
            return self._verify_presigned(request)
        if "Signature=" in request.query and "AWSAccessKeyId=" in request.query:
            return self._verify_presigned_v2(request)
        raise errors.unsigned(request)

    def _verify_header(self, request: HttpRequest, authorization: str) -> Signer:
        algorithm, _, rest = authorization.partition(" ")
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        try:
            key_id, date, region, service, terminator = fields["Credential"].split("/")
            signed_headers, signature = fields["SignedHeaders"], fields["Signature"]
        except (KeyError, ValueError):
            raise errors.malformed(request) from None
        if algorithm != ALGORITHM or terminator != "aws4_request":
            raise errors.malformed(request)
        credential = self._credential(key_id, request.headers.get("x-amz-security-token"), service)
        timestamp = request.headers.get("x-amz-date", "")
        self._check_time(timestamp, date, service)
        stated = request.headers.get("x-amz-content-sha256")
        digest, is_streaming = self._payload_digest(request, stated, service)
        names = signed_headers.split(";")
        _check_signed_names(request, names, service)
        scope = f"{date}/{region}/{service}/aws4_request"
        canonical = _canonical_request(request, request.query, names, signed_headers, digest, is_s3=service == "s3")
        key = self._signing_key(credential, date, region, service)
        if not _is_same(_sign(key, timestamp, scope, canonical), signature):
            raise errors.mismatch(service)
        streaming = ChunkSigning(digest, signature, key, scope, timestamp) if is_streaming else None
        return Signer(key_id, region, service, _digest_to_check(digest, service), streaming)

    def _verify_presigned(self, request: HttpRequest) -> Signer:
        values = {unquote(k): unquote(v) for k, _, v in (p.partition("=") for p in request.query.split("&"))}
        try:
            key_id, date, region, service, _ = values["X-Amz-Credential"].split("/")
            timestamp, signature = values["X-Amz-Date"], values["X-Amz-Signature"]
            signed_headers = values["X-Amz-SignedHeaders"]
            lifetime_s = int(values["X-Amz-Expires"])
            signed_at = _parse_time(timestamp)
        except (KeyError, ValueError):
            raise errors.malformed(request) from None
        if values.get("X-Amz-Algorithm") != ALGORITHM or not 0 <= lifetime_s <= MAX_PRESIGN_S:
            raise errors.malformed(request)
        credential = self._credential(key_id, values.get("X-Amz-Security-Token"), service)
        if not timestamp.startswith(date) or signed_at - self._now() > MAX_SKEW_S:
            raise errors.skewed(service, timestamp, self._now())
        if self._now() > signed_at + lifetime_s:
            raise errors.expired(service)
        query = "&".join(p for p in request.query.split("&") if not p.startswith("X-Amz-Signature="))
        if service == "s3":
            stated = values.get("X-Amz-Content-Sha256") or request.headers.get("x-amz-content-sha256")
            digest, _ = self._payload_digest(request, stated or UNSIGNED_PAYLOAD, service)
        else:
            digest = hashlib.sha256(request.body).hexdigest()
        names = signed_headers.split(";")
        _check_signed_names(request, names, service)
        canonical = _canonical_request(request, query, names, signed_headers, digest, is_s3=service == "s3")
        key = self._signing_key(credential, date, region, service)
        scope = f"{date}/{region}/{service}/aws4_request"
        if not _is_same(_sign(key, timestamp, scope, canonical), signature):
            raise errors.mismatch(service)
        return Signer(key_id, region, service, _digest_to_check(digest, service))

    def _verify_presigned_v2(self, request: HttpRequest) -> Signer:
        """Verify S3's older presigned form, which boto3 still makes without `signature_version='s3v4'`."""
        # Imported here: only functions that presign without a Config need it, and it costs a start 60 ms.
        from urllib.parse import urlsplit

        from botocore.auth import HmacV1QueryAuth
        from botocore.compat import HTTPHeaders
        from botocore.credentials import Credentials

        values = {unquote(k): unquote(v) for k, _, v in (p.partition("=") for p in request.query.split("&"))}
        try:
            key_id, signature, expires = values["AWSAccessKeyId"], values["Signature"], values["Expires"]
            expires_at = int(expires)
        except (KeyError, ValueError):
            raise errors.malformed(request) from None
        credential = self._credential(key_id, values.get("x-amz-security-token"), "s3")
        if self._now() > expires_at:
            raise errors.expired("s3")

        class Signing(HmacV1QueryAuth):  # botocore's counts the expiry from now; here it is what the address says
            def _get_date(self) -> str:
                return expires

        # What were headers at the time of signing is sent in the query, in lower case.
        headers = HTTPHeaders()
        for name, value in {**request.headers, **values}.items():
            if name.startswith("x-amz-") or name in _SIGNED_BY_V2:
                headers[name] = value
        signer = Signing(Credentials(credential.access_key_id, credential.secret_access_key))
        split = urlsplit(f"http://{request.headers.get('host', '')}{request.path}?{request.query}")
        expected = signer.get_signature(
            request.method,
            split,
            headers,  # type: ignore[arg-type]  # the stubs want a Mapping, the code wants these
            auth_path=request.path,
        )
        if not _is_same(expected, signature):
            raise errors.mismatch("s3")
        return Signer(credential.access_key_id, "us-east-1", "s3")

    def _credential(self, key_id: str, token: str | None, service: str) -> Credential:
        credential = self._credentials.get(key_id)
        if credential is None:
            credential = self.look_up(key_id)  # keys that moto's IAM and STS gave out
            if credential is None:
                raise errors.unknown_key(service)
            self._credentials[key_id] = credential
            self._seen[key_id] = self._now()
        if not _is_same(credential.session_token or "", token or ""):
            raise errors.bad_token(service)
        if credential.expires_at is not None and (
            self._now() >= credential.expires_at or self.is_over(self._seen[key_id])
        ):
            raise errors.expired_token(service)
        return credential

    def _check_time(self, timestamp: str, date: str, service: str) -> None:
        try:
            signed_at = _parse_time(timestamp)
        except ValueError:
            raise errors.mismatch(service) from None
        if abs(signed_at - self._now()) > MAX_SKEW_S or not timestamp.startswith(date):
            raise errors.skewed(service, timestamp, self._now())

    def _payload_digest(self, request: HttpRequest, stated: str | None, service: str) -> tuple[str, bool]:
        """Return the digest to sign with, and whether the body is aws-chunked."""
        if service == "s3":
            if stated is None:
                raise errors.missing_digest()
            if stated == UNSIGNED_PAYLOAD:
                return stated, False
            if stated in MODES:
                return stated, True
            if stated.startswith(STREAMING_PREFIX):
                raise errors.unknown_streaming()
            if not _HEX_DIGEST.fullmatch(stated):
                raise errors.wrong_digest()
            return stated, False
        digest = hashlib.sha256(request.body).hexdigest()
        return digest, False

    def _signing_key(self, credential: Credential, date: str, region: str, service: str) -> bytes:
        index = (credential.access_key_id, date, region, service)
        key = self._signing_keys.get(index)
        if key is None:
            if len(self._signing_keys) >= _KEY_CACHE_SIZE:
                self._signing_keys.clear()
            key = f"AWS4{credential.secret_access_key}".encode()
            for part in (date, region, service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing_keys[index] = key
        return key


def check_body(body: bytes, digest: str) -> None:
    """Compare a body with the digest that was signed; for a large body better done in a thread.

    Raises:
        AwsError: It is another body.
    """
    if hashlib.sha256(body).hexdigest() != digest:
        raise errors.wrong_digest()


def _is_same(ours: str, theirs: str) -> bool:
    # As bytes: compare_digest refuses text that is not ASCII, and theirs may be anything.
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogateescape"))


def _digest_to_check(digest: str, service: str) -> str | None:
    # Of other services the body itself was hashed for the signature.
    return digest if service == "s3" and _HEX_DIGEST.fullmatch(digest) else None


def _parse_time(timestamp: str) -> float:
    if len(timestamp) != 16 or timestamp[8] != "T" or timestamp[15] != "Z":
        raise ValueError(timestamp)
    parts = (timestamp[:4], timestamp[4:6], timestamp[6:8], timestamp[9:11], timestamp[11:13], timestamp[13:15])
    year, month, day, hour, minute, second = (int(part) for part in parts)
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def _check_signed_names(request: HttpRequest, names: list[str], service: str) -> None:
    # A header that AWS acts upon and that is not signed could have been added on the way.
    signed = set(names)
    if "host" not in signed or any(name.startswith("x-amz-") and name not in signed for name in request.headers):
        raise errors.unsigned_headers(service)


def _canonical_request(
    request: HttpRequest, query: str, names: list[str], signed_headers: str, digest: str, *, is_s3: bool
) -> str:
    path = request.path if is_s3 else quote(_normalized(request.path), safe="/-_.~")
    headers = "".join([f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names])
    return f"{request.method}\n{path}\n{_canonical_query(query)}\n{headers}\n{signed_headers}\n{digest}"


def _normalized(path: str) -> str:
    """Remove empty and dot segments, as every service but S3 does before it signs."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if path.endswith("/") and kept else "")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        pairs.append((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _sign(key: bytes, timestamp: str, scope: str, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return hmac.digest(key, f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode(), "sha256").hex()
