"""What is known of an invocation that has come back, before anybody has read its results."""

from __future__ import annotations

from dataclasses import replace

from lambdamagic.jobs.invoke import collect
from lambdamagic.jobs.job import Arrival, JobSpec


def fetched(spec: JobSpec, arrival: Arrival) -> Arrival:
    """Return it with the frames of its answer, which are read from the bucket where its job left them there."""
    response = arrival.response
    if response is None or arrival.frames or spec.collects:
        return arrival
    return replace(arrival, frames=collect(spec, response, arrival.attempt_id))


def told(error: BaseException | None) -> str:
    """Return an exception in one line."""
    return f"{type(error).__name__}: {error}"
