"""Calls that are submitted one by one: one job of the engine, with a future for each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher, Share
from lambdamagic.codec.frames import sha256_of
from lambdamagic.errors import JobCancelledError
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.memo import Memo
from lambdamagic.jobs.outcomes import Failure, read_outcomes
from lambdamagic.protocol.payload import Payload
from lambdamagic.runs.sources import Units
from lambdamagic.runs.spec import SHARED_PROGRAM_LIMIT_BYTES, RunRequest
from lambdamagic.runs.tasks import exception_of

_PROGRAMS_KEPT = 64


class Calls:
    """Sends calls, each in a separate invocation, and settles their futures. Thread-safe.

    Only calls that have not ended are kept. It refers to no executor, so that an unreferenced one can be collected.

    Args:
        launcher: Starts the job.

    Raises:
        TargetError: The target is not usable.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher, self._place = launcher, launcher.place()
        self._lock = threading.Lock()
        self._futures: dict[int, Future[Any]] = {}
        self._memos: dict[str, Memo] = {}
        self._keys: dict[int, tuple[Memo, str]] = {}
        self._next = 0
        self._is_over = False
        self._programs: OrderedDict[str, Callable[[], Payload]] = OrderedDict()
        self._submissions = Units(is_open=True)
        self._run = launcher.run(
            self._place, RunRequest("map", "submit", self._submissions, None, options=launcher.run_options("call"))
        )
        self._run.begin()
        self._run.start(self._take, self._ended)
        process.finish_before_exit(self)

    def submit(
        self,
        future: Future[Any],
        fn: Callable[..., Any],
        args: Any,
        kwargs: Any,
        *,
        holding: Any = (),
        share: Share | None = None,
    ) -> bool:
        """Send a call; return False if this job has ended and cannot accept it.

        Raises:
            CaptureError: Callable or arguments cannot be sent.
            RuntimeError: It was closed.
        """
        fn, _, arrange = self._launcher.arranged(fn, "call")
        if arrange is not None:
            args, kwargs = arrange((args, kwargs))
        program = self._launcher.fitted(fn, (args, kwargs, holding)).program
        digest = sha256_of(program.frames.segments)
        memo = self._launcher.memo(fn, program)
        key = None if memo is None else memo.key_of(args, kwargs)
        if memo is not None:
            found = memo.find([key])
            if found:
                future.set_running_or_notify_cancel()
                future.set_result(found[0])
                return True
        with self._lock:
            payload = self._programs.pop(digest, None)
            if payload is None:
                stager = self._place.target.stager
                payload = stager.placed_once(program.frames, limit_bytes=SHARED_PROGRAM_LIMIT_BYTES)
            self._programs[digest] = payload
            if len(self._programs) > _PROGRAMS_KEPT:
                self._programs.popitem(last=False)
            number, self._next = self._next, self._next + 1
        items = self._launcher.encode_items([(args, kwargs)], number, program=program, share=share)

        def begin() -> bool:
            # By its number: who keeps the unit for a while keeps no result.
            with self._lock:
                found = self._futures.get(number)
            if found is not None and found.set_running_or_notify_cancel():
                return True
            with self._lock:
                self._futures.pop(number, None)
            return False

        unit = Unit((number,), lambda: items, None, payload, digest, begin=begin)
        with self._lock:
            if self._is_over:
                return False
            self._submissions.put(unit)  # its end is looked at under this lock, so not before the next line
            self._futures[number] = future
            if memo is not None and key is not None:
                self._keys[number] = memo, key
        return True

    @property
    def is_over(self) -> bool:
        """Whether its job has ended, so that the next call needs a new job."""
        return self._is_over

    def _break(self, error: BaseException) -> None:
        """Fail all calls that were not sent yet."""
        for unit in self._submissions.drop_waiting():
            with self._lock:
                futures = [found for number in unit.tasks if (found := self._futures.pop(number, None)) is not None]
            for future in futures:
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)

    def drop_waiting(self) -> None:
        """Cancel all calls that were not sent yet."""
        for unit in self._submissions.drop_waiting():
            with self._lock:
                # None left where the job has failed meanwhile: all waiters have been notified.
                futures = [found for number in unit.tasks if (found := self._futures.pop(number, None)) is not None]
            for future in futures:
                future.cancel()
                future.set_running_or_notify_cancel()  # wakes its waiters

    def close(self) -> None:
        """Accept no more calls; the job ends when all are done. Idempotent."""
        self._submissions.close()

    def cancel(self) -> None:
        """Stop launching, drop waiting calls, and ask running ones to stop; their futures raise JobCancelledError."""
        self.drop_waiting()
        self._run.cancel()

    def join(self) -> None:
        """Wait for the job's end, after `close` or `cancel`."""
        self._run.wait()

    def finish(self) -> None:
        """Accept no more work and wait for the existing."""
        self.close()
        self.join()

    def _take(self, arrival: Arrival) -> None:
        (number,) = arrival.unit.tasks
        self._launcher.printed.show(arrival, prefixed=False)
        with self._lock:
            kept = self._keys.pop(number, None)
        if kept is not None:
            memo, key = kept
            memo.keep(arrival, {number: key})
            self._memos[memo.key] = memo
        for outcome in read_outcomes(arrival, process.home()).values():
            with self._lock:
                future = self._futures.pop(number, None)
            if future is None:
                continue
            if isinstance(outcome, Failure):
                future.set_exception(self._launcher.checked(exception_of(outcome, self._place.check)))
            else:
                future.set_result(outcome)
        if self._launcher.broken is not None:
            self._break(self._launcher.broken)

    def _ended(self, error: BaseException | None) -> None:
        error = error or JobCancelledError("the call was cancelled")
        for memo in self._memos.values():
            memo.flush()
        with self._lock:
            self._is_over = True
            left, self._futures = list(self._futures.values()), {}
        for future in left:
            if future.running() or future.set_running_or_notify_cancel():
                future.set_exception(error)
