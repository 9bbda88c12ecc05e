"""What a job is reported of retries."""

from __future__ import annotations

from typing import Any

import pytest

from lambdamagic.config import load_settings
from lambdamagic.errors import ConfigError, CostLimitError
from lambdamagic.jobs.concurrency import Concurrency
from lambdamagic.limits import AWS_LAMBDA, Limit
from lambdamagic.runs.sources import Units
from lambdamagic.runs.spec import RunRequest, job_spec
from tests.runs.targets import FakeTarget


def _spec(kind: Any, target: FakeTarget, **overrides: Any) -> Any:
    return job_spec(
        load_settings(environ={}, overrides=overrides),
        target,
        RunRequest(kind, "test", Units(), 1, is_program_shared=False),
    )


@pytest.mark.parametrize(("kind", "retries", "losses"), [("cell", 0, 0), ("cell", 2, 2), ("map", 0, 4), ("map", 9, 9)])
def test_a_lost_cell_is_not_run_again_unasked(kind: str, retries: int, losses: int) -> None:
    """A cell whose connection broke may have run: only --retries runs it again; tasks of a map are sent again."""
    assert _spec(kind, FakeTarget(), retries=retries).policy.losses == losses


def test_only_what_the_user_said_is_required_of_a_function() -> None:
    """A default is a wish, an option is a demand."""
    target = FakeTarget()
    _spec("cell", target)
    _spec("cell", target, memory_mb=4096)
    assert [(wish.memory_mb, wish.least_memory_mb) for wish in target.wishes] == [(2048, 0), (4096, 4096)]


def test_events_are_prepared() -> None:
    """Mode event turns Lambda's own retries off before anything is sent, mode sync leaves the function alone."""
    target = FakeTarget()
    assert _spec("map", target).mode == "sync"
    assert target.prepared == []
    assert _spec("map", target, mode="event").mode == "event"
    assert target.prepared == ["function"]


def test_the_limits_are_those_of_the_targets_compute() -> None:
    """Another provider is another object, given out by its target: what is sent inline, and how fast jobs start."""
    sync_bytes, async_bytes = (Limit(0, most, "bytes", "its page") for most in (1_000_000, 400_000))
    other = AWS_LAMBDA._replace(
        sync_payload_bytes=sync_bytes,
        async_payload_bytes=async_bytes,
        new_environments=Limit(0, 5, "", "its page"),
        ramp_s=1.0,
    )
    sync, event = (_spec("map", FakeTarget(limits=other), mode=mode) for mode in ("sync", "event"))
    assert sync.inline_limit_bytes == sync.event_limit_bytes == other.inline_bytes < 1_000_000
    assert event.event_limit_bytes == other.event_inline_bytes < 200_000
    assert Concurrency(100, sync.function.limits).room(0, now=0.0) == 5
    assert _spec("map", FakeTarget(limits=other), inline_limit_bytes=1000).event_limit_bytes == 1000


def test_the_budget() -> None:
    """0 sets no limit; the default is one where AWS bills, and a limit that is set holds everywhere."""
    target = FakeTarget()
    target.is_billed = True
    budget = _spec("map", target).budget
    assert budget is not None
    assert budget.limit_usd == 20.0
    assert _spec("map", target, max_cost_usd=0).budget is None
    target.is_billed = False
    assert _spec("map", target).budget is None
    asked = _spec("map", target, max_cost_usd=1.0).budget
    assert asked is not None
    assert asked.limit_usd == 1.0
    target.asked_usd = 1.0  # a question to the function, which was for this job
    spent = _spec("map", target, max_cost_usd=1.0).budget
    assert spent is not None
    with pytest.raises(CostLimitError):
        spent.check()


def test_retry_on_needs_retries() -> None:
    """Said alone it would do nothing, so it is refused."""
    spec = _spec("map", FakeTarget(), retries=1, retry_on="ValueError, os.PathError")
    assert spec.policy.retry_on == ("ValueError", "os.PathError")
    assert spec.options["retry_on"] is True
    with pytest.raises(ConfigError, match="retries"):
        _spec("map", FakeTarget(), retry_on="ValueError")


def test_backups_are_for_maps_only() -> None:
    """A cell is never run next to itself."""
    assert _spec("map", FakeTarget(), backups=True).backups
    assert not _spec("cell", FakeTarget(), backups=True).backups


def test_a_larger_function_is_asked_for_as_a_demand() -> None:
    """A task that ran out of memory is not run on the same function again."""
    target = FakeTarget()
    spec = _spec("map", target, memory_mb=512, retry_memory_mb=2048)
    assert spec.policy.memory_cap_mb == 2048
    assert spec.resize is not None
    spec.resize(1024)
    assert (target.wishes[-1].memory_mb, target.wishes[-1].least_memory_mb) == (1024, 1024)
