"""Puts the parts of an instance together, and routes each request to the part that answers it."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.local.control import (
    control_plane,
    moto_patches,
    notifications,
    object_files,
    object_rules,
    reservations,
    revisions,
    snapshots,
)
from lambdamagic.local.control.control_plane import ACCOUNT_PATH, account_settings
from lambdamagic.local.control.log_streams import LogBuffer
from lambdamagic.local.control.moto_app import LIKELY_SERVICES, MotoApp
from lambdamagic.local.environments import deletions
from lambdamagic.local.environments.async_queue import AsyncQueue
from lambdamagic.local.environments.blueprints import BlueprintMaker
from lambdamagic.local.environments.environment_pool import Pool
from lambdamagic.local.environments.function_registry import FunctionRegistry
from lambdamagic.local.environments.function_versions import FunctionCatalog
from lambdamagic.local.environments.interpreters import Interpreters
from lambdamagic.local.environments.invocations import Invocation
from lambdamagic.local.environments.invoke_api import INVOKE_PATH, InvokeApi, new_request_id
from lambdamagic.local.environments.peers import is_process
from lambdamagic.local.environments.processes import Processes
from lambdamagic.local.server import auth_errors
from lambdamagic.local.server.auth import Authenticator, Credential, Signer, check_body
from lambdamagic.local.server.checksums import check_stated
from lambdamagic.local.server.chunked import receive_chunked
from lambdamagic.local.server.connection_bounds import ConnectionBounds
from lambdamagic.local.server.error_bodies import AwsError, render
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse, Reply
from lambdamagic.local.server.observing import Observed, Observer
from lambdamagic.local.server.server_options import DEFAULT_ACCOUNT_ID, ServerOptions

if TYPE_CHECKING:
    from lambdamagic.local.rights.access_control import AccessControl

HOST = "127.0.0.1"
_MOTO_THREADS = 8
_LARGE_BODY_BYTES = 1 << 18
_MAX_INVOKE_BYTES = AWS_LAMBDA.sync_payload_bytes.most + 1  # one more: without its end it is too large anyway
_MAX_LAMBDA_BYTES = 70_167_211  # as Lambda's own refusal of a package says: one of 50 MB in Base64, and its request
_MAX_OBJECT_BYTES = 5 << 30  # "Uploading objects": by a single PUT up to 5 GB


class Server:
    """One instance. Lives in the event loop."""

    def __init__(
        self, options: ServerOptions, folder: Path, processes: Processes, port: int, *, bounds: ConnectionBounds
    ) -> None:
        self._bounds = bounds
        self._options = options
        self._port = port
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._tasks: set[asyncio.Task[None]] = set()
        self._executor = ThreadPoolExecutor(_MOTO_THREADS, thread_name_prefix="moto")
        self._observed = Observed()
        catalog = FunctionCatalog(account_id=DEFAULT_ACCOUNT_ID, region=options.region)
        self._logs = LogBuffer(account_id=DEFAULT_ACCOUNT_ID, region=options.region, has_function=catalog.has)
        self._authenticator = Authenticator(now=time.time)
        self._authenticator.add(Credential(options.access_key_id, options.secret_access_key))
        loop = asyncio.get_running_loop()
        self._moto = MotoApp(
            account_id=DEFAULT_ACCOUNT_ID,
            on_load={
                "s3": partial(_install_s3, folder / "objects", partial(_from_thread, loop, self._on_event)),
                "lambda": partial(
                    _install_lambda,
                    options.concurrency,
                    partial(_from_thread, loop, self._on_event),
                    partial(_from_thread, loop, self._on_published),
                ),
                "cloudformation": partial(_install_stacks, self._observed),
                "sts": _install_tokens,
            },
            blob_limit_bytes=options.blob_limit_bytes,
        )
        self._authenticator.look_up = self._moto.credential
        self._authenticator.is_over = lambda since: self._observed.observer.session_is_over(since)
        self._pool = Pool(
            folder=folder / "environments",
            processes=processes,
            logs=self._logs,
            observed=self._observed,
            concurrency=options.concurrency,
            idle_expiry_s=options.idle_expiry_s,
            init_timeout_s=options.init_timeout_s,
            silence=self._silence,
        )
        self._registry = FunctionRegistry(
            catalog,
            BlueprintMaker(
                folder,
                endpoint_url=f"http://{HOST}:{port}",
                interpreters=Interpreters(),
                image_command=options.image_command,
                is_strict=options.strict,
            ),
            pool=self._pool,
            authenticator=self._authenticator,
            executor=self._executor,
            load_moto=partial(self._moto.load, "lambda"),
            region=options.region,
        )
        self._queue = AsyncQueue(
            retry_delays_s=options.retry_delays_s,
            time_factor=options.time_factor,
            executor=self._executor,
            send_message=self._send_message,
        )
        self._invoke = InvokeApi(self._registry, pool=self._pool, queue=self._queue, observed=self._observed)
        self._queue.run = self._invoke.run
        self._queue.find = self._registry.find

    def start(self) -> None:
        """Begin the background work: watch environments, and import what will be asked for."""
        self._pool.start()
        for service in LIKELY_SERVICES:
            self._executor.submit(self._moto.load, service)

    async def close(self) -> None:
        """Stop everything, bounded in time."""
        await self._queue.close()
        self._pool.close()
        for task in list(self._tasks):
            task.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one request; what takes time continues in a task."""
        if request.path == "/health" and request.method == "GET":
            reply.send(HttpResponse(200, (("content-type", "application/json"),), b'{"status":"ok"}'))
            return
        service = ""
        try:
            self._check_host(request)
            if request.is_cut:
                raise _too_large(request)
            signer = self._authenticator.verify(request)
            service = signer.service
            if service == "lambda" and request.method == "POST" and INVOKE_PATH.match(request.path):
                self._check_region(signer)
                self._observed.observer.asked_to_invoke()
                work = self._invoke.answer(request, reply)
                if not self._is_owner(signer):
                    work = self._if_allowed(work, signer, request, reply=reply)
                self._spawn(self._guarded(work, reply, service))
                return
            if request.path.startswith("/_lambdamagic/"):
                self._spawn(self._guarded(self._answer_owner(signer, request, reply), reply, service))
                return
        except AwsError as error:
            reply.send(render(error, service or auth_errors.service_of(request)))
            return
        except Exception:  # noqa: BLE001 - a mistake of ours in one request must be reported, and not end the server
            traceback.print_exc()
            reply.send(render(AwsError(500, "InternalFailure", "The embedded Lambda failed."), service or "lambda"))
            return
        self._spawn(self._guarded(self._answer_from_moto(signer, request, reply), reply, service))

    async def _if_allowed(
        self, work: Coroutine[Any, Any, None], signer: Signer, request: HttpRequest, *, reply: Reply
    ) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._check, signer, request)
        except AwsError as error:
            work.close()
            reply.send(render(error, signer.service))
        else:
            await work

    @cached_property
    def _access(self) -> AccessControl:
        """What holds other keys than the owner's to their policies; loaded with the first of them."""
        from lambdamagic.local.rights.access_control import AccessControl

        return AccessControl(account_id=DEFAULT_ACCOUNT_ID, role_of=self._registry.role_of)

    def _is_owner(self, signer: Signer) -> bool:
        """Return whether a key may do everything, as an account's root may."""
        return signer.access_key_id == self._options.access_key_id

    def _check(self, signer: Signer, request: HttpRequest) -> None:
        with self._access.checked(signer.access_key_id, signer.region, signer.service, request):
            return

    def _answer_checked(self, signer: Signer, request: HttpRequest) -> HttpResponse:
        if self._is_owner(signer):
            return self._answer(signer.service, request)
        with self._access.checked(signer.access_key_id, signer.region, signer.service, request) as checked:
            return checked.answer(partial(self._answer, signer.service), request)

    def _answer(self, service: str, request: HttpRequest) -> HttpResponse:
        if service == "s3":
            object_rules.check(request, DEFAULT_ACCOUNT_ID)
        elif service == "lambda":
            if request.method == "GET" and request.path.rstrip("/") == ACCOUNT_PATH:
                return account_settings(self._options.concurrency, reserved=sum(self._pool.reserved.values()))
            with revisions.CHANGES if request.method != "GET" else nullcontext():
                control_plane.validate(request, account_id=DEFAULT_ACCOUNT_ID, region=self._options.region)
                own = deletions.answer(request, account_id=DEFAULT_ACCOUNT_ID, region=self._options.region)
                return own or self._moto.answer(service, request)
        return self._moto.answer(service, request)

    def body_limit(self, headers: dict[str, str], target: str) -> int | None:
        """Return how much of a body is kept; None for a caller who names no key of ours and sends little at most."""
        authorization = headers.get("authorization", target)
        if not self._authenticator.knows_key_in(authorization):
            return None
        if "/lambda/aws4_request" not in authorization:
            return _MAX_OBJECT_BYTES
        return _MAX_INVOKE_BYTES if INVOKE_PATH.match(target.partition("?")[0]) else _MAX_LAMBDA_BYTES

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], reply: Reply, service: str) -> None:
        """Answer 500 for a mistake of ours, which would else leave the caller waiting."""
        try:
            await work
        except Exception:  # noqa: BLE001 - a mistake in one request must be reported, and not end the server
            traceback.print_exc()
            reply.send(render(AwsError(500, "InternalFailure", "The embedded Lambda failed."), service))

    def _check_host(self, request: HttpRequest) -> None:
        """Refuse names that are not ours: a web page may point its own name at 127.0.0.1 (DNS rebinding)."""
        host = request.headers.get("host", "")
        if host in self._hosts:
            return
        bucket, _, rest = host.partition(".localhost:")
        if rest == str(self._port) and bucket:
            return
        raise AwsError(421, "InvalidHost", "This host name does not belong to the embedded Lambda.")

    def _silence(self, pid: int) -> None:
        """Let the connections of an environment be dead without a word, as those are that were frozen for long."""
        for connection in self._bounds.connections():
            if connection.transport is not None and is_process(connection.transport, pid):
                connection.fall_silent()

    def _check_region(self, signer: Signer) -> None:
        if signer.region != self._options.region:
            raise auth_errors.wrong_region(signer.service, self._options.region)

    async def _answer_owner(self, signer: Signer, request: HttpRequest, reply: Reply) -> None:
        """Scripted faults and counters: for the owner's key only, a function's key may not."""
        try:
            if not self._is_owner(signer):
                raise AwsError(403, "AccessDeniedException", "Only the owner of the instance may do that.")
            facts = {"live_environments": self._pool.live, "waiting_events": self._queue.waiting}
            observer = self._observed.observer
            if type(observer) is Observer:  # the first request of the kind: from now on it is counted
                from lambdamagic.local.testing.observer import TestObserver

                observer = self._observed.observer = TestObserver()
            reply.send(await observer.answer(request, facts))
        except AwsError as error:
            reply.send(render(error, signer.service))

    async def _answer_from_moto(self, signer: Signer, request: HttpRequest, reply: Reply) -> None:
        service = signer.service
        try:
            await self._verify_body(signer, request)
            operation = self._observed.observer.requested(service, request)
            if service == "s3":
                _virtual_host_to_path(request)
            if operation is not None and await operation.begin(reply):
                return
            loop = asyncio.get_running_loop()
            # What was logged is there before a group, or the function whose it is, is deleted.
            if service in ("logs", "cloudformation") or (service == "lambda" and request.method == "DELETE"):
                await loop.run_in_executor(self._executor, self._logs.flush)
            response = await loop.run_in_executor(self._executor, self._answer_checked, signer, request)
            if control_plane.changes_functions(service, request):
                await self._registry.refresh()
                response = control_plane.with_states(request, response)
            if operation is not None:
                await operation.end()
        except AwsError as error:
            response = render(error, service)
        reply.send(response)

    async def _verify_body(self, signer: Signer, request: HttpRequest) -> None:
        """Compare the body with what was signed, a large one in a thread, as hashing 100 MB takes 0.2 s."""
        loop = asyncio.get_running_loop()
        if signer.digest is not None:
            if len(request.body) < _LARGE_BODY_BYTES:
                check_body(request.body, signer.digest)
            else:
                await loop.run_in_executor(self._executor, check_body, request.body, signer.digest)
        elif signer.streaming is not None:
            await loop.run_in_executor(self._executor, receive_chunked, request, signer.streaming)
        if signer.service == "s3" and request.method == "PUT" and request.body:
            if len(request.body) < _LARGE_BODY_BYTES:
                check_stated(request.headers, request.body)
            else:
                await loop.run_in_executor(self._executor, check_stated, request.headers, request.body)

    def _on_event(self, function_arn: str, payload: bytes) -> None:
        self._spawn(self._queue_event(function_arn, payload))

    def _on_published(self, name: str, version: str) -> None:
        self._spawn(self._registry.take_snapshot(name, version))

    async def _queue_event(self, function_arn: str, payload: bytes) -> None:
        try:
            function = await self._registry.find(function_arn, None)
        except AwsError as error:
            sys.stderr.write(f"an event found no function: {error.text}\n")
            return
        fault = self._observed.observer.event_came(function.name)
        self._queue.put(function, Invocation(new_request_id(), payload, function.invoked_arn), fault)

    def _send_message(self, arn: str, record: dict[str, Any]) -> None:
        """Deliver an asynchronous invocation's record; SQS is the destination that there is."""
        if ":sqs:" not in arn:
            sys.stderr.write(f"destination {arn} is not an SQS queue; the record is lost\n")
            return
        self._moto.load("sqs")
        from moto.core.exceptions import ServiceException
        from moto.sqs.models import sqs_backends

        _, _, _, region, account_id, queue = arn.split(":", 5)
        try:
            sqs_backends[account_id][region].send_message(queue, json.dumps(record))
        except ServiceException as error:
            sys.stderr.write(f"the record for {arn} is lost: {error}\n")


