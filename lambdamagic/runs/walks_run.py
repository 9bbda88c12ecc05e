"""The client's side of a graph that runs in walks: it watches, and sends again what died or was lost.

It decides nothing that walks decide: without it a graph whose environments live runs to its end. It lists one prefix,
reads what each walk says that it did, and keeps the account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Literal

from lambdamagic import errors, events
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.codec.each import Unreadable, read_each
from lambdamagic.codec.failures import reassemble
from lambdamagic.codec.home import Home
from lambdamagic.codec.placeholder import stand_in
from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    IntegrityError,
    InvocationLostError,
    JobCancelledError,
    LambdaMagicError,
    ProtocolError,
    TargetError,
)
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.prices import Prices
from lambdamagic.protocol import life, reading
from lambdamagic.protocol.bounds import EVENT_AGE_S
from lambdamagic.protocol.seal import unseal
from lambdamagic.runs.walks_account import WalksAccount
from lambdamagic.runs.walks_seen import ATTEMPTS_MOST, AttemptSeen, GraphView, WalkSeen
from lambdamagic.runs.walks_sender import WalksSender
from lambdamagic.runs.walks_work import WalksWork
from lambdamagic.storage.object_store import ObjectInfo, ObjectStore
from lambdamagic.targets.target import Target
from lambdamagic.walks import names
from lambdamagic.walks.sealed import open_parts
from lambdamagic.walks.walk_event import WalkEvent

#: Waits between two LISTs, in seconds.
_SOONEST_S, _LATEST_S = 0.1, 3.0
_REQUESTS_AT_ONCE = 16
_DRAWN_EVERY_S = 0.1
#: So long the records of walks that handed over are waited for when the result is there: they say what was billed.
_RECORDS_WITHIN_S = 2.0


class WalksRun:
    """Watches one graph to its end, in a thread that `start` begins. Thread-safe.

    Args:
        work: The graph, stored.
        target: Where it runs.
        home: The home that values come to live in.
        listeners: Receive its events.
        budget: What may be spent; None for no limit.
        check: Returns a better error if the target itself has failed.
        environment: Environment variables for tasks; they are sent in events only.
        clock: The time.

    Attributes:
        view: Shows it while it runs, if it is set before the start; None for no view.
        account: Its requests to S3, and its cost.
        error: What ended it; None when it was computed, or runs.
        failed_node: The node whose code raised; None if none did.
    """

    def __init__(
        self,
        work: WalksWork,
        target: Target,
        home: Home,
        listeners: events.Listeners,
        *,
        budget: Budget | None,
        check: Callable[[Exception], Exception],
        environment: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.work = work
        self._target, self._home, self._check, self._clock = target, home, check, clock
        self.view: GraphView | None = None
        self._walks: dict[str, WalkSeen] = {}
        self._ended, self._stop = threading.Event(), threading.Event()
        self._wish: Literal["", "cancel", "retry"] = ""
        self._pool = ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="lambdamagic-walks")
        self._sender = WalksSender(
            work, self._store.bucket, target.transport, environment or {}, clock=clock, stop=self._stop
        )
        prices = Prices.of(target.region, work.function.arch)
        self.account = WalksAccount(work, prices, budget, listeners, clock)
        self.error: BaseException | None = None
        self.failed_node: int | None = None

    @property
    def _store(self) -> ObjectStore:
        return self._target.stager.required()

    @property
    def _silent_s(self) -> float:
        """How long a walk may give no sign before its environment counts as dead."""
        return life.silent_s(self.work.every_s)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self._ended.is_set()

    @property
    def missing(self) -> list[int]:
        """The kept nodes that have not run, as far as it is known."""
        return sorted(self.work.structure.kept - self.account.finished)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end and return whether it has come."""
        return self._ended.wait(timeout_s)

    def start(self) -> None:
        """Send the first walks and watch, in a thread."""
        threading.Thread(target=self._go_on, name="lambdamagic-walks", daemon=True).start()

    def retry(self) -> None:
        """Continue what failed or was cancelled, where it ended: to be called before the start."""
        self._wish = "retry"

    def cancel(self) -> None:
        """Stop all walks; returns at once. Idempotent."""
        self._wish = "cancel"
        self._stop.set()

    def value(self, node: int) -> Any:
        """Return a kept node's value.

        Raises:
            IntegrityError: What is stored does not carry the graph's signature.
            FileNotFoundError: It has none.
        """
        name = names.result(node)
        ((about, segments),) = open_parts(self._store.get(self.work.name(name)), name=name, **self.work.seal).values()
        (value,) = read_each(segments, self._home, missing=stand_in)
        if type(value) is Unreadable:
            raise value.error
        if about == "failure":
            raise reassemble(value["error"])
        return value

    def values(self) -> dict[int, Any]:
        """Return the values of all kept nodes."""
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="lambdamagic-collect") as pool:
            kept = sorted(self.work.structure.kept)
            return dict(zip(kept, pool.map(self.value, kept), strict=True))

    def _go_on(self) -> None:
        self.account.started(is_billed=self._target.is_billed)
        try:
            with self._pool, self._sender:
                self._watch()
        except BaseException as error:  # noqa: BLE001  # the waiting caller must get any failure
            self.error = self._check(error) if isinstance(error, LambdaMagicError) else error
            with suppress(LambdaMagicError):
                self._store.put(self.work.name(names.CANCEL), [b"cancelled"])
        else:
            with suppress(LambdaMagicError):
                self._forget()
        is_cancelled = isinstance(self.error, JobCancelledError)
        self.account.ended("cancelled" if is_cancelled else "failed" if self.error else "done", self.error)
        if self.view is not None:
            self.view.ended()
        self._ended.set()

    def _watch(self) -> None:
        self.account.requested(writes=self.work.writes, reads=0)
        with suppress(FileNotFoundError):
            self._store.delete([self.work.name(names.CANCEL)])  # a cancelled graph may be continued
        self._look()
        if self._wish == "retry":
            self._wish = ""
        for root in self.work.roots:
            seen = self._walks.setdefault(root.walk, WalkSeen())
            seen.event = root
            if not seen.attempts:
                self._send(root, 1)
        wait_s = _SOONEST_S
        while not self._is_whole():
            if self._waited(wait_s):
                if self._sender.error is not None:
                    raise self._sender.error
                raise JobCancelledError(f"graph {self.work.job_id} was cancelled")
            has_news = self._look()
            self._send_again()
            wait_s = _SOONEST_S if has_news else min(_LATEST_S, wait_s * 1.5)
        self._see_out()

    def _see_out(self) -> None:
        """Read the records that come a moment after the result."""
        until = self._clock.monotonic() + _RECORDS_WITHIN_S
        while any(seen.has_record_to_come for seen in self._walks.values()):
            if self._clock.monotonic() >= until or self._waited(_SOONEST_S):
                return
            self._look(is_over=True)

    def _waited(self, wait_s: float) -> bool:
        """Wait, and let the view be drawn meanwhile; return whether the graph is to be stopped."""
        if self.view is None:
            return self._stop.wait(wait_s)
        until = self._clock.monotonic() + wait_s
        while (left_s := until - self._clock.monotonic()) > 0:
            self.view.tick()
            if self._stop.wait(min(left_s, _DRAWN_EVERY_S)):
                return True
        return self._stop.is_set()

    def _is_whole(self) -> bool:
        return self.account.finished >= self.work.structure.kept

    def _look(self, *, is_over: bool = False) -> bool:
        """Read one listing; return whether a walk has ended. A failure counts until all results are there."""
        prefix = self.work.name("")
        records = []
        for info in self._store.list(prefix + names.WALKS):
            with suppress(ValueError):  # a name that others planted
                walk, attempt, kind = names.read_walk_name(info.key.removeprefix(prefix))
                self._note(walk, attempt, kind, info)
                if kind == "record" and not self._walks[walk].attempts[attempt].is_recorded:
                    records.append((walk, attempt))
        self.account.requested(writes=1 + len(self._walks) * 3 // 1000, reads=len(records))
        found = list(zip(records, self._pool.map(self._read_record, records), strict=True))
        for (walk, attempt), document in found:
            self._walks[walk].attempts[attempt].is_recorded = True
            self.account.record(walk, attempt, document)
        for (walk, attempt), document in found:
            if document["status"] != "done" and not is_over and not self._is_superseded(walk, attempt, document):
                if self._wish == "retry":
                    self._continue(walk, document)
                else:
                    self._take_failure(walk, attempt, document)
        if records and self.view is not None:
            self.view.moved()
        return bool(records)

    def _note(self, walk: str, attempt: int, kind: str, info: ObjectInfo) -> None:
        seen, now = self._walks.setdefault(walk, WalkSeen()), self._clock.monotonic()
        if kind in ("event", "left"):
            seen.was_left = seen.was_left or kind == "left"
            seen.attempts.setdefault(1, AttemptSeen(now, now))
            return
        known = seen.attempts.setdefault(attempt, AttemptSeen(now, now))
        sign = info.size_bytes, info.modified_s
        if kind != "record" and sign != known.signs.get(kind):
            known.signs[kind], known.seen_at = sign, now

    def _read_record(self, which: tuple[str, int]) -> dict[str, Any]:
        walk, attempt = which
        data = self._store.get(self.work.name(names.walk_record(walk, attempt)))
        text = unseal(data, attempt_id=f"record {walk} {attempt}", **self.work.seal)
        return reading.table(reading.read_json(text))

    def _is_superseded(self, walk: str, attempt: int, record: dict[str, Any]) -> bool:
        """Whether a retry has continued what a walk left."""
        rest = record.get("rest")
        name = WalkEvent.from_json(rest).walk if rest else walk
        return name in self._walks and self._walks[name].latest > (attempt if name == walk else 0)

    def _continue(self, walk: str, record: dict[str, Any]) -> None:
        """Send what a walk left when it failed or was cancelled; where it could not say that, begin it again."""
        if record["status"] == "failed":
            failed = reading.listed(record["ran"])[-1][0]
            self._store.delete([self.work.name(names.result(failed))])
        rest = WalkEvent.from_json(record["rest"]) if record.get("rest") else None
        seen = self._walks.setdefault(walk if rest is None else rest.walk, WalkSeen())
        seen.attempts_most = seen.latest + ATTEMPTS_MOST
        if rest is None:
            self._begin_again(walk, "it is retried")
            return
        seen.event = rest
        self._send(rest, seen.latest + 1)

    def _take_failure(self, walk: str, attempt: int, record: dict[str, Any]) -> None:
        work, ran = self.work, reading.listed(record["ran"])
        status, detail = record["status"], record["detail"]
        if status == "failed":
            self.failed_node = ran[-1][0]
            self.value(self.failed_node)  # raises what its code raised
            raise ProtocolError(
                f"walk {walk} reports that node {self.failed_node} failed, but the bucket has its value"
            )
        if status == "refused":
            self._refused(walk, attempt, record["error_kind"], detail)
        if status == "timed_out":
            error = FunctionTimedOutError(
                f"a task of the graph ran into the function's timeout of {work.function.timeout_s} s",
                hint="Give it more time with timeout_s",
            )
            error.add_note(detail)
            raise error
        if status == "cancelled" and self._wish != "cancel":
            raise JobCancelledError(f"graph {work.job_id} was stopped by an object in its bucket")

    def _refused(self, walk: str, attempt: int, kind: str, detail: str) -> None:
        """Try again what the bucket refused; raise what nothing helps against."""
        found = getattr(errors, kind, LambdaMagicError)
        if issubclass(found, TargetError) or kind == "TransferError":
            self._begin_again(walk, detail)
            return
        raise found(detail)

    def _send_again(self) -> None:
        """Send again walks that were left unsent, that never started, or whose heartbeat stopped."""
        now, is_anything_alive = self._clock.monotonic(), False
        for walk, seen in list(self._walks.items()):
            if not seen.has_record_to_come:
                continue
            number, is_anything_alive = seen.latest, True
            attempt = seen.attempts[number]
            if not attempt.signs:
                allowed_s = attempt.allowed_s or (0.0 if seen.was_left else self._silent_s)
                if now - attempt.since > EVENT_AGE_S + self._silent_s:
                    raise InvocationLostError(
                        f"walk {walk} of graph {self.work.job_id} sent no heartbeat in {now - attempt.since:.0f} s: "
                        "its event was dropped each time, or the function fails at once",
                        hint="See its log: `lambdamagic logs`",
                    )
                if now - attempt.sent_at >= allowed_s:
                    attempt.allowed_s = 2 * max(allowed_s, self._silent_s)
                    attempt.sent_at = now
                    self._send(self._event_of(walk), number)
            elif now - attempt.seen_at > self._silent_s:
                self._begin_again(walk, f"it sent no heartbeat for {self._silent_s:.0f} s: its environment died")
        if not is_anything_alive and not self._is_whole():
            self._revive()

    def _revive(self) -> None:
        """Nothing runs, and something is missing: a walk that was taken for dead claimed a join before it died."""
        doubtful = [
            walk
            for walk, seen in self._walks.items()
            if any(each.signs and not each.is_recorded for each in seen.attempts.values())
        ]
        for walk in doubtful:
            self._begin_again(walk, "it died after it was considered lost")
        if not doubtful:
            missing = len(self.work.structure.kept - self.account.finished)
            raise LambdaMagicError(
                f"graph {self.work.job_id} stopped with {missing:,} results missing, though all its walks ended",
                hint="Its objects may have been deleted by others; compute it again",
            )

    def _begin_again(self, walk: str, reason: str) -> None:
        seen = self._walks[walk]
        if seen.latest >= seen.attempts_most:
            raise EnvironmentDiedError(
                f"a walk of graph {self.work.job_id} ended {seen.latest} times before it was done: {reason}",
                hint="See its log: `lambdamagic logs`; a task may need more memory",
            )
        event, number = self._event_of(walk), seen.latest + 1
        now, died = self._clock.monotonic(), seen.attempts[seen.latest]
        if not died.is_recorded:
            self.account.died(max(0.0, died.seen_at - died.since))  # from its first sign to its last
        seen.attempts[number] = AttemptSeen(now, now)
        self.account.begun_again(walk, number - 1, event.groups[0], reason)
        self._send(event, number)

    def _event_of(self, walk: str) -> WalkEvent:
        """Return what a walk begins with.

        Raises:
            IntegrityError: The bucket holds it no longer, or not with the graph's signature.
        """
        seen = self._walks[walk]
        if seen.event is None:
            for name in (names.walk_event(walk), names.walk_left(walk), names.walk_sign(walk, 1)):
                with suppress(FileNotFoundError):
                    data = self._store.get(self.work.name(name))
                    if name == names.walk_sign(walk, 1):
                        data = data[life.SIGN_BYTES :]
                    text = unseal(data, attempt_id=f"event {walk}", **self.work.seal)
                    seen.event = WalkEvent.from_json(reading.read_json(text))
        if seen.event is None:
            raise IntegrityError(f"the input of walk {walk} of graph {self.work.job_id} is no longer in the bucket")
        return seen.event

    def _send(self, event: WalkEvent, attempt: int) -> None:
        now = self._clock.monotonic()
        self._walks[event.walk].attempts.setdefault(attempt, AttemptSeen(now, now))
        self.account.sent(event.walk, attempt, event.groups[0])
        self._sender.send(event, attempt)

    def _forget(self) -> None:
        """Delete what is no longer needed; the results and the account stay until they expire."""
        prefix = self.work.name("")
        self._store.delete(info.key for passing in names.PASSING for info in self._store.list(prefix + passing))
