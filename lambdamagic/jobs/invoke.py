"""One invocation: the request built and sent, and its reply read. Blocking; runs in a thread."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from lambdamagic.errors import AnswerNotTrustedError, IntegrityError, LambdaMagicError, TargetError
from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.remote_values import RemoteValue, remote_values
from lambdamagic.jobs.verdict import read_reply
from lambdamagic.protocol import life
from lambdamagic.protocol.envelope import Request, Response
from lambdamagic.protocol.keys import stayed_key, trigger_key
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.report import parse_report
from lambdamagic.protocol.seal import seal
from lambdamagic.transports.transport import InvocationReply, InvokeCall

#: Names this process to the function, which leaves no files of one session to another.
_SESSION = secrets.token_hex(8)


def invoke(spec: JobSpec, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
    """Make one invocation, wait for it, and return its outcome, with the end of its log.

    Raises:
        LambdaMagicError: It was not delivered, or did not end well; see `Transport.invoke` and `verdict.read_reply`.
    """
    function = unit.function or spec.function
    spec.stager.links_last_s(function.timeout_s)
    payload = json.dumps(_request(spec, unit, attempt_id, waits=True).to_json()).encode()
    spec.requests.sent(len(payload))
    reply = spec.transport.invoke(InvokeCall(function.name, payload, want_log_tail=True, timeout_s=function.timeout_s))
    spec.requests.received(len(reply.payload))
    return arrival_of(spec, unit, attempt_id, reply), reply.log_tail


def send_event(spec: JobSpec, unit: Unit, attempt_id: str) -> None:
    """Put one invocation into Lambda's queue; its answer will be stored in the bucket.

    Raises:
        LambdaMagicError: It was not delivered; see `Transport.invoke`.
    """
    document = event_document(spec, unit, attempt_id)
    if spec.mode == "trigger":
        function = unit.function or spec.function
        # The job's key is not among what is in the bucket: the function derives it.
        sealed = seal({**document, "key": ""}, key=spec.trigger_secret, job_id=spec.job_id, attempt_id=attempt_id)
        spec.stager.required().put(trigger_key(function.name, spec.job_id, attempt_id), [sealed])
        return
    send_document(spec, unit, document)


def event_document(spec: JobSpec, unit: Unit, attempt_id: str) -> dict[str, Any]:
    """Return the event of an invocation whose answer will be stored, and note in the journal that it will be sent.

    Raises:
        LambdaMagicError: Its arguments cannot be encoded or staged.
    """
    document = _request(spec, unit, attempt_id, waits=False).to_json()
    if spec.journal is not None:
        spec.journal.sent(attempt_id)
    return document


def send_document(spec: JobSpec, unit: Unit, document: dict[str, Any]) -> None:
    """Hand an event over to Lambda's queue.

    Raises:
        LambdaMagicError: It was not delivered; see `Transport.invoke`.
    """
    function = unit.function or spec.function
    payload = json.dumps(document).encode()
    spec.requests.sent(len(payload))
    spec.transport.invoke(InvokeCall(function.name, payload, kind="Event", timeout_s=function.timeout_s))


def take_stored(spec: JobSpec, unit: Unit, attempt_id: str) -> Arrival:
    """Read the stored answer of an invocation that was sent as an event.

    Raises:
        LambdaMagicError: It is not to be trusted, or it says that nothing ran; see `verdict.read_reply`.
    """
    try:
        stored = spec.stager.read_answer(spec.job_id, attempt_id, spec.key)
    except IntegrityError as error:
        raise _not_trusted(error) from error
    return arrival_of(spec, unit, attempt_id, InvocationReply(200, stored))


def arrival_of(spec: JobSpec, unit: Unit, attempt_id: str, reply: InvocationReply) -> Arrival:
    """Read a reply."""
    function = unit.function or spec.function
    response = None
    try:
        response = read_reply(reply, client=spec.versions, function=function)
        parts = () if spec.collects or response.payload is None else response.payload.parts
        spec.requests.add(reads=len(parts))  # whoever reads them later, this job brought it about
        frames, stayed = _taken(spec, response, attempt_id, is_left=bool(parts))
    except LambdaMagicError as error:
        if isinstance(error, TargetError) and response is None:
            spec.stager.doubt()  # perhaps a blob has gone: the next job sends it again
        # It was billed all the same.
        error.request_id, error.log_tail = error.request_id or reply.request_id, error.log_tail or reply.log_tail
        if error.billed_s is None and response is not None:
            error.billed_s = response.usage.billed_ms / 1000
        raise
    report = parse_report(reply.log_tail, reply.request_id)
    return Arrival(unit, response, frames, None, report, reply.request_id, attempt_id=attempt_id, stayed=stayed)


def _not_trusted(error: IntegrityError) -> AnswerNotTrustedError:
    """Return the error of one attempt whose answer others changed; other tasks are not affected."""
    return AnswerNotTrustedError(error.message, hint=error.hint)


def _taken(
    spec: JobSpec, response: Response, attempt_id: str, *, is_left: bool
) -> tuple[list[Any], Mapping[int, RemoteValue]]:
    """Return an answer's frames, unless they are left where they are, and the values that stayed in the bucket."""
    own_key, is_freed = stayed_key(spec.job_id, attempt_id), spec.mode == "sync"
    try:
        stayed = remote_values(response.stayed, spec.stager.store, own_key, is_freed=is_freed)
        return [] if is_left else collect(spec, response, attempt_id), stayed
    except IntegrityError as error:
        raise _not_trusted(error) from error


def collect(spec: JobSpec, response: Response, attempt_id: str) -> list[Any]:
    """Return an answer's frames; see `Stager.collect`."""
    keeps = spec.mode != "sync" or not spec.collects
    return spec.stager.collect(response, job_id=spec.job_id, attempt_id=attempt_id, key=spec.key, keeps=keeps)


def _request(spec: JobSpec, unit: Unit, attempt_id: str, *, waits: bool) -> Request:
    stager = spec.stager
    live = None if waits else stager.live(spec.job_id, attempt_id, life.every_s(spec.function.timeout_s))
    return Request(
        versions=spec.versions,
        kind=spec.kind,
        job_id=spec.job_id,
        attempt_id=attempt_id,
        key=spec.key,
        program=stager.fresh(spec.program, spec.placed_at) if unit.program is None else unit.program(),
        items=_items(spec, unit),
        uploads=stager.uploads(spec.job_id, attempt_id),
        inline_limit_bytes=spec.inline_limit_bytes,
        cancel_url=stager.cancel_url(spec.job_id),
        answer_url="" if waits else stager.answer_url(spec.job_id, attempt_id),
        live=live,
        before=spec.before,
        environment=spec.environment,
        stay=stager.stay(spec.job_id, attempt_id) if spec.keeps_remote else None,
        options={
            **spec.options,
            "program_id": unit.program_id,
            "session": _SESSION,
            "tasks": [min(unit.tasks), max(unit.tasks)],
            **({"pick": unit.pick} if unit.pick else {}),
        },
    )


def _items(spec: JobSpec, unit: Unit) -> Payload | None:
    if unit.placed is not None:
        return unit.placed()
    return None if unit.items is None else spec.stager.place(unit.items(), limit_bytes=spec.event_limit_bytes)
