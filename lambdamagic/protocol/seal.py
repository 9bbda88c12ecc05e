"""Answers stored in the bucket, signed with the job's key.

Whoever can write to the bucket can put objects there; without the key, which is sent only in invoke events, none of
them is taken for an answer.
"""

from __future__ import annotations

import json
from typing import Any

from lambdamagic.errors import IntegrityError
from lambdamagic.protocol import reading
from lambdamagic.protocol.keys import is_signed, sign

#: What is signed as a whole is read whole before its signature is known. None of ours is near this size, and another's
#: must not fill the reader's memory.
SEALED_MOST_BYTES = 64 << 20


def seal(document: dict[str, Any], *, key: bytes, job_id: str, attempt_id: str) -> bytes:
    """Return the bytes to store."""
    text = json.dumps(document)
    return json.dumps({"answer": text, "signature": sign(key, "answer", job_id, attempt_id, text)}).encode()


def unseal(data: bytes | bytearray, *, key: bytes, job_id: str, attempt_id: str) -> bytes:
    """Return the answer as the function would have returned it.

    Raises:
        IntegrityError: It is none, or not signed for this attempt of this job.
    """
    try:
        envelope = reading.table(reading.read_json(data))
        text, signature = reading.text(envelope["answer"]), envelope["signature"]
    except (ValueError, KeyError) as error:
        raise IntegrityError("an object stored as an answer is not one; it was not read") from error
    if not is_signed(key, signature, "answer", job_id, attempt_id, text):
        raise IntegrityError("a stored answer does not carry this job's signature; it was not read")
    return text.encode("utf-8", "surrogatepass")