def _too_large(request: HttpRequest) -> AwsError:
    """Refuse a body of which only the beginning was kept; its signature is not looked at any more."""
    if auth_errors.service_of(request) != "lambda":
        text = "Your proposed upload exceeds the maximum allowed size"
        return AwsError(400, "EntityTooLarge", text)
    most, operation = _MAX_LAMBDA_BYTES, "CreateFunction" if request.method == "POST" else "UpdateFunctionCode"
    if INVOKE_PATH.match(request.path):
        most, operation = AWS_LAMBDA.sync_payload_bytes.most, "InvokeFunction"
    text = f"Request must be smaller than {most} bytes for the {operation} operation"
    return AwsError(413, "RequestEntityTooLargeException", text)


def _install_s3(folder: Path, invoke: notifications.Invoke) -> None:
    object_files.install(folder)
    notifications.install_for_s3(invoke)


def _install_lambda(quota: int, invoke: notifications.Invoke, on_published: Callable[[str, str], None]) -> None:
    notifications.install_for_others(invoke)
    snapshots.install(on_published)
    revisions.install()
    reservations.install(quota)


def _install_tokens() -> None:
    """Let session tokens be as long as AWS's: they are in each presigned URL, and events must have room for them."""
    moto_patches.put("moto.sts.models:random_session_token", lambda: "IQoJb3JpZ2luX2Vj" + secrets.token_urlsafe(1000))


def _install_stacks(observed: Observed) -> None:
    from lambdamagic.local.stacks import stack_life

    stack_life.install(lambda logical_id, doing: observed.observer.stack_step(logical_id, doing))


def _from_thread(loop: asyncio.AbstractEventLoop, call: Any, *args: Any) -> None:
    loop.call_soon_threadsafe(call, *args)


def _virtual_host_to_path(request: HttpRequest) -> None:
    bucket, found, _ = request.headers.get("host", "").partition(".localhost:")
    if found:
        request.path = f"/{bucket}{request.path}"
