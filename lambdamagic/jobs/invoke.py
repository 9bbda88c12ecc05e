"""One invocation: the request built, sent, and its reply read. Blocking; runs in a thread."""

from __future__ import annotations

import json

from lambdamagic.jobs.job import Arrival, JobSpec, Unit
from lambdamagic.jobs.verdict import read_reply
from lambdamagic.protocol.envelope import Request
from lambdamagic.protocol.report import Report, parse_report
from lambdamagic.transports.base import Invocation


def invoke(spec: JobSpec, unit: Unit, attempt_id: str) -> tuple[Arrival, str]:
    """Make one invocation and return what came of it, with the end of its log.

    Raises:
        LambdaMagicError: It was not delivered, or did not end well; see `Transport.invoke` and `verdict.read_reply`.
    """
    stager = spec.stager
    request = Request(
        versions=spec.versions,
        kind=spec.kind,
        job_id=spec.job_id,
        attempt_id=attempt_id,
        key=spec.key,
        program=spec.program if unit.program is None else unit.program(),
        items=None if unit.items is None else stager.place(unit.items(), limit_bytes=spec.inline_limit_bytes),
        uploads=stager.uploads(spec.job_id, attempt_id),
        inline_limit_bytes=spec.inline_limit_bytes,
        cancel_url=stager.cancel_url(spec.job_id),
        options={**spec.options, "program_id": unit.program_id},
    )
    function = spec.function
    reply = spec.transport.invoke(
        Invocation(
            function=function.name,
            payload=json.dumps(request.to_json()).encode(),
            want_log_tail=True,
            timeout_s=function.timeout_s,
        )
    )
    response = read_reply(reply, client=spec.versions, memory_mb=function.memory_mb, timeout_s=function.timeout_s)
    frames = stager.collect(response, job_id=spec.job_id, attempt_id=attempt_id, key=spec.key)
    report: Report | None = parse_report(reply.log_tail, reply.request_id)
    return Arrival(unit, response, frames, None, report, reply.request_id), reply.log_tail
