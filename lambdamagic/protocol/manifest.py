"""The objects in the bucket of a job that can be resumed: its manifest, and its tasks' arguments in blocks.

Both are sealed with the job's key, which is not in the bucket: who can only write there can plant nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambdamagic.errors import ProtocolError, VersionMismatchError
from lambdamagic.protocol import reading
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.seal import seal, unseal

#: Of the manifest's form.
VERSION = 1
#: Tasks whose arguments are kept in one object.
BLOCK_TASKS = 1000


@dataclass(frozen=True)
class Manifest:
    """A job, as far as another process needs to know it.

    Attributes:
        job_id: Its id.
        kind: `cell` or `map`.
        mode: `event` or `trigger`.
        label: A short name of the job, for display.
        versions: Of the client that wrote the program, see `versions.here`.
        program: The captured code and names, all frames staged or inline.
        options: What is sent to the remote side.
        task_count: How many tasks there are; None when that was not known.
        function: The function's name.
        memory_mb: Its memory.
        timeout_s: Its timeout.
        started_at: Seconds since the epoch.
    """

    job_id: str
    kind: str
    mode: str
    label: str
    versions: dict[str, Any]
    program: Payload
    options: dict[str, Any]
    task_count: int | None
    function: str
    memory_mb: int
    timeout_s: int
    started_at: float

    def sealed(self, key: bytes) -> bytes:
        """Return the bytes to store."""
        document = {"manifest": VERSION, **vars(self), "program": self.program.to_json()}
        return seal(document, key=key, job_id=self.job_id, attempt_id="manifest")

    @classmethod
    def unsealed(cls, data: bytes | bytearray, *, key: bytes, job_id: str) -> Manifest:
        """Read a stored manifest.

        Raises:
            IntegrityError: It does not carry the job's signature.
            VersionMismatchError: It was written by a newer lambdamagic.
            ProtocolError: It cannot be read.
        """
        text = unseal(data, key=key, job_id=job_id, attempt_id="manifest")
        try:
            document = reading.table(reading.read_json(text))
            version = reading.count(document.pop("manifest"))
            if version > VERSION:
                raise VersionMismatchError(
                    f"job {job_id} was started by a newer lambdamagic (its manifest has version {version}, "
                    f"this one reads {VERSION})",
                    hint="Update lambdamagic here: pip install --upgrade lambdamagic",
                )
            return cls(**{**document, "program": Payload.from_json(document["program"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"the manifest of job {job_id} cannot be read: {error!r}") from error


def seal_block(items: Payload, tasks: range, *, key: bytes, job_id: str) -> bytes:
    """Return the arguments of neighboring tasks as they are stored."""
    document = {"items": items.to_json()}
    return seal(document, key=key, job_id=job_id, attempt_id=f"items {tasks.start} {len(tasks)}")


def unseal_block(data: bytes | bytearray, tasks: range, *, key: bytes, job_id: str) -> Payload:
    """Read what `seal_block` wrote.

    Raises:
        IntegrityError: It does not carry the job's signature for these tasks.
        ProtocolError: It cannot be read.
    """
    text = unseal(data, key=key, job_id=job_id, attempt_id=f"items {tasks.start} {len(tasks)}")
    try:
        return Payload.from_json(reading.table(reading.read_json(text))["items"])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"the arguments of job {job_id} cannot be read: {error!r}") from error
