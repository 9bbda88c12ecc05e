"""A function that answers as lambdamagic's handler does, without a process: for the fake transport."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.each import iter_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import describe, reassemble
from lambdamagic.codec.home import Home
from lambdamagic.events import Listeners
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import FunctionRef, Job, JobSpec, UnitSource
from lambdamagic.jobs.outcomes import Failure, encode_items, outcomes
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Request, Response, TaskSummary
from lambdamagic.protocol.payload import Payload, inline_payload
from lambdamagic.runs.sources import ChunkedItems, Sizing, Units
from lambdamagic.transports.fake import FakeTransport, failed
from lambdamagic.transports.transport import InvocationReply, InvokeCall

HOME = Home({"__name__": "__main__", "__builtins__": builtins})

DIED = failed("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: exit status 1")


def items_of(invocation: InvokeCall) -> list[Any]:
    """Return the items that an invocation carries."""
    request = Request.from_json(json.loads(invocation.payload))
    assert request.items is not None
    found: list[Any] = list(iter_items(request.items.inline_segments(), HOME))
    return found


def answering(fn: Callable[[Any], Any]) -> Callable[[InvokeCall], InvocationReply]:
    """Return a function that runs `fn` for each item; exceptions are outcomes, an InvocationReply is the answer."""

    def answer(invocation: InvokeCall) -> InvocationReply:
        encoder, summaries = Encoder(HOME), []
        for item in items_of(invocation):
            try:
                value = fn(item)
            except Exception as error:
                records = describe(error, internal=(__file__,))
                encoder.dump({"error": records, "seconds": 0.0})
                summaries.append(TaskSummary(0.0, f"{type(error).__name__}: {error}", records[0].kinds))
                continue
            if isinstance(value, InvocationReply):
                return value
            encoder.dump({"value": value, "seconds": 0.0})
            summaries.append(TaskSummary(0.0))
        payload = inline_payload([bytes(segment) for segment in encoder.frames().segments])
        return reply(Response(versions.here(), "done", payload, tasks=summaries))

    return answer


def reply(response: Response) -> InvocationReply:
    """Return the transport's reply that holds an answer."""
    return InvocationReply(200, json.dumps(response.to_json()).encode(), request_id="r")


def job_spec(**given: Any) -> JobSpec:
    """Return what a map is asked for; what is not given has nothing in it."""
    usual: dict[str, Any] = {
        "kind": "map",
        "label": "test",
        "function": FunctionRef("f", 128, 3),
        "transport": FakeTransport(),
        "stager": Stager(None),
        "program": Payload(()),
        "versions": versions.here(),
        "units": Units(()),
        "task_count": None,
    }
    return JobSpec(**{**usual, **given})


def start(
    engine: Engine,
    transport: FakeTransport,
    items: Any,
    *,
    chunksize: int | None = 1,
    policy: RetryPolicy | None = None,
    max_concurrency: int = 4,
    listeners: Listeners | None = None,
    units: UnitSource | None = None,
    **more: Any,
) -> Job:
    """Begin a map over items, or over units; `more` is for the JobSpec."""
    spec = job_spec(
        transport=transport,
        units=units
        or ChunkedItems(
            lambda chunk, first: encode_items(HOME, chunk, first, "auto"),
            Sizing(timeout_s=3, limit_bytes=1_000_000, chunksize=chunksize),
            items,
        ),
        task_count=len(items),
        policy=policy or RetryPolicy(base_s=0.001, cap_s=0.002),
        max_concurrency=max_concurrency,
        inline_limit_bytes=1_000_000,
        **more,
    )
    return engine.start(spec, listeners or Listeners())


def collect(job: Job) -> tuple[dict[int, Any], Exception | None]:
    """Return task to value or error, and the job's own error."""
    found, error = {}, None
    try:
        for arrival in job.arrivals():
            for task, outcome in outcomes(arrival, HOME):
                assert task not in found, "a task has one outcome"
                found[task] = outcome
    except Exception as raised:
        error = raised
    values = {
        task: (outcome.error or reassemble(outcome.records)) if isinstance(outcome, Failure) else outcome
        for task, outcome in found.items()
    }
    return values, error
