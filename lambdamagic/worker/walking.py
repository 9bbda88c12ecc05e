"""One walk in Lambda: claimed, carried out, and its record stored; see `lambdamagic.walks`.

What it may not invoke any more, or what Lambda refuses, is stored as an event that was left: the client sends
it, and where there is none, whoever left it takes it back when its own nodes are done.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambdamagic.errors import LambdaMagicError, ProtocolError, TargetError
from lambdamagic.protocol import reading, versions
from lambdamagic.protocol.envelope import MARK, Request
from lambdamagic.protocol.joblog import job_line
from lambdamagic.protocol.life import beat, new_sign
from lambdamagic.protocol.seal import seal
from lambdamagic.walks import names
from lambdamagic.walks.fan_in import begin
from lambdamagic.walks.sealed import open_parts, payload_of
from lambdamagic.walks.sharing import Sharing
from lambdamagic.walks.structure import Structure
from lambdamagic.walks.walk_event import WalkEvent
from lambdamagic.walks.walker import Walker
from lambdamagic.worker.blobs import BlobCache
from lambdamagic.worker.execution import CellSurroundings
from lambdamagic.worker.graph_bucket import GraphBucket, in_parallel
from lambdamagic.worker.memory import Memory
from lambdamagic.worker.node_runner import NodeRunner, line_of
from lambdamagic.worker.program import LoadedProgram
from lambdamagic.worker.scratch import Scratch
from lambdamagic.worker.shared_objects import SharedObjects
from lambdamagic.worker.tally import Tally
from lambdamagic.worker.this_environment import importable_serializers, variables_set
from lambdamagic.worker.watchdog import Interrupted, Watchdog

#: Waits before an event is sent again that Lambda refused.
_SEND_AGAIN_S = (0.1, 0.4, 1.6)
_STORE_MARGIN_S = 0.5
#: No further node is begun when so much of an invocation's time is over: the next one may take as long.
_LATE_FRACTION = 0.5


@dataclass(frozen=True)
class _Job:
    """What all walks of a graph have alike, as their events say it."""

    job_id: str
    key: bytes
    bucket: str
    options: dict[str, Any]
    every_s: float
    document: dict[str, Any]

    @classmethod
    def read(cls, event: dict[str, Any]) -> _Job:
        """Read an event.

        Raises:
            ProtocolError: It has another form.
        """
        try:
            return cls(
                reading.text(event["job"]),
                base64.b64decode(reading.text(event["key"]), validate=True),
                reading.text(event["bucket"]),
                reading.table(event["options"]),
                float(reading.number(event["every_s"])),
                {name: value for name, value in event.items() if name not in ("walk", "attempt")},
            )
        except (KeyError, ValueError) as error:
            raise ProtocolError(f"this is not a walk's event: {error!r}") from error

    @property
    def seal(self) -> dict[str, Any]:
        """What signs the graph's objects."""
        return {"key": self.key, "job_id": self.job_id}


def serve_walk(event: Any, context: Any, state: dict[str, Any], account: Tally) -> dict[str, Any]:
    """Carry out the walk that an event names, and those that it left and no other invocation has taken since.

    Args:
        event: The parsed event.
        context: Lambda's context object.
        state: Kept from invocation to invocation of this execution environment.
        account: What it is billed for.
    """
    job = _Job.read(event)
    timeout_s = context.get_remaining_time_in_millis() / 1000

    def left_s() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - _STORE_MARGIN_S

    waiting = [(WalkEvent.from_json(event.get("walk")), _attempt_of(event))]
    done = 0
    while waiting and (not done or left_s() > timeout_s * _LATE_FRACTION):
        walk, attempt = waiting.pop()
        one = _Walk(job, walk, attempt, state, left_s=left_s, timeout_s=timeout_s)
        is_ours = one.carry_out(event[MARK], account)
        waiting.extend((each, 1) for each in one.left)
        done += is_ours
        account = Tally(time.perf_counter(), init_ms=0.0, is_cold=False)
    return {MARK: versions.here(), "walks": done}


def _attempt_of(event: dict[str, Any]) -> int:
    try:
        return reading.count(event.get("attempt"))
    except ValueError as error:
        raise ProtocolError(f"this is not a walk's event: {error!r}") from error


