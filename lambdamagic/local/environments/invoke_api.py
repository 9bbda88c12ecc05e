"""The Invoke API: `POST /2015-03-31/functions/NAME/invocations`."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import uuid
from urllib.parse import unquote

from lambdamagic.errors import LocalServerError
from lambdamagic.local.environments.async_queue import AsyncQueue
from lambdamagic.local.environments.environment_pool import Completed, Pool
from lambdamagic.local.environments.function_registry import FunctionRegistry
from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.invocations import Invocation
from lambdamagic.local.environments.restore import not_ready
from lambdamagic.local.environments.results import MAX_EVENT_BYTES, MAX_REQUEST_BYTES
from lambdamagic.local.server.error_bodies import AwsError, broken_constraint, render
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse, Reply
from lambdamagic.local.server.observing import Observed

INVOKE_PATH = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations/?$")
_INVOCATION_TYPES = ("Event", "RequestResponse", "DryRun")
_LOG_TYPES = ("None", "Tail")
_MAX_CLIENT_CONTEXT_BYTES = 3583  # "ClientContext: up to 3,583 bytes of base64-encoded data", Invoke API reference


class InvokeApi:
    """Answers Invoke. Lives in the event loop."""

    def __init__(self, registry: FunctionRegistry, *, pool: Pool, queue: AsyncQueue, observed: Observed) -> None:
        self._registry = registry
        self._pool = pool
        self._queue = queue
        self._observed = observed

    async def answer(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one verified Invoke request."""
        try:
            response = await self._respond(request, reply)
        except AwsError as error:
            self._observed.observer.ended("throttled" if error.status == 429 else "refused")
            response = render(error, "lambda")
        except (LocalServerError, OSError) as error:
            self._observed.observer.ended("refused")
            response = render(AwsError(500, "ServiceException", str(error)), "lambda")
        if response is not None:
            reply.send(response)

    async def _respond(self, request: HttpRequest, reply: Reply) -> HttpResponse | None:
        match = INVOKE_PATH.match(request.path)
        assert match is not None
        reference = unquote(match[1]) if "%" in match[1] else match[1]
        invocation_type = request.headers.get("x-amz-invocation-type", "RequestResponse")
        log_type = request.headers.get("x-amz-log-type", "None")
        payload = request.body or b"{}"
        function = self._registry.known(reference, _qualifier(request.query))
        if function is None:
            function = await self._registry.find(reference, _qualifier(request.query))
        _validate(invocation_type, log_type, payload)
        # "Lambda passes the ClientContext object to your function for synchronous invocations only", Invoke.
        client_context = _client_context(request.headers.get("x-amz-client-context"))
        if function.state != "Active":
            function = await self._registry.find_again(reference, _qualifier(request.query))
        if function.state != "Active":
            raise not_ready(function.state, function.invoked_arn)
        fault = self._observed.observer.invoking(function.name)
        if fault is not None and fault.raises is not None:
            raise fault.raises
        if fault is not None and fault.kind == "drop_before":
            reply.drop()
            return None
        if fault is not None and fault.loss is not None:
            reply.lose(fault.loss)
        request_id = new_request_id()
        headers = request.headers
        if invocation_type == "DryRun":
            return HttpResponse(204, (("x-amzn-RequestId", request_id), ("X-Amz-Executed-Version", function.version)))
        invocation = Invocation(
            request_id=request_id,
            payload=payload,
            invoked_arn=function.invoked_arn,
            client_context=client_context if invocation_type == "RequestResponse" else None,
            trace_id=headers.get("x-amzn-trace-id") or _new_trace_id(),
        )
        if invocation_type == "Event":
            self._queue.put(function, invocation, fault)
            if fault is not None and fault.kind == "drop_after":
                reply.drop()
                return None
            return HttpResponse(202, (("x-amzn-RequestId", request_id), ("X-Amz-Executed-Version", function.version)))
        kill_after_s = fault.delay_s if fault is not None and fault.kind == "kill" else None
        completed = await self.run(function, invocation, kill_after_s=kill_after_s)
        if fault is not None and fault.kind == "duplicate":
            completed = await self.run(function, invocation)
        if fault is not None and fault.kind == "drop_after":
            reply.drop()
            return None
        return _response(completed, function, request_id, wants_tail=log_type == "Tail")

    async def run(
        self, function: FunctionVersion, invocation: Invocation, *, kill_after_s: float | None = None
    ) -> Completed:
        """Run one invocation now, or refuse it.

        Raises:
            AwsError: It is throttled, or its runtime is not available.
            LocalServerError: No environment could be made.
        """
        self._pool.admit(function)
        try:
            blueprint = await self._registry.blueprint(function)
            completed = await self._pool.run(function, blueprint, invocation, kill_after_s=kill_after_s)
        finally:
            self._pool.leave(function)
        self._observed.observer.ended("function_error" if completed.result.is_error else "ok")
        return completed


def _response(completed: Completed, function: FunctionVersion, request_id: str, *, wants_tail: bool) -> HttpResponse:
    headers = [
        ("content-type", "application/json"),
        ("x-amzn-RequestId", request_id),
        ("X-Amz-Executed-Version", function.version),
    ]
    if completed.result.is_error:
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    if wants_tail:
        headers.append(("X-Amz-Log-Result", completed.log.tail()))
    return HttpResponse(200, headers, completed.result.payload)


def _qualifier(query: str) -> str | None:
    if not query:
        return None
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == "Qualifier":
            return unquote(value)
    return None


def _validate(invocation_type: str, log_type: str, payload: bytes) -> None:
    _check_choice("invocationType", invocation_type, _INVOCATION_TYPES)
    _check_choice("logType", log_type, _LOG_TYPES)
    if invocation_type == "Event" and len(payload) > MAX_EVENT_BYTES:
        text = f"{len(payload)} byte payload is too large for the Event invocation type (limit {MAX_EVENT_BYTES} bytes)"
        raise AwsError(413, "RequestEntityTooLargeException", text)
    if len(payload) > MAX_REQUEST_BYTES:
        text = f"Request must be smaller than {MAX_REQUEST_BYTES} bytes for the InvokeFunction operation"
        raise AwsError(413, "RequestEntityTooLargeException", text)
    try:
        # Python reads more than JSON: numbers that are none, and other encodings. Digits are the function's matter.
        json.loads(payload.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_int=str)
    except (ValueError, RecursionError) as error:
        text = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise AwsError(400, "InvalidRequestContentException", text) from None


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise broken_constraint(value, name, f"Member must satisfy enum value set: [{', '.join(choices)}]")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Non-standard token '{name}'")


def _client_context(encoded: str | None) -> str | None:
    if not encoded:
        return None
    try:
        if len(encoded) > _MAX_CLIENT_CONTEXT_BYTES:
            raise ValueError(f"longer than {_MAX_CLIENT_CONTEXT_BYTES} bytes")
        values = json.loads(base64.b64decode(encoded, validate=True).decode(), parse_constant=_refuse_constant)
        if not isinstance(values, dict):
            raise ValueError("no object")
        # One line of ASCII, since it is sent to the runtime as a header.
        return json.dumps(values)
    except (ValueError, RecursionError, binascii.Error) as error:
        text = f"Client context must be a valid Base64-encoded JSON object: {error}"
        raise AwsError(400, "InvalidRequestContentException", text) from None


def new_request_id() -> str:
    """Return an id in Lambda's form, unguessable: it is also what a runtime names its result by."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _new_trace_id() -> str:
    random = secrets.token_hex(16)
    return f"Root=1-{random[:8]}-{random[8:]};Sampled=0"
