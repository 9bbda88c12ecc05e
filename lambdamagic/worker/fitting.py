"""Fit an answer into Lambda's limit: inline, staged in the bucket, or cut.

A synchronous answer has one limit for everything ("Lambda quotas", Lambda Developer Guide). It was paid for, so it is
never left to Lambda to refuse it.
"""

from __future__ import annotations

import json
from typing import Any

from lambdamagic.codec.frames import Frames
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol.envelope import Request, Response
from lambdamagic.worker.blobs import deliver

#: Outputs (pictures, long logs) above this are not sent in the answer's JSON but in the payload's last frame.
OUTPUTS_INLINE_MAX_BYTES = 256 * 1024
#: For what is written into the answer later: usage, signature, the parts' keys; and for each frame its size.
_RESERVE_BYTES, _FRAME_BYTES = 16 * 1024, 24
#: More than the versions and a handful of numbers.
_SHORT_BYTES = 4096
#: To so many characters errors in one line are cut, where there are too many of them.
_ERROR_CHARS = 80


def fit_answer(response: Response, frames: Frames | None, request: Request, *, left_s: float) -> Response:
    """Return an answer that Lambda takes.

    Args:
        response: Without its payload, which is put in here.
        frames: The payload; None for none.
        request: What it answers.
        left_s: For how long the bucket may refuse.

    Raises:
        LambdaMagicError: The payload could not be stored.
    """
    segments: list[Any] = [] if frames is None else list(frames.segments)
    text = json.dumps(response.outputs) if response.outputs else ""
    can_stage = bool(request.uploads or request.answer_url)
    if len(text) > OUTPUTS_INLINE_MAX_BYTES:
        if not can_stage:
            response.outputs = _cut(response.outputs, OUTPUTS_INLINE_MAX_BYTES)
        else:
            segments.append(text.encode())
            response.outputs = [{"in_last_frame": True}]
    inline_bytes = request.inline_limit_bytes
    if not request.answer_url:
        most = AWS_LAMBDA.sync_payload_bytes.most - _RESERVE_BYTES - _FRAME_BYTES * len(segments)
        rest_bytes = _SHORT_BYTES if _is_short(response) else _size_of(response)
        if rest_bytes > most // 2:
            response.tasks = [task._replace(error=task.error[:_ERROR_CHARS]) for task in response.tasks]
            rest_bytes = _size_of(response)
        room_bytes = (most - rest_bytes) * 3 // 4
        size_bytes = sum(memoryview(segment).nbytes for segment in segments)
        if size_bytes > room_bytes and not can_stage:
            if not response.outputs:
                return _refused(response, size_bytes, room_bytes)
            spare_bytes = len(text) - (size_bytes - room_bytes) * 4 // 3
            response.outputs = _cut(response.outputs, min(spare_bytes, len(text) // 2))
            return fit_answer(response, frames, request, left_s=left_s)
        inline_bytes = min(inline_bytes, room_bytes) if can_stage else room_bytes
    if segments:
        response.payload, response.signature = deliver(segments, request, inline_bytes=inline_bytes, left_s=left_s)
    return response


def _is_short(response: Response) -> bool:
    """Whether an answer has no more than `_SHORT_BYTES`, without writing it: it is one cell's that showed nothing."""
    has_one = len(response.tasks) == 1 and not response.tasks[0].error and not response.tasks[0].kinds
    has_more = response.outputs or response.detail or response.stayed is not None
    return has_one and not has_more and len(response.numbers) < _SHORT_BYTES // 2


def _size_of(response: Response) -> int:
    return len(json.dumps(response.to_json()))


def _cut(outputs: list[dict[str, Any]], most_bytes: int) -> list[dict[str, Any]]:
    """Return the first outputs that have room, and a line that says how many were left out; none below some room."""
    kept: list[dict[str, Any]] = []
    left = most_bytes - 200
    if left <= 0:
        return []
    for number, output in enumerate(outputs):
        size = len(json.dumps(output))
        if size <= left:
            kept.append(output)
            left -= size
            continue
        if "stream" in output:
            kept.append({**output, "text": output["text"][: left // 6]})  # one character can need six bytes
        more = len(outputs) - number
        note = f"\n[the answer had no room for the rest of the output ({more} part{'s' * (more > 1)} left out)]\n"
        kept.append({"stream": "stderr", "text": note})
        break
    return kept


def _refused(response: Response, size_bytes: int, room_bytes: int) -> Response:
    detail = (
        f"the result is {size_bytes / 1e6:.1f} MB, this answer of Lambda's has room for {room_bytes / 1e6:.1f} MB, and "
        "no bucket is configured to stage it in; configure a bucket (LAMBDAMAGIC_BUCKET)"
    )
    return Response(
        response.versions,
        "refused",
        usage=response.usage,
        tasks=response.tasks,
        detail=detail,
        error_kind="ResultError",
        stayed=response.stayed,
    )
