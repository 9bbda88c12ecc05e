"""From settings and an open target to all that the engine needs to run a job."""

from __future__ import annotations

from typing import Any, Literal

from lambdamagic.config import ResolvedSettings
from lambdamagic.deploy.functions import python_here
from lambdamagic.deploy.parity import check_parity
from lambdamagic.jobs.delivery import answer_bound_s
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import FunctionRef, JobSpec
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.prices import Prices
from lambdamagic.jobs.sources import UnitSource
from lambdamagic.protocol import versions
from lambdamagic.protocol.limits import EVENT_INLINE_MAX_BYTES
from lambdamagic.protocol.payload import Payload
from lambdamagic.targets.base import FunctionWish, Target

_MAP_LOSSES = 4

#: A larger program that many invocations run is staged once instead of riding in every event.
SHARED_PROGRAM_LIMIT_BYTES = 128 * 1024


def concurrency(resolved: ResolvedSettings, target: Target) -> int:
    """Return how many invocations of a job run at once."""
    is_explicit = resolved.origin("max_concurrency") != "default"
    return target.concurrency(resolved.settings.max_concurrency, is_explicit=is_explicit)


def fitting_function(resolved: ResolvedSettings, target: Target, program: Program | None) -> FunctionRef:
    """Return the function for a program, of the size that the settings ask for.

    Raises:
        ParityError: It lacks what the program imports; nothing was sent.
        TargetError: There is no such function, and none can be made.
    """
    settings = resolved.settings
    wish = FunctionWish(
        settings.memory_mb,
        settings.timeout_s,
        settings.python or python_here(),
        least_memory_mb=0 if resolved.origin("memory_mb") == "default" else settings.memory_mb,
        least_timeout_s=0 if resolved.origin("timeout_s") == "default" else settings.timeout_s,
    )
    function = target.function_for(wish)
    if program is not None and function.holdings is not None:
        check_parity(program.imports, function.holdings, function=function.name, strictness=settings.parity)
    return function


def job_spec(
    resolved: ResolvedSettings,
    target: Target,
    kind: Literal["cell", "map"],
    units: UnitSource,
    *,
    label: str,
    program: Program | None,
    task_count: int | None,
    options: dict[str, Any],
    deaths: int,
    is_program_shared: bool,
) -> JobSpec:
    """Put a job together; the program is staged here if it is large.

    Args:
        resolved: The settings in force.
        target: Where it runs.
        kind: `cell` or `map`.
        units: Where its work comes from.
        label: What runs, for a person.
        program: What all units run; None if each brings its own.
        task_count: How many tasks there are, if that is known.
        options: What the remote side is told, beside the settings.
        deaths: Further attempts of a task whose environment died.
        is_program_shared: Whether many invocations run the program.

    Raises:
        ParityError: The function lacks what the program imports; nothing was sent.
        TargetError: The target is not usable.
    """
    settings = resolved.settings
    function = fitting_function(resolved, target, program)
    mode: Literal["sync", "event"] = "event" if settings.mode == "event" else "sync"
    limit = settings.inline_limit_bytes
    if mode == "event":
        target.prepare_events(function.name)
        limit = min(limit, EVENT_INLINE_MAX_BYTES)
    if is_program_shared:
        limit = min(limit, SHARED_PROGRAM_LIMIT_BYTES)
    return JobSpec(
        kind=kind,
        label=label,
        function=function,
        transport=target.transport,
        stager=target.stager,
        program=Payload(()) if program is None else target.stager.place(program.frames, limit_bytes=limit),
        versions=versions.here() if program is None else program.versions,
        units=units,
        task_count=task_count,
        options={"serializer": settings.serializer, **options},
        policy=RetryPolicy(
            user_errors=settings.retries,
            deaths=max(deaths, settings.retries),
            # A cell may do what must not be done twice; tasks of a map are taken to be fit for it, and say so.
            losses=max(_MAP_LOSSES, settings.retries) if kind == "map" else settings.retries,
        ),
        max_concurrency=concurrency(resolved, target),
        inline_limit_bytes=settings.inline_limit_bytes,
        mode=mode,
        answer_bound_s=answer_bound_s(function.timeout_s),
        prices=Prices.of(target.region),
        is_billed=target.is_billed,
        max_cost_usd=settings.max_cost_usd or None,
    )
