"""Several encoded things in one object, signed with the job's key. Nothing else in the bucket is unpickled.

The form: eight bytes that say how long the head is, the head (JSON), the body. The signature covers the object's name,
so that one object cannot take another's place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from lambdamagic.errors import IntegrityError
from lambdamagic.protocol import reading
from lambdamagic.protocol.keys import is_signed, sign
from lambdamagic.protocol.payload import Payload

_LENGTH_BYTES = 8


def seal_parts(
    parts: Mapping[int, tuple[Any, Sequence[Any]]], *, key: bytes, job_id: str, name: str
) -> list[bytes | memoryview]:
    """Return the segments to store.

    Args:
        parts: By number: what is to be known of a part, as JSON has it, and its segments.
        key: The job's key.
        job_id: The job.
        name: The object's name.
    """
    listed, body, digest = [], [], sha256()
    for number, (about, segments) in parts.items():
        views = [memoryview(segment).cast("B") for segment in segments]
        for view in views:
            digest.update(view)
        listed.append([number, about, [len(view) for view in views]])
        body.extend(views)
    text = json.dumps(listed, separators=(",", ":"))
    signature = sign(key, "walk", job_id, name, text, digest.hexdigest())
    head = json.dumps([text, signature]).encode()
    return [len(head).to_bytes(_LENGTH_BYTES, "big"), head, *body]


def open_parts(
    data: bytes | bytearray, *, key: bytes, job_id: str, name: str
) -> dict[int, tuple[Any, list[memoryview]]]:
    """Return what `seal_parts` was given; the segments are views of the data.

    Raises:
        IntegrityError: It was not signed under this name with this job's key.
    """
    view = memoryview(data)
    length = int.from_bytes(view[:_LENGTH_BYTES], "big")
    body = view[_LENGTH_BYTES + length :]
    try:
        text, signature = reading.listed(reading.read_json(bytes(view[_LENGTH_BYTES : _LENGTH_BYTES + length])))
        is_ours = is_signed(key, signature, "walk", job_id, name, reading.text(text), sha256(body).hexdigest())
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"the object {name!r} of graph {job_id} is not lambdamagic's; it was not read") from error
    if not is_ours:
        raise IntegrityError(f"the object {name!r} of graph {job_id} does not carry its signature; it was not read")
    found: dict[int, tuple[Any, list[memoryview]]] = {}
    position = 0
    for number, about, sizes in json.loads(text):
        segments = []
        for size in sizes:
            segments.append(body[position : position + size])
            position += size
        found[number] = about, segments
    return found


def part_of(payload: Payload) -> tuple[Any, list[bytes]]:
    """Return a payload, all of it inline, as a part."""
    document = payload.to_json()
    del document["inline"]
    return document, [payload.inline]


def payload_of(about: Any, segments: Sequence[memoryview]) -> Payload:
    """Return the payload that a part holds."""
    return Payload.from_json({**about, "inline": ""})._replace(inline=b"".join(segments))
