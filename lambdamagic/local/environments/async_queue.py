"""Asynchronous invocations: accepted at once, run later, retried and dropped as Lambda does it.

"Error handling for asynchronous invocation": two retries after 1 and 2 minutes by default; an event that is
throttled or meets a system error goes back to the queue, with waits that grow from 1 second to 5 minutes, until
it is older than its maximum age (6 hours by default).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local.environments.environment_pool import Completed
from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.invocations import Invocation
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.observing import Fault

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 300.0
_SYSTEM_STATUSES = (429, 500, 502, 503)


@dataclass(slots=True)
class _Event:
    function: FunctionVersion
    invocation: Invocation
    accepted_at: float
    kill_after_s: float | None = None
    attempts: int = 0
    backoff_s: float = _FIRST_BACKOFF_S


class AsyncQueue:
    """Runs events in the background. Lives in the event loop."""

    def __init__(
        self,
        *,
        retry_delays_s: tuple[float, float],
        time_factor: float,
        executor: Executor,
        send_message: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._retry_delays_s = retry_delays_s
        self._time_factor = time_factor
        self._executor = executor
        self._send_message = send_message
        self._tasks: set[asyncio.Task[None]] = set()
        self.run: Callable[..., Awaitable[Completed]] | None = None
        self.find: Callable[[str, str | None], Awaitable[FunctionVersion]] | None = None

    @property
    def waiting(self) -> int:
        """The number of events that have not ended."""
        return len(self._tasks)

    def put(self, function: FunctionVersion, invocation: Invocation, fault: Fault | None = None) -> None:
        """Accept an event; a fault may let its environment die, or deliver it twice."""
        kill_after_s = fault.delay_s if fault is not None and fault.kind == "kill" else None
        delays_s = [0.0, fault.delay_s] if fault is not None and fault.kind == "duplicate" else [0.0]
        for delay_s in delays_s:
            event = _Event(function, invocation, time.time(), kill_after_s)
            task = asyncio.get_running_loop().create_task(self._work(event, delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel unfinished invocations."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, event: _Event, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while True:
            if time.time() - event.accepted_at > event.function.max_event_age_s * self._time_factor:
                await self._send_record(event, "EventAgeExceeded", None)
                return
            completed = await self._attempt(event)
            if completed is None:
                continue
            event.attempts += 1
            if not completed.result.is_error:
                await self._send_record(event, "Success", completed)
                return
            retries = min(event.function.max_retries, len(self._retry_delays_s))
            if event.attempts > retries:
                await self._send_record(event, "RetriesExhausted", completed)
                return
            await asyncio.sleep(self._retry_delays_s[event.attempts - 1] * self._time_factor)

    async def _attempt(self, event: _Event) -> Completed | None:
        """Return how the event ended, or None after waiting when the system would not run it."""
        assert self.run is not None
        assert self.find is not None
        try:
            # The function may have been changed or deleted while the event waited.
            _, _, qualifier = event.function.invoked_arn.partition(f":function:{event.function.name}")
            event.function = await self.find(event.function.name, qualifier.lstrip(":") or None)
            return await self.run(event.function, event.invocation, kill_after_s=event.kill_after_s)
        except AwsError as error:
            if error.status not in _SYSTEM_STATUSES:
                # Deleted meanwhile: nothing can run it. Age decides, as for every event that cannot run.
                event.accepted_at = 0.0
                return None
        except (LocalServerError, OSError):
            pass  # the machine could not start an environment; tried again below
        await asyncio.sleep(event.backoff_s * self._time_factor)
        event.backoff_s = min(event.backoff_s * 2, _LONGEST_BACKOFF_S)
        return None

    async def _send_record(self, event: _Event, condition: str, completed: Completed | None) -> None:
        """Send the record of "Capturing records of Lambda asynchronous invocations" to its destination."""
        function = event.function
        arn = function.on_success_arn if condition == "Success" else function.on_failure_arn
        if arn is None:
            return
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "requestContext": {
                "requestId": event.invocation.request_id,
                "functionArn": f"{function.arn}:{function.version}",
                "condition": condition,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.invocation.payload),
        }
        if completed is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": function.version}
            if completed.result.is_error:
                record["responseContext"]["functionError"] = "Unhandled"
            record["responsePayload"] = _as_json(completed.result.payload or b"null")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._send_message, arn, record)


def _as_json(payload: bytes) -> Any:
    """Return what a runtime answered; a runtime may answer with what is not JSON, which is then text."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode(errors="replace")
