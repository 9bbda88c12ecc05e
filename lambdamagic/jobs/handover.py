"""Send events through an invoker: collected, sent together, each with its own outcome.

Lives in the engine's event loop. Over a line that is far away or slow it saves a request for each event, and what all
of them have alike. A few events go directly, as do all while the invoker finds no room: Lambda queues events also when
no execution is left for the invoker's own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lambdamagic.errors import InvocationError, LambdaMagicError, ThrottledError
from lambdamagic.jobs.batches import Handed, error_of, hand_over, is_left, same
from lambdamagic.jobs.invoke import event_document, send_document
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.protocol.batch import BATCH_MAX_EVENTS
from lambdamagic.protocol.report import Report, parse_report

_T = TypeVar("_T")
#: Called with each batch that was billed: how many events it had, and the invoker's report.
OnBatch = Callable[[int, Report], None]

#: Batches of one function under way at once.
_BATCHES = 4
#: Fewer events than this go directly: an invoker's cold start takes longer.
_LEAST = 16
#: How long an event that is ready waits for others that are being made ready; they come by the hundred.
_LINGER_S = 0.5
#: How long events go directly after the invoker was refused.
_DIRECT_S = 5.0


@dataclass(eq=False)
class _Waiting:
    """An event that is ready; `taken` is done when Lambda has it, or an error says why not."""

    unit: Unit
    document: dict[str, Any]
    since: float
    taken: asyncio.Future[None]


@dataclass(eq=False)
class _Line:
    """The events for one function."""

    function: FunctionRef
    preparing: int = 0
    waiting: list[_Waiting] = field(default_factory=list)
    under_way: int = 0
    direct_until: float = float("-inf")
    alarm: asyncio.TimerHandle | None = None


class Handover:
    """Sends a job's events to functions that have an invoker.

    Args:
        spec: The job.
        threads: Where blocking calls run.
        on_batch: See `OnBatch`; called in the event loop.
    """

    def __init__(self, spec: JobSpec, threads: DaemonThreads, on_batch: OnBatch) -> None:
        self._spec, self._threads, self._on_batch = spec, threads, on_batch
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, unit: Unit, attempt_id: str) -> None:
        """Hand one event over; returns when it is in Lambda's queue.

        The wait is bounded by the batches before it, each of which ends within the invoker's timeout and a margin.

        Raises:
            LambdaMagicError: As `jobs.invoke.send_event` raises, whichever way it went; see `batches.hand_over` too.
        """
        function = unit.function or self._spec.function
        line = self._lines.setdefault(function.name, _Line(function))
        loop = asyncio.get_running_loop()
        line.preparing += 1
        try:
            document = await self._call(lambda: event_document(self._spec, unit, attempt_id))
            waiting = _Waiting(unit, document, loop.time(), loop.create_future())
            line.waiting.append(waiting)
        finally:
            line.preparing -= 1
            loop.call_soon(self._look, line)
        await waiting.taken

    def _look(self, line: _Line) -> None:
        """Send the events that can be sent now. Called for each event, so that it decides by counts where it can."""
        loop = asyncio.get_running_loop()
        while line.waiting:
            now, count = loop.time(), len(line.waiting)
            ready_at = line.waiting[0].since + _LINGER_S
            if line.preparing and count < BATCH_MAX_EVENTS and now < ready_at:
                if line.alarm is None:
                    line.alarm = loop.call_at(ready_at, self._wake, line)
                return
            goes_directly = count < _LEAST or now < line.direct_until
            if not goes_directly and line.under_way == _BATCHES:
                return  # the end of a batch looks again
            line.waiting = [each for each in line.waiting if not each.taken.done()]  # cancelled meanwhile
            if goes_directly:
                few, line.waiting = line.waiting, []
                for each in few:
                    self._start(self._send_directly(each))
                return
            if len(line.waiting) == count:
                self._start_batch(line)

    def _wake(self, line: _Line) -> None:
        line.alarm = None
        self._look(line)

    def _start_batch(self, line: _Line) -> None:
        # Spread over the batches that may go now: two halves take half the time.
        batches = min(_BATCHES - line.under_way, len(line.waiting) // _LEAST)
        most = min(BATCH_MAX_EVENTS, math.ceil(len(line.waiting) / batches))
        batch, line.waiting = line.waiting[:most], line.waiting[most:]
        line.under_way += 1
        self._start(self._carry(line, batch))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_directly(self, waiting: _Waiting) -> None:
        try:
            await self._call(lambda: send_document(self._spec, waiting.unit, waiting.document))
        except Exception as error:  # noqa: BLE001  # it belongs to who waits for the event
            _fail(waiting, error)
        else:
            _take(waiting)

    async def _carry(self, line: _Line, batch: list[_Waiting]) -> None:
        """Send one batch, and settle each of its events."""
        try:
            documents = [each.document for each in batch]
            handed = await self._call(lambda: hand_over(self._spec.transport, line.function, documents))
            self._settle(line, batch, handed)
        except ThrottledError as error:
            # Nothing was sent. The invoker needs a separate execution, which events in the queue do not.
            line.direct_until = asyncio.get_running_loop().time() + max(_DIRECT_S, error.retry_after_s)
            line.waiting[:0] = batch
        except LambdaMagicError as error:
            if isinstance(error, InvocationError):
                self._report_batch(len(batch), parse_report(error.log_tail, error.request_id or ""))
            for each in batch:
                _fail(each, same(error))
        except Exception as error:  # noqa: BLE001  # an engine's own failure must end the job, not hang it
            for each in batch:
                _fail(each, error)
        finally:
            line.under_way -= 1
            self._look(line)

    def _settle(self, line: _Line, batch: list[_Waiting], handed: Handed) -> None:
        self._report_batch(len(handed.fates), handed.report)
        if not handed.fates:  # the first is too large for any batch: Lambda reports it
            self._start(self._send_directly(batch.pop(0)))
        went_on = any(not is_left(fate) for fate in handed.fates)
        left = batch[len(handed.fates) :]
        for waiting, fate in zip(batch, handed.fates, strict=False):
            if fate.is_taken:
                _take(waiting)
            elif is_left(fate) and went_on:
                left.append(waiting)
            else:
                _fail(waiting, error_of(fate, line.function, self._spec.transport))
        line.waiting[:0] = left

    def _report_batch(self, events: int, report: Report | None) -> None:
        if report is not None:
            self._on_batch(events, report)

    async def _call(self, call: Callable[[], _T]) -> _T:
        found: _T = await asyncio.wrap_future(self._threads.submit(call))
        return found


def _take(waiting: _Waiting) -> None:
    if not waiting.taken.done():
        waiting.taken.set_result(None)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.taken.done():
        waiting.taken.set_exception(error)
