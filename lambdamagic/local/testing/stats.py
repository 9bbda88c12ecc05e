"""Counts what is asked of the instance, so that a benchmark can count S3 requests at the server."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.local.control.control_plane import ACCOUNT_PATH
from lambdamagic.local.server.http_server import HttpRequest

# (method, query parameter that names the operation, S3 operation); the first that fits.
_S3_KEY_OPERATIONS = (
    ("POST", "uploads", "CreateMultipartUpload"),
    ("POST", "uploadId", "CompleteMultipartUpload"),
    ("PUT", "uploadId", "UploadPart"),
    ("DELETE", "uploadId", "AbortMultipartUpload"),
    ("GET", "uploadId", "ListParts"),
    ("GET", "tagging", "GetObjectTagging"),
    ("PUT", "tagging", "PutObjectTagging"),
    ("GET", "", "GetObject"),
    ("PUT", "", "PutObject"),
    ("HEAD", "", "HeadObject"),
    ("DELETE", "", "DeleteObject"),
    ("POST", "", "PostObject"),
)
_S3_BUCKET_OPERATIONS = (
    ("POST", "delete", "DeleteObjects"),
    ("GET", "list-type", "ListObjectsV2"),
    ("GET", "uploads", "ListMultipartUploads"),
    ("GET", "location", "GetBucketLocation"),
    ("PUT", "notification", "PutBucketNotificationConfiguration"),
    ("GET", "notification", "GetBucketNotificationConfiguration"),
    ("PUT", "lifecycle", "PutBucketLifecycleConfiguration"),
    ("GET", "lifecycle", "GetBucketLifecycleConfiguration"),
    ("PUT", "versioning", "PutBucketVersioning"),
    ("PUT", "policy", "PutBucketPolicy"),
    ("PUT", "encryption", "PutBucketEncryption"),
    ("PUT", "publicAccessBlock", "PutPublicAccessBlock"),
    ("GET", "", "ListObjects"),
    ("PUT", "", "CreateBucket"),
    ("HEAD", "", "HeadBucket"),
    ("DELETE", "", "DeleteBucket"),
)
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]+)")


@dataclass(slots=True)
class Stats:
    """Counters since the start, or since the last reset.

    Attributes:
        requests: By service and operation.
        results: Invocations by how they ended: `ok`, `function_error`, `throttled`, `refused`.
        billed_invocations: Those that ran, also for an event, or died.
        billed_gb_s: Their billed time by their memory.
    """

    requests: dict[str, Counter[str]] = field(default_factory=dict)
    results: Counter[str] = field(default_factory=Counter)
    cold_starts: int = 0
    warm_starts: int = 0
    billed_invocations: int = 0
    billed_gb_s: float = 0.0

    def count(self, service: str, operation: str) -> None:
        """Count one request."""
        counter = self.requests.get(service)
        if counter is None:
            counter = self.requests[service] = Counter()
        counter[operation] += 1

    def reset(self) -> None:
        """Begin again."""
        self.requests.clear()
        self.results.clear()
        self.cold_starts = self.warm_starts = self.billed_invocations = 0
        self.billed_gb_s = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the counters as JSON-able values."""
        return {
            "requests": {service: dict(counter) for service, counter in self.requests.items()},
            "results": dict(self.results),
            "cold_starts": self.cold_starts,
            "warm_starts": self.warm_starts,
            "billed_invocations": self.billed_invocations,
            "billed_gb_s": self.billed_gb_s,
        }


def operation_of(service: str, request: HttpRequest) -> str:
    """Return the operation's name as AWS's API reference has it, or method and path where it is not known."""
    if service == "s3":
        return _s3_operation(request)
    if service == "lambda" and request.path.rstrip("/") == ACCOUNT_PATH:
        return "GetAccountSettings"
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    action = _ACTION.search(request.body[:4096])
    if action:
        return action[1].decode()
    return f"{request.method} {request.path}"


def _s3_operation(request: HttpRequest) -> str:
    _, _, key = request.path.lstrip("/").partition("/")
    if request.path == "/":
        return "ListBuckets"
    parameters = {part.partition("=")[0] for part in request.query.split("&")}
    for method, parameter, operation in _S3_KEY_OPERATIONS if key else _S3_BUCKET_OPERATIONS:
        if request.method == method and (not parameter or parameter in parameters):
            if operation in ("PutObject", "UploadPart") and "x-amz-copy-source" in request.headers:
                return "CopyObject" if operation == "PutObject" else "UploadPartCopy"
            return operation
    return f"{request.method} {'object' if key else 'bucket'}"
