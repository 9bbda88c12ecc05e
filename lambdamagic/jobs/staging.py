"""How bytes are sent: inline while they fit, otherwise through the bucket, each once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.codec.frames import OUT_OF_BAND_MIN_BYTES, Frames, sha256_of
from lambdamagic.errors import EncodeError, IntegrityError, InvocationLostError, ProtocolError, ResultError
from lambdamagic.protocol import keys
from lambdamagic.protocol.bounds import PRESIGN_EXPIRES_S
from lambdamagic.protocol.envelope import Live, Response, Upload
from lambdamagic.protocol.payload import FrameRef, Payload, SharedRef, signed_text, split_frames
from lambdamagic.protocol.reading import listed, read_json, table
from lambdamagic.protocol.seal import SEALED_MOST_BYTES, unseal
from lambdamagic.storage.object_store import ObjectInfo, ObjectStore
from lambdamagic.storage.requests import payer

#: A blob of at least this size is worth asking for before it is sent: another session may have sent it.
_ASK_MIN_BYTES = 8 << 20
#: How many parts a staged result may have, so that a large one moves in parallel. Each costs every invocation a
#: presigned URL, and S3 accepts up to 5 GB in one PUT.
RESULT_PARTS = 2

#: The way of an answer into the bucket.
_STORING_S = 60.0

#: Payloads that were signed again: those of jobs under way, and of programs of calls.
_RENEWED_KEPT = 256


class Stager:
    """Puts payloads in place and reads staged answers. Thread-safe.

    Args:
        store: The bucket; None where there is none, so that everything must be sent inline.
        clock: Says when permissions have to be renewed.
        trust_s: How long what was sent is taken to be there; then the bucket is asked, since objects expire.
    """

    def __init__(self, store: ObjectStore | None, clock: Clock = SYSTEM_CLOCK, *, trust_s: float = 3600.0) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._trust_s = trust_s
        self._sent: dict[str, float] = {}
        self._sending: dict[str, threading.Lock] = {}
        self._clock = clock
        self._has_warned = False
        self._renewed: dict[int, tuple[Payload, tuple[int, str], Payload]] = {}

    def place(self, frames: Frames, *, limit_bytes: int) -> Payload:
        """Return the payload for an event, staging the largest frames until the rest fits inline.

        Args:
            frames: What to send.
            limit_bytes: How much may be sent inline.

        Raises:
            ResultError: It does not fit inline, and there is no bucket.
            BucketMissingError, CredentialsError, TargetError: The bucket cannot be used.
        """
        fits = frames.size_bytes <= limit_bytes  # then no link need be signed to see how long it would be
        staged = set() if fits else self.frames_to_stage(frames, limit_bytes, self._link_bytes())
        refs, inline = [], []
        for number, (segment, size) in enumerate(zip(frames.segments, frames.sizes, strict=True)):
            if number in staged:
                refs.append(self._stage(segment, size))
            else:
                refs.append(FrameRef(size))
                inline.append(segment)
        for written in frames.shared:
            if written.stored is not None:
                at = written.stored
                url = self.required().presign_get(at.key, PRESIGN_EXPIRES_S)
                within = (at.start, at.object_bytes)
                refs.append(FrameRef(written.size_bytes, written.sha256[0], url, within, at.key))
                continue
            for piece, sha256 in zip(written.pieces, written.sha256, strict=True):
                size = memoryview(piece).nbytes
                if self.store is None or size < OUT_OF_BAND_MIN_BYTES:
                    refs.append(FrameRef(size))
                    inline.append(piece)
                else:
                    refs.append(self._stage(piece, size, sha256))
        shared = tuple(
            SharedRef(
                each.digest,
                each.frame_sizes,
                len(each.sha256),
                each.is_of_home,
                each.extends,
                each.gives_copies,
            )
            for each in frames.shared
        )
        return Payload(tuple(refs), b"".join(inline), shared=shared)

    def fresh(self, payload: Payload, placed_at: float) -> Payload:
        """Return a payload whose permissions last for another invocation.

        New ones are signed when half of their time has passed, or with other credentials: the older end first.

        Args:
            payload: One that was placed here.
            placed_at: When, by the monotonic clock.
        """
        url = next((frame.url for frame in payload.frames if frame.sha256), "")
        if not url:
            return payload
        age = int((self._clock.monotonic() - placed_at) // (PRESIGN_EXPIRES_S / 2))
        signer = self.required().signer()
        if age == 0 and (not signer or f"={signer}%2F" in url):
            return payload
        with self._lock:
            known = self._renewed.get(id(payload))
            if known is not None and known[0] is payload and known[1] == (age, signer):
                return known[2]
            renewed = self.renewed(payload)
            self._renewed[id(payload)] = payload, (age, signer), renewed
            for oldest in list(self._renewed)[:-_RENEWED_KEPT]:
                del self._renewed[oldest]
        return renewed

    def placed_once(self, frames: Frames, *, limit_bytes: int) -> Callable[[], Payload]:
        """Return a function that gives the payload for each of many events, and places it at the first call."""
        placed: list[tuple[Payload, float]] = []
        lock = threading.Lock()

        def payload() -> Payload:
            with lock:
                if not placed:
                    placed.append((self.place(frames, limit_bytes=limit_bytes), self._clock.monotonic()))
                return self.fresh(*placed[0])

        return payload

    def renewed(self, payload: Payload) -> Payload:
        """Return a payload with new permissions to read its staged frames."""
        frames = tuple(
            frame._replace(url=self.required().presign_get(frame.key or keys.blob_key(frame.sha256), PRESIGN_EXPIRES_S))
            if frame.sha256
            else frame
            for frame in payload.frames
        )
        return payload._replace(frames=frames)

    def _link_bytes(self) -> int:
        """Return the size of a staged frame's presigned URL in an event, with a token of up to 2 kB."""
        link = self.required().presign_get(keys.blob_key("0" * 64), PRESIGN_EXPIRES_S)
        return len(link) * 3 // 4  # before Base64

    def frames_to_stage(self, frames: Frames, limit_bytes: int, link_bytes: int = 0) -> set[int]:
        """Choose the frames to stage: the largest, as few as possible.

        Args:
            frames: The frames.
            limit_bytes: How much may be sent inline.
            link_bytes: How much a staged one takes all the same.
        """
        by_size = sorted(range(len(frames.sizes)), key=lambda number: -frames.sizes[number])
        left = frames.size_bytes
        staged: set[int] = set()
        for number in by_size:
            if left <= limit_bytes:
                break
            if limit_bytes and frames.sizes[number] <= link_bytes:
                break  # staging the rest would make the event larger
            staged.add(number)
            left -= frames.sizes[number] - link_bytes
        return staged

    def _stage(self, segment: Any, size: int, sha256: str = "") -> FrameRef:
        """Stage one frame; `sha256` is what a shared one had when it was put."""
        store = self.required()
        was_put = bool(sha256)
        sha256 = sha256 or sha256_of([segment])
        with self._lock:
            sending = None if self._is_trusted(sha256) else self._sending.setdefault(sha256, threading.Lock())
        if sending is not None:
            with sending:  # the second caller waits for the first upload instead of sending it too
                self._send(store, segment, size, sha256, was_put=was_put)
        return FrameRef(size, sha256, store.presign_get(keys.blob_key(sha256), PRESIGN_EXPIRES_S))

    def _send(self, store: ObjectStore, segment: Any, size: int, sha256: str, *, was_put: bool) -> None:
        if self._is_trusted(sha256):
            return
        if was_put and sha256_of([segment]) != sha256:
            raise EncodeError(
                "an object was changed after put() and before it was first sent",
                hint="Put it again after the change: lambdamagic.put takes it as it is at that moment",
            )
        key = keys.blob_key(sha256)
        is_worth_asking = size >= _ASK_MIN_BYTES or sha256 in self._sent
        if not (is_worth_asking and store.exists(key)):
            store.put(key, [segment])
        with self._lock:
            self._sent[sha256] = self._clock.monotonic()
            self._sending.pop(sha256, None)

    def _is_trusted(self, sha256: str) -> bool:
        sent_at = self._sent.get(sha256)
        return sent_at is not None and self._clock.monotonic() - sent_at < self._trust_s

    def doubt(self) -> None:
        """Check from now on that staged objects still exist: one was missing."""
        with self._lock:
            self._sent = dict.fromkeys(self._sent, float("-inf"))

    def required(self) -> ObjectStore:
        """Return the bucket.

        Raises:
            ResultError: There is none.
        """
        if self.store is None:
            raise ResultError(
                "the payload exceeds Lambda's limit, and no bucket is set to stage it in",
                hint="Set a bucket (LAMBDAMAGIC_BUCKET), or send less (--plan shows what is large)",
            )
        return self.store

    def links_last_s(self, timeout_s: float, *, queued_s: float = 0.0) -> float:
        """Return for how long permissions that are made now last, renewing credentials that end sooner than needed.

        Args:
            timeout_s: How long an invocation may run. Credentials that cannot last as long are warned about, once.
            queued_s: How long it may wait before that.
        """
        if self.store is None:
            return float("inf")
        lasts_s = self.store.links_last_s(queued_s + timeout_s + _STORING_S)
        if lasts_s < timeout_s and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"the AWS credentials expire in {lasts_s / 60:.0f} minutes, and with them the presigned URLs for the "
                f"answers: invocations that take longer (up to {timeout_s:.0f} s) lose their answer. Sign in again",
                stacklevel=2,
            )
        return lasts_s

    def uploads(self, job_id: str, attempt_id: str) -> tuple[Upload, ...]:
        """Return permissions for the function to stage a large result."""
        if self.store is None:
            return ()
        result_keys = [keys.result_key(job_id, attempt_id, part) for part in range(RESULT_PARTS)]
        return tuple(Upload(self.store.presign_put(key, PRESIGN_EXPIRES_S), key) for key in result_keys)

    def stay(self, job_id: str, attempt_id: str) -> Upload | None:
        """Return permission for the function to leave values in the bucket; None where there is no bucket."""
        if self.store is None:
            return None
        key = keys.stayed_key(job_id, attempt_id)
        return Upload(self.store.presign_put(key, PRESIGN_EXPIRES_S), key)

    def answer_url(self, job_id: str, attempt_id: str) -> str:
        """Return permission for the function to store its whole answer."""
        return self.required().presign_put(keys.answer_key(job_id, attempt_id), PRESIGN_EXPIRES_S)

    def stored_jobs(self) -> list[str]:
        """Return the ids of jobs of which the bucket holds something; one LIST for up to 1,000."""
        found = (keys.read_job_prefix(folder) for folder in self.required().folders(keys.jobs_prefix()))
        return [job_id for job_id in found if job_id is not None]

    def live(self, job_id: str, attempt_id: str, every_s: float) -> Live:
        """Return permission for the function to show that it runs."""
        store, name = self.required(), keys.live_key(job_id, attempt_id)
        put_url, get_url = store.presign_put(name, PRESIGN_EXPIRES_S), store.presign_get(name, PRESIGN_EXPIRES_S)
        answer_url = store.presign_get(keys.answer_key(job_id, attempt_id), PRESIGN_EXPIRES_S)
        return Live(put_url, get_url, answer_url, every_s)

    def signs_of_life(self, job_id: str) -> dict[str, ObjectInfo]:
        """Return the heartbeat of each attempt that has begun and was not read yet; one LIST for up to 1,000."""
        prefix = keys.live_prefix(job_id)
        return {info.key.removeprefix(prefix): info for info in self.required().list(prefix)}

    def forget_signs(self, job_id: str, attempt_ids: Sequence[str], *, triggered: str = "") -> None:
        """Delete heartbeats that were read, so that the next LIST is short; one request for up to 1,000.

        Args:
            job_id: The job.
            attempt_ids: Its attempts that are done.
            triggered: The function whose requests were uploaded; they go too.
        """
        done = [keys.live_key(job_id, each) for each in attempt_ids]
        if triggered:
            done += [keys.trigger_key(triggered, job_id, each) for each in attempt_ids]
        self.required().delete(done)

    def has_answer(self, job_id: str, attempt_id: str) -> bool:
        """Return whether an attempt's answer was stored; one HEAD."""
        return self.required().exists(keys.answer_key(job_id, attempt_id))

    def read_answer(self, job_id: str, attempt_id: str, key: bytes) -> bytes:
        """Return a stored answer, verified. It stays, so that the job can be resumed after its owner died.

        Raises:
            IntegrityError: It is not signed for this attempt.
            InvocationLostError: There is none, though the last heartbeat is there.
        """
        store, name = self.required(), keys.answer_key(job_id, attempt_id)
        try:
            data = store.get(name, most_bytes=SEALED_MOST_BYTES)
        except FileNotFoundError as error:
            raise InvocationLostError(
                "an invocation is recorded as done, but its answer is not in the bucket; "
                "whether its code ran is unknown"
            ) from error
        return unseal(data, key=key, job_id=job_id, attempt_id=attempt_id)

    def cancel_url(self, job_id: str) -> str:
        """Return the URL of the cancel object that running tasks look for."""
        return "" if self.store is None else self.store.presign_get(keys.cancel_key(job_id), PRESIGN_EXPIRES_S)

    def mark_cancelled(self, job_id: str) -> None:
        """Create the cancel object."""
        if self.store is not None:
            self.store.put(keys.cancel_key(job_id), [b"cancelled"])

    def collect(
        self, response: Response, *, job_id: str, attempt_id: str, key: bytes, keeps: bool = False
    ) -> list[Any]:
        """Return an answer's frames, verified; outputs that are in the last frame are put in their place.

        Args:
            response: The answer.
            job_id: Its job.
            attempt_id: Its attempt.
            key: The job's key.
            keeps: Whether staged parts stay, for a process that resumes the job later.

        Raises:
            IntegrityError: A staged part is not the function's, by its signature or its digest.
        """
        payload = response.payload
        if payload is None:
            return []
        if payload.parts:
            frames = self._read_parts(payload, response.signature, job_id, attempt_id, key)
            if not keeps:
                self.required().delete([part.key for part in payload.parts])
        else:
            frames = list(payload.inline_segments())
        if response.outputs and response.outputs[0].get("in_last_frame"):
            response.outputs[:] = _outputs(frames)
        return frames

    def _read_parts(self, payload: Payload, signature: str, job_id: str, attempt_id: str, key: bytes) -> list[Any]:
        store = self.required()
        self._check_parts(payload, signature, job_id, attempt_id, key)
        body = bytearray(sum(part.size_bytes for part in payload.parts))
        payer().expect(len(body))
        view = memoryview(body)
        position = 0
        reads = []
        for part in payload.parts:
            reads.append((part, view[position : position + part.size_bytes]))
            position += part.size_bytes
        _in_parallel(lambda part, target: store.get_into(part.key, part.size_bytes, target, sha256=part.sha256), reads)
        return list(split_frames(payload.frames, view))

    def answer_parts(self, response: Response, *, job_id: str, attempt_id: str, key: bytes) -> tuple[FrameRef, ...]:
        """Return where a staged answer is, for a function that is to read it in its turn.

        Raises:
            IntegrityError: It is not the function's.
        """
        store, payload = self.required(), response.payload
        assert payload is not None and payload.parts, "it was staged"
        self._check_parts(payload, response.signature, job_id, attempt_id, key)
        return tuple(
            FrameRef(part.size_bytes, part.sha256, store.presign_get(part.key, PRESIGN_EXPIRES_S))
            for part in payload.parts
        )

    def forget_parts(self, response: Response) -> None:
        """Delete a staged answer that is no longer needed."""
        if response.payload is not None and response.payload.parts:
            self.required().delete([part.key for part in response.payload.parts])

    def _check_parts(self, payload: Payload, signature: str, job_id: str, attempt_id: str, key: bytes) -> None:
        if not keys.is_signed(key, signature, job_id, attempt_id, *signed_text(payload.parts)):
            raise IntegrityError("a staged result does not carry this job's signature; it was not read")
        expected = {keys.result_key(job_id, attempt_id, part) for part in range(RESULT_PARTS)}
        if not {part.key for part in payload.parts} <= expected:
            raise IntegrityError("a staged result names objects that are not this job's; it was not read")


def _outputs(frames: list[Any]) -> list[dict[str, Any]]:
    """Take the outputs out of an answer's last frame.

    Raises:
        ProtocolError: They are not there.
    """
    try:
        return [table(output) for output in listed(read_json(bytes(frames.pop())))]
    except (IndexError, ValueError) as error:
        raise ProtocolError(f"an answer's outputs cannot be read: {error}") from error


def _in_parallel(call: Any, arguments: Sequence[tuple[Any, ...]]) -> None:
    if len(arguments) == 1:
        call(*arguments[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(arguments), thread_name_prefix="lambdamagic-collect") as pool:
        for future in [pool.submit(copy_context().run, call, *items) for items in arguments]:
            future.result()
