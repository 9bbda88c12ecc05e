"""Keys of objects in the bucket, and signatures of a job's staged results."""

from __future__ import annotations

import functools
import hashlib
import hmac

from lambdamagic.protocol.reading import digits

PREFIX = "lambdamagic"
_SPREAD_DIGITS = 4
_VARIANT_BASE_CHARS = 64 - 20


def blob_key(sha256: str) -> str:
    """Key of a content-addressed object: its name is the proof of its content."""
    return f"{blobs_prefix()}{sha256}"


def blobs_prefix() -> str:
    """Prefix of all content-addressed objects."""
    return f"{PREFIX}/blobs/"


def job_prefix(job_id: str) -> str:
    """Prefix of everything that belongs to one job.

    It begins with a digest: S3 divides a bucket by the keys' beginnings, and jobs of one day begin alike
    ("Best practices design patterns: optimizing Amazon S3 performance", S3 user guide).
    """
    return f"{jobs_prefix()}{_spread(job_id)}/"


@functools.lru_cache(maxsize=64)  # an invocation carries several keys of one job
def _spread(job_id: str) -> str:
    return f"{hashlib.sha256(job_id.encode()).hexdigest()[:_SPREAD_DIGITS]}-{job_id}"


def graphs_prefix() -> str:
    """Prefix of all graphs that run in walks: the only one that the role of such a function may use."""
    return f"{PREFIX}/graphs/"


def read_job_prefix(prefix: str) -> str | None:
    """Return the id of the job whose prefix this is, or None if it is not a job's."""
    job_id = prefix.removeprefix(jobs_prefix()).rstrip("/").partition("-")[2]
    return job_id if job_id and job_prefix(job_id) == prefix else None


def attempt_name(number: int, tasks: tuple[int, ...]) -> str:
    """Return an attempt's id. It says which tasks it carries, always a run of neighbors, so that a listing does."""
    return f"{number:06d}-{tasks[0]}-{len(tasks)}"


def read_attempt_name(attempt_id: str) -> tuple[int, range]:
    """Return an attempt's number and tasks.

    Raises:
        ValueError: It is no attempt's id.
    """
    number, first, count = (_count(part) for part in attempt_id.split("-"))
    return number, range(first, first + count)


def _count(text: str) -> int:
    found = digits(text)
    if found is None:
        raise ValueError(f"{text[:20]!r} is not a number of ours")
    return found


def cache_prefix(callable_key: str | None = None) -> str:
    """Prefix of the outcomes that are kept, of one callable or of all."""
    return f"{PREFIX}/cache/{callable_key}/" if callable_key else f"{PREFIX}/cache/"


def result_key(job_id: str, attempt_id: str, part: int) -> str:
    """Key of one part of a staged result."""
    return f"{job_prefix(job_id)}results/{attempt_id}/{part}"


def stayed_key(job_id: str, attempt_id: str) -> str:
    """Key of the values of one attempt that stay in the bucket."""
    return f"{job_prefix(job_id)}results/{attempt_id}/stayed"


def results_prefix(job_id: str) -> str:
    """Prefix of all that a job's invocations stage: one LIST finds every answer."""
    return f"{job_prefix(job_id)}results/"


def answer_key(job_id: str, attempt_id: str) -> str:
    """Key of the whole answer of an invocation without a waiting client."""
    return f"{results_prefix(job_id)}{attempt_id}/answer"


def manifest_key(job_id: str) -> str:
    """Key of a job's manifest."""
    return f"{job_prefix(job_id)}manifest"


def jobs_prefix() -> str:
    """Prefix of all jobs."""
    return f"{PREFIX}/jobs/"


def block_key(job_id: str, tasks: range) -> str:
    """Key of the arguments of neighboring tasks."""
    return f"{blocks_prefix(job_id)}{tasks.start:012d}-{len(tasks)}"


def read_block_key(key: str, job_id: str) -> range:
    """Return the tasks whose arguments are under a key.

    Raises:
        ValueError: It is not the key of such an object.
    """
    start, count = (_count(part) for part in key.removeprefix(blocks_prefix(job_id)).split("-"))
    tasks = range(start, start + count)
    if block_key(job_id, tasks) != key:
        raise ValueError(f"{key!r} is not the key of arguments of job {job_id}")
    return tasks


def blocks_prefix(job_id: str) -> str:
    """Prefix of all arguments of a job's tasks that were kept."""
    return f"{job_prefix(job_id)}items/"


def trigger_prefix(function: str) -> str:
    """Prefix of the requests whose upload starts a function; nothing that a function writes is there."""
    return f"{PREFIX}/trigger/{function}/"


def trigger_key(function: str, job_id: str, attempt_id: str) -> str:
    """Key of one such request."""
    return f"{trigger_prefix(function)}{_spread(job_id)}/{attempt_id}"


def read_trigger_key(key: str, function: str) -> tuple[str, str]:
    """Return the job and the attempt of a request's key.

    Raises:
        ValueError: It is not the key of a request for this function.
    """
    prefix = trigger_prefix(function)
    folder, _, attempt_id = key.removeprefix(prefix).partition("/")
    job_id = folder.partition("-")[2]
    if not job_id or not attempt_id or "/" in attempt_id or trigger_key(function, job_id, attempt_id) != key:
        raise ValueError(f"{key!r} is not the key of a request for {function}")
    return job_id, attempt_id


def triggered_job_key(trigger_secret: bytes, job_id: str) -> bytes:
    """Return the key of a job whose requests are in the bucket: derived, so that it is stored nowhere."""
    return hmac.digest(trigger_secret, f"lambdamagic job {job_id}".encode(), "sha256")


def variant_prefix(base: str) -> str:
    """Return what the names of a function's variants begin with, whatever their size: policies name it.

    The longest suffix has 20 characters (`-py314-32768mb-5400s`), a function's name 64 ("CreateFunction", Lambda API
    reference).
    """
    if len(base) <= _VARIANT_BASE_CHARS:
        return base
    return f"{base[: _VARIANT_BASE_CHARS - 7]}-{hashlib.sha256(base.encode()).hexdigest()[:6]}"


def live_key(job_id: str, attempt_id: str) -> str:
    """Key of the heartbeat of an invocation without a waiting client."""
    return f"{live_prefix(job_id)}{attempt_id}"


def live_prefix(job_id: str) -> str:
    """Prefix of the heartbeats: one LIST says of every invocation under way, and holds no other object."""
    return f"{job_prefix(job_id)}live/"


def cancel_key(job_id: str) -> str:
    """Key of the object whose existence stops running tasks."""
    return f"{job_prefix(job_id)}cancel"


def new_job_key() -> bytes:
    """Return a fresh secret for signing one job's results. It is sent only in invoke events."""
    import secrets  # with its `random` slow to import, and the function draws no keys

    return secrets.token_bytes(32)


def sign(key: bytes, *parts: str) -> str:
    """Return the HMAC-SHA256 over parts, each preceded by its length so that no two lists sign alike."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")  # whatever is in its place has a signature that does not fit
        mac.update(len(data).to_bytes(8, "big"))
        mac.update(data)
    return mac.hexdigest()


def is_signed(key: bytes, signature: object, *parts: str) -> bool:
    """Check a signature in constant time; a value that is not text is not a signature."""
    if not isinstance(signature, str):
        return False
    return hmac.compare_digest(sign(key, *parts).encode(), signature.encode("utf-8", "surrogatepass"))
