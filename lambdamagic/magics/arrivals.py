"""What is known of an invocation that has come back, before anybody has read its results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lambdamagic.jobs.invoke import collect
from lambdamagic.jobs.job import Arrival, JobSpec


def fetched(spec: JobSpec, arrival: Arrival) -> Arrival:
    """Return it with the frames of its answer, which are read from the bucket where its job left them there."""
    response = arrival.response
    if response is None or arrival.frames or spec.collects:
        return arrival
    return replace(arrival, frames=collect(spec, response, arrival.attempt_id))


def outputs_of(arrival: Arrival) -> list[dict[str, Any]]:
    """Return what the invocation printed and displayed."""
    if arrival.response is not None:
        return arrival.response.outputs
    return list(getattr(arrival.error, "outputs", ()))


def has_failed(arrival: Arrival) -> bool:
    """Whether the invocation, or the user's code in one of its tasks, failed."""
    return arrival.error is not None or bool(error_line(arrival))


def error_line(arrival: Arrival) -> str:
    """Return the first exception of the user's code in one line; empty without one."""
    if arrival.response is None:
        return ""
    tasks = zip(arrival.unit.tasks, arrival.response.tasks, strict=False)
    return next((task.error for number, task in tasks if task.error and number not in arrival.superseded), "")


def told(error: BaseException | None) -> str:
    """Return an exception in one line."""
    return f"{type(error).__name__}: {error}"
