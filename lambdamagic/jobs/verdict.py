"""Interpret a reply: lambdamagic's answer, or the way in which the function failed."""

from __future__ import annotations

import linecache
import re
from typing import Any

from lambdamagic import errors
from lambdamagic.errors import (
    EnvironmentDiedError,
    FunctionTimedOutError,
    LambdaMagicError,
    OutOfMemoryError,
    ProtocolError,
    ResultError,
    TargetError,
    ThrottledError,
)
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response
from lambdamagic.protocol.reading import read_json
from lambdamagic.protocol.report import Report, parse_report
from lambdamagic.transports.transport import InvocationReply

_STACKS = re.compile(r"lambdamagic stacks at the deadline:\n(.*?)(?:\nlambdamagic end of stacks|\Z)", re.DOTALL)
# What faulthandler writes: `Thread 0x7f... (most recent call first):`, with `Current thread` for one that is running,
# and one line for each frame.
_FAULTHANDLER = re.compile(
    r"^(?:Current thread|Thread) (0x[0-9a-f]+).*\(most recent call first\):\n((?:  File .*\n?)*)", re.MULTILINE
)
# Written before START, by an INIT that Lambda did again as part of the invocation.
_FAILED_INIT = re.compile(r"^INIT_REPORT .*\tPhase: invoke\tStatus: (timeout|error)\b", re.MULTILINE)
_FAULTHANDLER_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


def read_reply(reply: InvocationReply, *, client: dict[str, Any], function: FunctionRef) -> Response:
    """Return the function's answer.

    Args:
        reply: What the transport brought.
        client: The client's versions, see `versions.here`.
        function: What answered.

    Raises:
        FunctionTimedOutError, OutOfMemoryError, EnvironmentDiedError: The environment's end, with the evidence.
        VersionMismatchError, ProtocolError, TargetError, ResultError: The answer cannot be used.
    """
    try:
        document = read_json(reply.payload)
    except ValueError as error:
        raise ProtocolError(f"the function's answer is not JSON: {reply.payload[:200]!r}") from error
    if reply.function_error is not None:
        raise death_of(document, reply, parse_report(reply.log_tail, reply.request_id), function)
    response = Response.from_json(document)
    if response.status == "refused":
        raise refusal_of(response)
    versions.check({**client, "serializers": {}}, response.versions)
    return response


def timed_out(response: Response, function: FunctionRef, *, request_id: str = "") -> FunctionTimedOutError:
    """Return the error of a run that our watchdog ended."""
    return FunctionTimedOutError(
        f"the code was still running at the end of the function's timeout of {function.timeout_s:g} s",
        hint=_more_time(function),
        stacks=response.detail,
        outputs=response.outputs,
        request_id=request_id,
    )


def death_of(document: Any, reply: InvocationReply, report: Report | None, function: FunctionRef) -> LambdaMagicError:
    """Determine from Lambda's error and the log how the function ended."""
    kind = str(document.get("errorType", "")) if isinstance(document, dict) else ""
    message = str(document.get("errorMessage", document)) if isinstance(document, dict) else str(document)
    details: dict[str, Any] = {"request_id": reply.request_id, "log_tail": reply.log_tail}
    peak, memory_mb = report.peak_memory_mb if report is not None else None, function.memory_mb
    in_init = _FAILED_INIT.search(reply.log_tail.partition("START RequestId: ")[0])
    if in_init and in_init[1] == "timeout":
        return TargetError(
            f"the function cannot start: its INIT takes longer than the function's timeout of {function.timeout_s:g} s",
            hint="Put less into its package or image, or give it more time with --timeout",
        )
    if kind == "Sandbox.Timedout" or "Task timed out after" in message:
        return FunctionTimedOutError(
            f"the function exceeded its timeout of {function.timeout_s:g} s",
            hint=_more_time(function),
            stacks=_stacks_of(reply.log_tail),
            **details,
        )
    killed = "signal: killed" in message or kind == "Runtime.OutOfMemory"
    # Lambda kills at the limit; the last sample before can be a little below it.
    if killed and (kind == "Runtime.OutOfMemory" or (peak is not None and peak >= 0.9 * memory_mb)):
        used = "it used all" if peak is None else f"it used {peak:,} MB"
        return OutOfMemoryError(
            f"the function ran out of memory: {used} of its {memory_mb:,} MB",
            hint=f"Raise --memory (now {memory_mb}, up to {function.limits.memory_mb.most})",
            peak_memory_mb=peak,
            memory_mb=memory_mb,
            **details,
        )
    if kind in ("Runtime.ExitError", "Runtime.ClientError") or killed:
        how = message.split("Error: ", 1)[-1]
        if in_init:
            return TargetError(
                f"the function cannot start: its process ended in INIT ({how})", hint="See its log: %lambda logs last"
            )
        used = f" It had used {peak:,} MB of {memory_mb:,} MB." if peak else ""
        return EnvironmentDiedError(
            f"the function's process ended while the code ran ({how}).{used}",
            hint="The code called os._exit, was killed by a signal, or crashed in a C extension; its log: "
            "%lambda logs last",
            **details,
        )
    if kind == "Function.ResponseSizeTooLarge":
        return ResultError(f"the function's answer is too large: {message}", hint="Configure a bucket")
    if kind.startswith("Runtime.") and ("Import" in kind or "Handler" in kind):
        return TargetError(
            f"the function cannot start lambdamagic's handler: {message}",
            hint="Update the function: `lambdamagic deploy` (or `lambdamagic update NAME`)",
        )
    return EnvironmentDiedError(f"the function failed outside of the user's code: {kind}: {message}", **details)


def _more_time(function: FunctionRef) -> str:
    """Return the hint for a timeout."""
    most = function.limits.timeout_s.most
    if function.timeout_s < most:
        return f"Give it more time with --timeout (up to {most} s), or do less in one task"
    return "Do less in one task"


def _stacks_of(log_tail: str) -> str:
    """Return the stacks that were left in the log: the watchdog's, else those of faulthandler, in the same order."""
    found = _STACKS.search(log_tail)
    if found:
        return found.group(1)
    threads = []
    for name, frames in _FAULTHANDLER.findall(log_tail):
        lines: list[str] = []
        for filename, number, function in reversed(_FAULTHANDLER_FRAME.findall(frames)):
            if any(part in filename for part in ("/lambdamagic/worker/", "/awslambdaric/")):
                lines.clear()  # the user's own frames come after ours
                continue
            source = linecache.getline(filename, int(number)).strip()
            lines.append(f'  File "{filename}", line {number}, in {function}\n' + (f"    {source}\n" if source else ""))
        if lines:
            threads.append(f"Thread {name}:\n{''.join(lines)}")
    return "\n".join(threads)


def refusal_of(response: Response) -> LambdaMagicError:
    """Return the error of an answer that says that nothing ran."""
    cls = getattr(errors, response.error_kind, ProtocolError)
    if not (isinstance(cls, type) and issubclass(cls, LambdaMagicError)) or cls is ThrottledError:
        cls = ProtocolError
    message, _, hint = response.detail.partition("\n  -> ")
    made: LambdaMagicError = cls(message, hint=hint or None)
    made.billed_s = response.usage.billed_ms / 1000
    return made
