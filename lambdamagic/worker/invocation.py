"""One invocation, from the event to the answer."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable
from typing import Any

from lambdamagic.codec.encode import pack_numbers
from lambdamagic.codec.failures import safe_str
from lambdamagic.codec.frames import Frames
from lambdamagic.errors import LambdaMagicError, ProtocolError
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import MARK, QUESTION, Live, Request, Response, TaskSummary
from lambdamagic.protocol.joblog import job_line
from lambdamagic.protocol.seal import seal
from lambdamagic.worker.blobs import BlobCache
from lambdamagic.worker.cell_body import run_cell
from lambdamagic.worker.execution import CellSurroundings
from lambdamagic.worker.fitting import fit_answer
from lambdamagic.worker.mapper import Chunk
from lambdamagic.worker.memory import Memory
from lambdamagic.worker.program import LoadedProgram
from lambdamagic.worker.scratch import Scratch
from lambdamagic.worker.setup_code import SetupCode
from lambdamagic.worker.shared_objects import SharedObjects
from lambdamagic.worker.stays import StayedFrames
from lambdamagic.worker.tally import Tally
from lambdamagic.worker.this_environment import importable_serializers, variables_set
from lambdamagic.worker.trigger import is_notification, requests_of
from lambdamagic.worker.watchdog import Interrupted, Watchdog

_STORE_MARGIN_S = 0.5


def serve(event: Any, context: Any, state: dict[str, Any], account: Tally) -> dict[str, Any]:
    """Answer one event: to the caller, or into the bucket when the event says so.

    Args:
        event: The parsed event.
        context: Lambda's context object.
        state: Kept from invocation to invocation of this execution environment.
        account: What it is billed for.
    """
    if MARK not in event and is_notification(event):
        # S3 sends one for each object ("Amazon S3 Event Notifications"); of several the first would pay for all.
        answers = [serve(request, context, state, account) for request in requests_of(event)]
        return answers[-1]
    if isinstance(event, dict) and MARK in event and event.get(QUESTION) == "holdings":  # whichever version asks
        from lambdamagic.worker.list_holdings import list_holdings

        return list_holdings()
    if isinstance(event, dict) and MARK in event and event.get("kind") == "walk":
        from lambdamagic.worker.walking import serve_walk

        return serve_walk(event, context, state, account)
    if not isinstance(event, dict) or not event.get("answer"):
        return _answer(event, context, state, account)
    from lambdamagic.storage.presigned import upload
    from lambdamagic.storage.retry import TransferRetry
    from lambdamagic.worker.beacon import Beacon

    beacon = Beacon(Live.from_json(event["live"])) if event.get("live") else None
    if beacon is not None and not beacon.begin():
        reason = "another delivery of this event has begun or is done, or its heartbeat cannot be written"
        return {MARK: versions.here(), "stored": False, "reason": reason}
    account.claimed()
    document = _answer(event, context, state, account)
    key = base64.b64decode(event["key"], validate=True)
    sealed = seal(document, key=key, job_id=event["job"], attempt_id=event["attempt"])
    upload(event["answer"], [sealed], retry=TransferRetry.until(_left_s(context)))
    if beacon is not None:
        beacon.end()
    return {MARK: versions.here(), "stored": True}


def _answer(event: Any, context: Any, state: dict[str, Any], account: Tally) -> dict[str, Any]:
    """Run one event, return the answer's document, and keep no part of the job."""
    try:
        return _run_event(event, context, state, account).to_json()
    finally:
        if "memory" in state:
            state["memory"].settle()


def _run_event(event: Any, context: Any, state: dict[str, Any], account: Tally) -> Response:
    """Run one event and return the answer."""
    if not isinstance(event, dict) or MARK not in event:
        return _refused(account, ProtocolError(f"this function accepts lambdamagic's events, not {str(event)[:100]!r}"))
    here = versions.here()
    try:
        here = versions.here(importable_serializers(event[MARK].get("serializers", {})))
        versions.check(event[MARK], here)
        request = Request.from_json(event)
    except LambdaMagicError as error:
        return _refused(account, error)
    first, last = request.options.get("tasks", (0, 0))
    # By this line `lambdamagic logs --job` finds what a job left in CloudWatch Logs.
    print(job_line(request.job_id, request.attempt_id, first, last), flush=True)  # noqa: T201  # stdout is the log
    if "memory" not in state:
        state["memory"] = Memory()
    cache: BlobCache = state.setdefault("cache", BlobCache())
    stayed: StayedFrames = state.setdefault("stayed", StayedFrames())
    cache.fetched_bytes = stayed.fetched_bytes = 0
    watchdog: Watchdog = state.setdefault("watchdog", Watchdog())
    remaining_s = context.get_remaining_time_in_millis() / 1000
    run = watchdog.start(remaining_s=remaining_s, is_cancelled=_cancel_check(request))
    user_began = time.perf_counter()
    try:
        try:
            with variables_set(request.environment) if request.environment else contextlib.nullcontext():
                response, frames = _run(request, state, cache, _left_s(context))
        finally:
            watchdog.stop(run)
    except Interrupted as interrupted:
        response, frames = Response(here, _reason(interrupted), detail=run.stacks), None
    except LambdaMagicError as error:
        return _refused(account, error)
    except Exception as error:  # noqa: BLE001  # a program that cannot be read: the client must hear why
        return _refused(account, ProtocolError(_unreadable(error)))
    if response.status == "timed_out" and not response.detail:
        response.detail = run.stacks
    user_ms = (time.perf_counter() - user_began) * 1000
    try:
        response = fit_answer(response, frames, request, left_s=_left_s(context))
    except LambdaMagicError as error:
        # Paid for, and not to be paid for again: the client does not repeat what it learns of in these words.
        response = _lost(here, error)
    fetched_bytes = cache.fetched_bytes + stayed.fetched_bytes
    response.usage = account.usage(user_ms=user_ms, fetched_bytes=fetched_bytes)
    return response


