"""Names of objects in the bucket, and the signature of what is staged under a job."""

from __future__ import annotations

import hashlib
import hmac
import secrets

PREFIX = "lambdamagic"


def blob_key(sha256: str) -> str:
    """Key of a content-addressed object: its name is the proof of its content."""
    return f"{PREFIX}/blobs/{sha256}"


def job_prefix(job_id: str) -> str:
    """Prefix of everything that belongs to one job."""
    return f"{PREFIX}/jobs/{job_id}/"


def result_key(job_id: str, attempt_id: str, part: int) -> str:
    """Key of one part of a staged result."""
    return f"{job_prefix(job_id)}results/{attempt_id}/{part}"


def results_prefix(job_id: str) -> str:
    """Prefix of all that a job's invocations stage: one LIST finds every answer."""
    return f"{job_prefix(job_id)}results/"


def answer_key(job_id: str, attempt_id: str) -> str:
    """Key of the whole answer of an invocation that nobody waits for."""
    return f"{results_prefix(job_id)}{attempt_id}/answer"


def cancel_key(job_id: str) -> str:
    """Key of the object whose existence tells running tasks to stop."""
    return f"{job_prefix(job_id)}cancel"


def new_job_key() -> bytes:
    """Return a fresh secret for signing one job's results. It travels only in invoke events."""
    return secrets.token_bytes(32)


def sign(key: bytes, *parts: str) -> str:
    """Return the HMAC-SHA256 over parts, each preceded by its length so that no two lists sign alike."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode()
        mac.update(len(data).to_bytes(8, "big"))
        mac.update(data)
    return mac.hexdigest()


def is_signed(key: bytes, signature: str, *parts: str) -> bool:
    """Check a signature in constant time."""
    return hmac.compare_digest(sign(key, *parts), signature)
