"""Counts what an instance does, and disturbs it by script; begins with the owner's first request for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse, Reply
from lambdamagic.local.server.observing import FAULTS_PATH, HELD_PATH, STATS_PATH, Fault, Observer
from lambdamagic.local.testing.faults import FaultPlan
from lambdamagic.local.testing.stats import Stats, operation_of


class TestObserver(Observer):
    """Counters since it began or since they were reset, and the faults that are armed."""

    __test__ = False  # for pytest: it is no test

    def __init__(self) -> None:
        self.stats = Stats()
        self.faults = FaultPlan()

    def requested(self, service: str, request: HttpRequest) -> ObservedOperation:
        """Count it; raise what a script refuses it with."""
        operation = operation_of(service, request)
        self.stats.count(service, operation)
        refused = self.faults.draw_api(service, operation)
        if refused is not None:
            raise refused
        return ObservedOperation(self.faults, service, operation)

    def session_is_over(self, since: float) -> bool:
        """See `Observer.session_is_over`."""
        return self.faults.session_is_over(since)

    def asked_to_invoke(self) -> None:
        """Count it."""
        self.stats.count("lambda", "Invoke")

    def invoking(self, function: str) -> Fault | None:
        """Draw a fault."""
        return self.faults.draw_invoke(function)

    def event_came(self, function: str) -> Fault | None:
        """Draw a fault."""
        return self.faults.draw_event(function)

    def started(self, *, is_cold: bool) -> None:
        """Count it."""
        if is_cold:
            self.stats.cold_starts += 1
        else:
            self.stats.warm_starts += 1

    def billed(self, billed_ms: float, memory_mb: int) -> None:
        """Count it."""
        self.stats.billed_invocations += 1
        self.stats.billed_gb_s += billed_ms / 1000 * memory_mb / 1024

    def ended(self, how: str) -> None:
        """Count it."""
        self.stats.results[how] += 1

    def thawing(self, function: str, frozen_s: float) -> bool:
        """Draw a fault."""
        return self.faults.draw_thaw(function, frozen_s)

    def stack_step(self, logical_id: str, doing: str) -> str | None:
        """Draw a fault."""
        return self.faults.draw_stack(logical_id, doing)

    async def answer(self, request: HttpRequest, facts: dict[str, Any]) -> HttpResponse:
        """Answer one of the owner's requests."""
        answer: Any = True
        if request.path == FAULTS_PATH:
            if request.method == "PUT":
                self.faults.replace(json.loads(request.body))
            answer = self.faults.as_list()
        elif request.path == STATS_PATH:
            answer = {**self.stats.as_dict(), **facts}
            if request.method == "POST":
                self.stats.reset()
        elif request.path == HELD_PATH:
            await self.faults.until_held()
        else:
            raise AwsError(404, "UnknownOperationException", f"There is no {request.path}.")
        return HttpResponse(200, (("content-type", "application/json"),), json.dumps(answer).encode())


class ObservedOperation:
    """A request with the faults that were armed when it came."""

    def __init__(self, faults: FaultPlan, service: str, operation: str) -> None:
        self._faults, self._service, self._operation = faults, service, operation

    async def begin(self, reply: Reply) -> bool:
        """Act out a fault of S3's."""
        fault = self._faults.draw_s3(self._operation) if self._service == "s3" else None
        if fault is None:
            return False
        if fault.raises is not None:
            raise fault.raises
        if fault.kind == "s3_drop":
            reply.drop()
            return True
        if fault.loss is not None:
            reply.lose(fault.loss)
        await asyncio.sleep(fault.delay_s)
        return False

    async def end(self) -> None:
        """Hold its answer back if a rule says so."""
        await self._faults.hold_back(self._service, self._operation)