def _run(request: Request, state: dict[str, Any], cache: BlobCache, left_s: float) -> tuple[Response, Frames | None]:
    here = versions.here()
    if "scratch" not in state:
        state["scratch"] = Scratch()
    is_emptied = state["scratch"].enter(request.job_id, request.options.get("session", ""))
    program = _program(request, state, cache)
    setup: SetupCode = state.setdefault("setup", SetupCode())
    setup.enter(request.options.get("session", ""))
    environment = CellSurroundings(program, setup)
    if request.kind == "map":
        stayed: StayedFrames = state["stayed"]
        chunk = Chunk(request, program, environment, cache, state["memory"], stayed)
        chunk.run()
        status: Any = "done" if chunk.interrupted is None else chunk.interrupted.reason
        try:
            left = chunk.leave(left_s)
        except LambdaMagicError as error:
            return _lost(here, error), None
        frames = chunk.frames()
        outputs = environment.outputs.finished()
        return Response(here, status, outputs=outputs, tasks=chunk.summaries(), stayed=left), frames
    began = time.perf_counter()
    try:
        answer = run_cell(request, program, environment, is_folder_empty=is_emptied and not program.has_files)
    except Interrupted as interrupted:
        return Response(here, _reason(interrupted), outputs=environment.outputs.finished()), None
    finally:
        state.pop("program", None)
        program.close()
    numbers = pack_numbers(answer.numbers)
    kinds = answer.error_kinds if request.options.get("retry_on") else ()
    summary = TaskSummary(time.perf_counter() - began, answer.error_line, kinds)
    outputs = environment.outputs.finished()
    done = Response(here, "done", numbers=numbers, outputs=outputs, tasks=[summary], binds_only=answer.binds_only)
    return done, answer.frames


def _program(request: Request, state: dict[str, Any], cache: BlobCache) -> LoadedProgram:
    """Return the job's program; the chunks of one map find it read already."""
    # What an initializer has prepared is there for all jobs of its executor.
    wanted = request.options.get("initialized") or (request.job_id, request.options.get("program_id"))
    kept = state.get("program")
    if kept is not None:
        known, program = kept
        most = request.options.get("max_tasks")
        if known == wanted and request.kind == "map" and (most is None or program.tasks < most):
            found: LoadedProgram = program
            return found
        program.close()
        del state["program"], kept, program
        state["memory"].settle()
    shared, stayed = state.setdefault("shared", SharedObjects()), state["stayed"]
    program = LoadedProgram(request, cache, shared, stayed)
    state["program"] = (wanted, program)
    return program


def _left_s(context: Any) -> float:
    """Return how long something may still be tried, until shortly before Lambda's deadline."""
    return float(context.get_remaining_time_in_millis()) / 1000 - _STORE_MARGIN_S


def _lost(here: dict[str, Any], error: LambdaMagicError) -> Response:
    detail = f"the code ran, and its result could not be stored: {error.message}"
    return Response(here, "refused", detail=detail, error_kind="AnswerLostError")


def _reason(interrupted: Interrupted) -> Any:
    return interrupted.reason


def _refused(account: Tally, error: LambdaMagicError) -> Response:
    kind = type(error).__name__
    return Response(versions.here(), "refused", detail=str(error), error_kind=kind, usage=account.usage())


def _unreadable(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"the captured code needs the module {error.name!r}, which the function does not have; "
            f"add it to the function's package or layers"
        )
    return f"the captured code could not be read in the function: {type(error).__name__}: {safe_str(error)}"


def _cancel_check(request: Request) -> Callable[[], bool] | None:
    if not request.cancel_url:
        return None

    def is_cancelled() -> bool:
        from lambdamagic.storage.presigned import fetch

        try:
            fetch(request.cancel_url)
        except FileNotFoundError:
            return False
        except LambdaMagicError:
            return False  # S3 is unwell: the run continues, Lambda's own timeout bounds it
        return True

    return is_cancelled
