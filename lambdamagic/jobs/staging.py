"""Where bytes go on their way: inline while they fit, else to the bucket, each once."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from lambdamagic.codec.frames import Frames, sha256_of
from lambdamagic.errors import IntegrityError, ResultError
from lambdamagic.protocol import keys
from lambdamagic.protocol.envelope import Response, Upload
from lambdamagic.protocol.limits import INLINE_MAX_BYTES, PRESIGN_EXPIRES_S
from lambdamagic.protocol.payload import FrameRef, Payload, signed_text, split_frames
from lambdamagic.protocol.stored import unseal
from lambdamagic.storage.base import ObjectStore

#: A blob of at least this size is worth asking for before it is sent: another session may have sent it.
_ASK_MIN_BYTES = 8 << 20
#: How many parts a staged result may have, so that a large one moves in parallel. Each costs every invocation a
#: presigned URL, and S3 takes up to 5 GB in one PUT.
RESULT_PARTS = 2


class Stager:
    """Puts payloads in place and reads staged answers. Thread-safe.

    Args:
        store: The bucket; None where there is none, so that everything must ride inline.
    """

    def __init__(self, store: ObjectStore | None) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._sent: set[str] = set()

    def place(self, frames: Frames, *, limit_bytes: int = INLINE_MAX_BYTES) -> Payload:
        """Return the payload for an event, staging the largest frames until the rest fits inline.

        Args:
            frames: What to send.
            limit_bytes: How much may ride inline.

        Raises:
            ResultError: It does not fit inline, and there is no bucket.
            BucketMissingError, CredentialsError, TargetError: The bucket cannot be used.
        """
        staged = self.frames_to_stage(frames, limit_bytes)
        refs, inline = [], []
        for number, (segment, size) in enumerate(zip(frames.segments, frames.sizes, strict=True)):
            if number in staged:
                refs.append(self._stage(segment, size))
            else:
                refs.append(FrameRef(size))
                inline.append(segment)
        return Payload(tuple(refs), b"".join(inline))

    def frames_to_stage(self, frames: Frames, limit_bytes: int) -> set[int]:
        """Choose the frames that do not ride inline: the largest, as few as possible."""
        by_size = sorted(range(len(frames.sizes)), key=lambda number: -frames.sizes[number])
        left = frames.size_bytes
        staged: set[int] = set()
        for number in by_size:
            if left <= limit_bytes:
                break
            staged.add(number)
            left -= frames.sizes[number]
        return staged

    def _stage(self, segment: Any, size: int) -> FrameRef:
        store = self._required()
        sha256 = sha256_of([segment])
        key = keys.blob_key(sha256)
        with self._lock:
            is_known = sha256 in self._sent
        if not is_known:
            if size < _ASK_MIN_BYTES or not store.exists(key):
                store.put(key, [segment])
            with self._lock:
                self._sent.add(sha256)
        return FrameRef(size, sha256, store.presign_get(key, PRESIGN_EXPIRES_S))

    def _required(self) -> ObjectStore:
        if self.store is None:
            raise ResultError(
                "the payload is larger than Lambda's events can hold, and there is no bucket to stage it in",
                hint="set a bucket (LAMBDAMAGIC_BUCKET), or ship less (--plan shows what is large)",
            )
        return self.store

    def uploads(self, job_id: str, attempt_id: str) -> tuple[Upload, ...]:
        """Return permissions for the function to stage a large result."""
        if self.store is None:
            return ()
        result_keys = [keys.result_key(job_id, attempt_id, part) for part in range(RESULT_PARTS)]
        return tuple(Upload(self.store.presign_put(key, PRESIGN_EXPIRES_S), key) for key in result_keys)

    def answer_url(self, job_id: str, attempt_id: str) -> str:
        """Return permission for the function to store its whole answer."""
        return self._required().presign_put(keys.answer_key(job_id, attempt_id), PRESIGN_EXPIRES_S)

    def stored_answers(self, job_id: str) -> list[str]:
        """Return the attempts whose answers have been stored; one LIST for up to 1,000 objects."""
        prefix = keys.results_prefix(job_id)
        found = (info.key.removeprefix(prefix).split("/") for info in self._required().list(prefix))
        return [parts[0] for parts in found if parts[1:] == ["answer"]]

    def take_answer(self, job_id: str, attempt_id: str, key: bytes) -> bytes:
        """Return a stored answer, verified, and delete it, so that the next LIST is short.

        Raises:
            IntegrityError: It is not signed for this attempt.
        """
        store, name = self._required(), keys.answer_key(job_id, attempt_id)
        found = unseal(store.get(name), key=key, job_id=job_id, attempt_id=attempt_id)
        store.delete([name])
        return found

    def cancel_url(self, job_id: str) -> str:
        """Return where running tasks look for the sign to stop."""
        return "" if self.store is None else self.store.presign_get(keys.cancel_key(job_id), PRESIGN_EXPIRES_S)

    def tell_cancelled(self, job_id: str) -> None:
        """Leave the sign to stop."""
        if self.store is not None:
            self.store.put(keys.cancel_key(job_id), [b"cancelled"])

    def collect(self, response: Response, *, job_id: str, attempt_id: str, key: bytes) -> list[Any]:
        """Return an answer's frames, verified; outputs that ride in the last frame are put in their place.

        Raises:
            IntegrityError: A staged part is not the function's, by its signature or its digest.
        """
        payload = response.payload
        if payload is None:
            return []
        if payload.parts:
            frames = self._read_parts(payload, response.signature, job_id, attempt_id, key)
        else:
            frames = list(payload.inline_segments())
        if response.outputs and response.outputs[0].get("in_last_frame"):
            response.outputs[:] = json.loads(bytes(frames.pop()))
        return frames

    def _read_parts(self, payload: Payload, signature: str, job_id: str, attempt_id: str, key: bytes) -> list[Any]:
        store = self._required()
        if not keys.is_signed(key, signature, job_id, attempt_id, *signed_text(payload.parts)):
            raise IntegrityError("a staged result does not carry this job's signature; it was not read")
        expected = {keys.result_key(job_id, attempt_id, part) for part in range(RESULT_PARTS)}
        if not {part.key for part in payload.parts} <= expected:
            raise IntegrityError("a staged result names objects that are not this job's; it was not read")
        body = bytearray(sum(part.size_bytes for part in payload.parts))
        view = memoryview(body)
        position = 0
        reads = []
        for part in payload.parts:
            reads.append((part, view[position : position + part.size_bytes]))
            position += part.size_bytes
        _in_parallel(lambda part, target: store.get_into(part.key, part.size_bytes, target, sha256=part.sha256), reads)
        store.delete([part.key for part in payload.parts])
        return list(split_frames(payload.frames, view))


def _in_parallel(call: Any, arguments: Sequence[tuple[Any, ...]]) -> None:
    if len(arguments) == 1:
        call(*arguments[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(arguments), thread_name_prefix="lambdamagic-collect") as pool:
        for future in [pool.submit(call, *items) for items in arguments]:
            future.result()
