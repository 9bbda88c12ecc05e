"""Build a job's spec for the engine from settings and an open target."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lambdamagic.config import ResolvedSettings
from lambdamagic.errors import ConfigError, ParityError
from lambdamagic.jobs.budget import Budget
from lambdamagic.jobs.delivery import answer_bound_s
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.history import History, JobNote
from lambdamagic.jobs.job import FunctionRef, JobSpec, UnitSource, new_job_id
from lambdamagic.jobs.places import Places
from lambdamagic.jobs.policy import RetryPolicy
from lambdamagic.jobs.prices import Prices
from lambdamagic.protocol import versions
from lambdamagic.protocol.keys import triggered_job_key
from lambdamagic.protocol.payload import Payload
from lambdamagic.pythons import python_here
from lambdamagic.runs.durable import Keep, make_durable
from lambdamagic.runs.variables import names_of, values_of
from lambdamagic.storage.requests import PROCESS, RequestMeter, paid_by, payer
from lambdamagic.targets.target import FunctionWish, Target

if TYPE_CHECKING:
    from lambdamagic.deploy.parity import Strictness
from lambdamagic.transports.open_files import room_for

_MAP_LOSSES = 4

#: A larger program that many invocations run is staged once instead of being sent in every event.
SHARED_PROGRAM_LIMIT_BYTES = 128 * 1024


def concurrency(resolved: ResolvedSettings, target: Target, task_count: int | None = None) -> int:
    """Return how many invocations of a job run at once."""
    is_explicit = resolved.origin("max_concurrency") != "default"
    wanted = target.concurrency(resolved.settings.max_concurrency, is_explicit=is_explicit)
    if task_count == 1:
        return wanted  # one connection has room
    room = room_for(wanted)
    if room < wanted:
        warnings.warn(
            f"the limit of open files (ulimit -Hn) is too low for {wanted:,} connections: max_concurrency is {room:,}",
            RuntimeWarning,
            stacklevel=2,
        )
    return room


class Fitted(NamedTuple):
    """A program, and the function that fits it."""

    program: Program
    function: FunctionRef


def fitting_function(resolved: ResolvedSettings, target: Target, program: Program | None) -> FunctionRef:
    """Return the function for a program, of the size that the settings ask for.

    Raises:
        NotOursError: It is not lambdamagic's; nothing was sent.
        ParityError: It lacks what the program imports; nothing was sent.
        TargetError: There is no such function, and none can be made.
    """
    settings = resolved.settings
    function = target.function_for(_wish(resolved))
    if program is None or settings.parity == "off":
        return function
    try:
        _check_parity(function, target, program, settings.parity)
    except ParityError:
        # It may have been deployed again since it was looked at.
        target.refresh()
        function = target.function_for(_wish(resolved))
        _check_parity(function, target, program, settings.parity)
    return function


def _check_parity(function: FunctionRef, target: Target, program: Program, strictness: Strictness) -> None:
    from lambdamagic.deploy.installed import distributions_of  # reads the packages' metadata: `%load_ext` need not
    from lambdamagic.deploy.parity import check_parity

    holdings = function.holdings
    if holdings is None and distributions_of(program.imports):
        holdings = target.ask_holdings(function)
    check_parity(program.imports, holdings, function=function.name, strictness=strictness)


def _wish(resolved: ResolvedSettings) -> FunctionWish:
    settings = resolved.settings
    return FunctionWish(
        settings.memory_mb,
        settings.timeout_s,
        settings.python or python_here(),
        least_memory_mb=0 if resolved.origin("memory_mb") == "default" else settings.memory_mb,
        least_timeout_s=0 if resolved.origin("timeout_s") == "default" else settings.timeout_s,
    )


def budget_of(resolved: ResolvedSettings, target: Target) -> Budget | None:
    """Return what a job may spend; None for no limit. Where AWS does not bill, the default is no limit."""
    limit_usd = resolved.settings.max_cost_usd
    is_asked_for = resolved.origin("max_cost_usd") != "default"
    return Budget(limit_usd) if limit_usd and (target.is_billed or is_asked_for) else None


@dataclass(frozen=True)
class RunRequest:
    """The work to run, and its options.

    Attributes:
        kind: `cell` or `map`.
        label: A short name of the job, for display.
        units: Where its work comes from.
        task_count: How many tasks there are, if that is known.
        program: What all units run; None if each brings its own.
        function: The function that fits it, where that was looked up already.
        options: What is sent to the remote side in addition to the settings.
        is_program_shared: Whether many invocations run the program.
        cached: Tasks whose outcomes are known already.
        keep: Hands over the tasks' arguments, where another process may resume the job.
        budget: What it may spend together with other jobs; by default its own, see `budget_of`.
        places: Bounds its invocations together with those of other jobs; by default it has its own bound.
        keeps_remote: Whether values that are worth it stay in the bucket.
        job_id: Its id, where that is known already.
        amend: Changes the job that was put together, before it begins.
    """

    kind: Literal["cell", "map"]
    label: str
    units: UnitSource
    task_count: int | None
    program: Program | None = None
    function: FunctionRef | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    is_program_shared: bool = True
    cached: tuple[int, ...] = ()
    keep: Callable[[Keep], None] | None = None
    budget: Budget | None = None
    places: Places | None = None
    keeps_remote: bool = False
    job_id: str = ""
    amend: Callable[[JobSpec], JobSpec] | None = None


def job_spec(resolved: ResolvedSettings, target: Target, request: RunRequest) -> JobSpec:
    """Put a job together; the program is staged here if it is large.

    Args:
        resolved: The settings in force.
        target: Where it runs.
        request: The work to run.

    Raises:
        ConfigError: Settings contradict each other.
        ParityError: The function lacks what the program imports; nothing was sent.
        TargetError: The target is not usable.
    """
    settings = resolved.settings
    if settings.retry_on and not settings.retries:
        raise ConfigError("retry_on has no effect without retries", hint="Set the number: retries=2, or --retries 2")
    program, is_map = request.program, request.kind == "map"
    function = request.function or fitting_function(resolved, target, program)
    requests = RequestMeter() if payer() is PROCESS else payer()
    mode: Literal["sync", "event", "trigger"] = "sync"
    if settings.mode == "event" or settings.mode == "trigger":
        mode = settings.mode
        if target.stager.store is None:
            raise ConfigError(
                f"mode {mode!r} needs a bucket for its answers", hint="Set LAMBDAMAGIC_BUCKET, or use --mode sync"
            )
    secret = target.trigger_secret(function.name) if mode == "trigger" else b""

    def resize(memory_mb: int) -> FunctionRef:
        larger = target.function_for(replace(_wish(resolved), memory_mb=memory_mb, least_memory_mb=memory_mb))
        if mode != "sync":
            target.prepare_events(larger.name)
        return larger

    limit = inline = min(settings.inline_limit_bytes, function.limits.inline_bytes)
    if mode != "sync":
        target.prepare_events(function.name)
        limit = min(limit, function.limits.event_inline_bytes)
    if request.is_program_shared:
        limit = min(limit, SHARED_PROGRAM_LIMIT_BYTES)
    # Whoever resumes a job of another process has its names, and the values from its own environment.
    names = list(dict.fromkeys([*names_of(settings.send_env), *request.options.get("env", ())]))
    with paid_by(requests):
        placed = Payload(()) if program is None else target.stager.place(program.frames, limit_bytes=limit)
    budget = request.budget or budget_of(resolved, target)
    if budget is not None:
        budget.spend(target.take_asked_usd())  # the question was for this job
    job_id = request.job_id or new_job_id()
    where = {
        **target.whereabouts(),
        "function": function.name,
        "memory_mb": function.memory_mb,
        "timeout_s": function.timeout_s,
    }
    is_durable = mode != "sync" and program is not None and (not is_map or request.keep is not None)
    note = JobNote(job_id, request.label, mode, where, request.task_count, time.time())
    spec = JobSpec(
        kind=request.kind,
        label=request.label,
        function=function,
        transport=target.transport,
        stager=target.stager,
        program=placed,
        requests=requests,
        versions=versions.here() if program is None else program.versions,
        units=request.units,
        task_count=request.task_count,
        cached=request.cached,
        options={
            "serializer": settings.serializer,
            **({"retry_on": True} if settings.retry_on else {}),
            **request.options,
            **({"env": names} if names else {}),
        },
        environment=values_of(names, mode=mode),
        policy=RetryPolicy(
            user_errors=settings.retries,
            retry_on=tuple(name.strip() for name in (settings.retry_on or "").split(",") if name.strip()),
            memory_cap_mb=settings.retry_memory_mb or 0,
            deaths=1 if is_map else 0,
            # A cell may do what must not be done twice; tasks of a map are taken to be fit for it, and say so.
            losses=max(_MAP_LOSSES, settings.retries) if is_map else settings.retries,
        ),
        max_concurrency=concurrency(resolved, target, request.task_count),
        inline_limit_bytes=inline,
        mode=mode,
        trigger_secret=secret,
        answer_bound_s=answer_bound_s(function.timeout_s),
        prices=Prices.of(target.region, function.arch),
        is_billed=target.is_billed,
        backups=settings.backups and is_map,
        keeps_remote=request.keeps_remote,
        budget=budget,
        failed_starts=target.failed_starts,
        places=request.places,
        resize=resize if mode != "trigger" else None,
        job_id=job_id,
        journal=None if is_durable else History().begin(note),
    )
    if mode == "trigger":
        spec = replace(spec, key=triggered_job_key(secret, job_id))
    if not is_durable:
        return spec
    with paid_by(requests):
        return make_durable(spec, request.keep, where, History())