class _Walk:
    """One attempt of one walk.

    Attributes:
        left: Events of walks that could not be invoked.
    """

    def __init__(
        self,
        job: _Job,
        walk: WalkEvent,
        attempt: int,
        state: dict[str, Any],
        *,
        left_s: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._job, self._walk, self._attempt, self._state = job, walk, attempt, state
        self._left_s, self._timeout_s = left_s, timeout_s
        self._bucket = GraphBucket(job.bucket, names.graph_prefix(job.job_id), left_s)
        self._invoked = 0
        self.left: list[WalkEvent] = []

    def carry_out(self, client: dict[str, Any], account: Tally) -> bool:
        """Carry it out and store its record; False if another delivery does.

        Args:
            client: Which versions wrote the event.
            account: What is billed for it.
        """
        sign = new_sign()
        stored = seal_event(self._walk, **self._job.seal)
        if not begin(self._bucket, self._walk.walk, self._attempt, sign, stored):
            return False
        first = self._walk.groups[0][0]
        # By this line `lambdamagic logs --job` finds what a job left in CloudWatch Logs.
        print(job_line(self._job.job_id, self._walk.walk, first, first), flush=True)  # noqa: T201  # the log
        name = names.walk_beat(self._walk.walk, self._attempt)
        record: dict[str, Any] = {"ran": [], "outputs": [], "detail": "", "error_kind": "", "spawned": []}
        with _Signs(self._bucket, name, sign, self._job.every_s):
            try:
                here = versions.here(importable_serializers(client.get("serializers", {})))
                versions.check(client, here)
                self._run(record)
            except LambdaMagicError as error:
                record |= {"status": "refused", "detail": str(error), "error_kind": type(error).__name__}
            finally:
                if "memory" in self._state:
                    self._state["memory"].settle()
            record |= {"walk": self._walk.walk, "attempt": self._attempt, "invoked": self._invoked}
            self._store(record, account)
        return True

    def _store(self, record: dict[str, Any], account: Tally) -> None:
        walk, attempt, job = self._walk.walk, self._attempt, self._job
        usage = account.usage(user_ms=sum(seconds for _, seconds, _ in record["ran"]) * 1000)
        requests = {"writes": self._bucket.writes + 1, "reads": self._bucket.reads}
        document = {**record, "usage": usage._asdict(), "ended_at": time.time(), **requests}
        sealed = seal(document, attempt_id=record_name(walk, attempt), **job.seal)
        self._bucket.put_first(names.walk_record(walk, attempt), [sealed])

    def _run(self, record: dict[str, Any]) -> None:
        job, state = self._job, self._state
        if "memory" not in state:
            state["memory"] = Memory()
        if "scratch" not in state:
            state["scratch"] = Scratch()
        state["scratch"].enter(job.job_id, job.options.get("session", ""))
        cache: BlobCache = state.setdefault("cache", BlobCache())
        program, structure, blocks, constants = self._graph(cache)
        surroundings = CellSurroundings(program)
        runner = NodeRunner(
            program,
            structure,
            self._bucket,
            surroundings,
            seal=job.seal,
            options=job.options,
            cache=cache,
            memory=state["memory"],
            blocks=blocks,
            constants=constants,
        )
        walker = Walker(
            structure,
            self._bucket,
            runner,
            self,
            self._walk,
            attempt=self._attempt,
            sharing=Sharing(**job.options.get("sharing", {})),
            clock=time.perf_counter,
            is_late=lambda: self._left_s() < self._timeout_s * _LATE_FRACTION,
        )
        variables: dict[str, str] = job.document.get("environment") or {}
        watchdog: Watchdog = state.setdefault("watchdog", Watchdog())
        run = watchdog.start(remaining_s=self._left_s() + _STORE_MARGIN_S, is_cancelled=self._is_cancelled)
        try:
            with variables_set(variables), surroundings.active():
                record["status"] = "done" if walker.walk() else "failed"
        except Interrupted as interrupted:
            record |= {"status": interrupted.reason, "detail": run.stacks}
            watchdog.stop(run)
            if interrupted.reason == "cancelled":
                walker.interrupted()
        finally:
            watchdog.stop(run)
            record["ran"] = [
                (each.node, each.seconds, line_of(each.failure) if each.failure else "") for each in walker.ran
            ]
            record["outputs"] = surroundings.outputs.finished()
            record["spawned"] = walker.spawned
            record["rest"] = walker.rest.to_json() if walker.rest is not None else None

    def _graph(self, cache: BlobCache) -> tuple[LoadedProgram, Structure, dict[int, Any], dict[int, Any]]:
        """Return what all walks of a graph have alike; those that come to this environment find it read already."""
        job, state = self._job, self._state
        wanted = "graph", job.job_id
        kept = state.get("program")
        if kept is not None and kept[0] == wanted:
            return kept[1], *state["graph"]
        if kept is not None:
            kept[1].close()
            del state["program"], kept
            state["memory"].settle()
        data = self._bucket.get_all([names.PROGRAM, names.STRUCTURE])
        program_part = open_parts(data[0], name=names.PROGRAM, **job.seal)[0]
        _, (packed,) = open_parts(data[1], name=names.STRUCTURE, **job.seal)[0]
        request = Request(
            versions={},
            kind="map",
            job_id=job.job_id,
            attempt_id=self._walk.walk,
            key=job.key,
            program=payload_of(*program_part),
        )
        program = LoadedProgram(request, cache, state.setdefault("shared", SharedObjects()))
        state["program"] = wanted, program
        state["graph"] = Structure.from_bytes(bytes(packed)), {}, {}
        return program, *state["graph"]

    def _is_cancelled(self) -> bool:
        from lambdamagic.storage.presigned import fetch

        try:
            fetch(self._bucket.link(names.CANCEL))
        except (FileNotFoundError, LambdaMagicError):
            return False  # or S3 is unwell: the run continues, Lambda's own timeout bounds it
        return True

    def spawn(self, events: Sequence[WalkEvent]) -> None:
        """Store events and send them, all at the same time; see `walks.walker.Spawner`.

        This walk answers for them until both are done: if it dies before, its next attempt does the same again.
        """
        deep = [event for event in events if event.allowance.is_deep]
        others = [event for event in events if not event.allowance.is_deep]
        for event in deep:
            fresh = replace(event, allowance=replace(event.allowance, depth=0))
            self._put(names.walk_left(event.walk), fresh)
            self.left.append(fresh)
        store = [(self._put, names.walk_event(event.walk), event) for event in others]
        send = [(self._send, "", event) for event in others]
        in_parallel(lambda call: call[0](call[1], call[2]), [*send, *store])

    def _put(self, name: str, event: WalkEvent) -> None:
        self._bucket.put_first(name, [seal_event(event, **self._job.seal)])

    def _send(self, _: str, event: WalkEvent) -> None:
        from lambdamagic.worker.invoker import EventSender

        sender = self._state.get("sender")
        if sender is None:
            sender = self._state["sender"] = EventSender()
        document = {**self._job.document, "walk": event.to_json(), "attempt": 1}
        payload, trace_id = json.dumps(document).encode(), os.environ.get("_X_AMZN_TRACE_ID", "")
        for wait_s in (0.0, *_SEND_AGAIN_S):
            time.sleep(wait_s)
            fate = sender.send(os.environ["AWS_LAMBDA_FUNCTION_NAME"], payload, trace_id=trace_id)
            if fate.is_taken:
                self._invoked += 1
                return
        self.left.append(event)


class _Signs:
    """Shows that a walk is still under way.

    Args:
        bucket: The graph's objects.
        name: The sign's name.
        sign: Its content.
        every_s: How often it is given again.
    """

    def __init__(self, bucket: GraphBucket, name: str, sign: bytes, every_s: float) -> None:
        self._bucket, self._name, self._sign, self._every_s = bucket, name, sign, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="lambdamagic-beacon", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(30.0)  # a transfer has its own deadline

    def _go_on(self) -> None:
        number = 0
        while not self._over.wait(self._every_s):
            number += 1
            try:
                self._bucket.put(self._name, [beat(self._sign, number)])
            except TargetError:
                continue  # the next one may come through


def record_name(walk: str, attempt: int) -> str:
    """Return the name under which a record is sealed."""
    return f"record {walk} {attempt}"


def seal_event(event: WalkEvent, *, key: bytes, job_id: str) -> bytes:
    """Return an event as it is stored: without the job's key, which is never stored in the bucket."""
    return seal(event.to_json(), key=key, job_id=job_id, attempt_id=f"event {event.walk}")
