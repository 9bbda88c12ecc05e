"""One attempt of a unit: send it, time it, and record it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from lambdamagic.clock import Clock
from lambdamagic.errors import InvocationLostError, LambdaMagicError
from lambdamagic.jobs.delivery import delivery_for
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.ledger import Ledger
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.jobs.verdict import timed_out
from lambdamagic.protocol.report import Report


class Attempts:
    """Makes a job's attempts; lives in the engine's event loop.

    Args:
        spec: The job.
        threads: Where blocking calls run.
        ledger: The job's account.
        clock: The time.
        on_cost: Called when what an attempt or a batch of events cost is in the account.
    """

    def __init__(
        self, spec: JobSpec, threads: DaemonThreads, ledger: Ledger, clock: Clock, on_cost: Callable[[], None]
    ) -> None:
        self._spec, self._ledger, self._clock, self._on_cost = spec, ledger, clock, on_cost
        self._delivery = delivery_for(spec, threads, self._handed_over)

    async def make(self, unit: Unit, attempt_id: str) -> Arrival:
        """Send a unit once and return its answer.

        Raises:
            LambdaMagicError: There is no answer, or it is that the deadline came before any task was done.
        """
        began = self._clock.monotonic()
        self._ledger.started(unit, attempt_id)
        try:
            arrival, tail = await self._delivery.attempt(unit, attempt_id)
        except asyncio.CancelledError:
            self._ledger.left(unit, self._clock.monotonic() - began)
            raise
        except LambdaMagicError as error:
            self._failed(unit, attempt_id, error, began)
            raise
        except Exception as error:
            # Whatever it is, it is this attempt's: the other tasks have nothing to do with it.
            lost = InvocationLostError(
                f"an attempt failed unexpectedly ({type(error).__name__}: {error}); whether its code ran is unknown"
            )
            self._failed(unit, attempt_id, lost, began)
            raise lost from error
        arrival = replace(arrival, elapsed_s=self._clock.monotonic() - began)
        self._ledger.ended(arrival, attempt_id, tail)
        self._ledger.requests_made()
        self._on_cost()
        response = arrival.response
        if response is not None and response.status == "timed_out" and not response.tasks:
            raise timed_out(response, self._spec.function, request_id=arrival.request_id)
        return arrival

    def _failed(self, unit: Unit, attempt_id: str, error: LambdaMagicError, began: float) -> None:
        elapsed_s = self._clock.monotonic() - began
        self._ledger.died(unit, attempt_id, error, elapsed_s=elapsed_s)
        self._ledger.requests_made()
        self._on_cost()

    def _handed_over(self, events: int, report: Report) -> None:
        """Account for a batch of events that went through an invoker."""
        self._ledger.handed_over(events, report)
        self._on_cost()
