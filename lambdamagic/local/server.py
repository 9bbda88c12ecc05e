"""The server process: puts the parts together, routes requests, and ends cleanly whoever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local import auth_errors, control_plane, notifications
from lambdamagic.local.async_queue import AsyncQueue
from lambdamagic.local.auth import Authenticator, Credential, Signer, decode_chunked
from lambdamagic.local.aws_errors import AwsError, render
from lambdamagic.local.blueprints import BlueprintMaker
from lambdamagic.local.environment import Invocation
from lambdamagic.local.faults import FAULTS_PATH, STATS_PATH, FaultPlan
from lambdamagic.local.folders import make_folder
from lambdamagic.local.functions import FunctionCatalog
from lambdamagic.local.http_server import HttpConnection, Reply, Request, Response
from lambdamagic.local.interpreters import Interpreters
from lambdamagic.local.invoke import INVOKE_PATH, InvokeApi, new_request_id
from lambdamagic.local.logs import LogBuffer
from lambdamagic.local.moto_app import LIKELY_SERVICES, MotoApp
from lambdamagic.local.options import DEFAULT_ACCOUNT_ID, ServerOptions
from lambdamagic.local.owner import OwnerWatch
from lambdamagic.local.pool import Pool
from lambdamagic.local.processes import Processes
from lambdamagic.local.registry import FunctionRegistry
from lambdamagic.local.stats import Stats, operation_of

HOST = "127.0.0.1"
_MOTO_THREADS = 8
_CLOSE_TIMEOUT_S = 5.0


class Server:
    """One instance. Lives in the event loop."""

    def __init__(self, options: ServerOptions, folder: Path, processes: Processes, port: int) -> None:
        self._options = options
        self._port = port
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._tasks: set[asyncio.Task[None]] = set()
        self._executor = ThreadPoolExecutor(_MOTO_THREADS, thread_name_prefix="moto")
        self._stats = Stats()
        self._faults = FaultPlan()
        self._logs = LogBuffer(account_id=DEFAULT_ACCOUNT_ID, region=options.region)
        self._authenticator = Authenticator(now=time.time)
        self._authenticator.add(Credential(options.access_key_id, options.secret_access_key))
        loop = asyncio.get_running_loop()
        self._moto = MotoApp(
            account_id=DEFAULT_ACCOUNT_ID,
            on_load={"s3": partial(notifications.install, partial(_from_thread, loop, self._on_s3_event))},
        )
        self._authenticator.look_up = self._moto.credential
        self._pool = Pool(
            folder=folder / "environments",
            processes=processes,
            logs=self._logs,
            stats=self._stats,
            concurrency=options.concurrency,
            idle_expiry_s=options.idle_expiry_s,
            init_timeout_s=options.init_timeout_s,
        )
        self._registry = FunctionRegistry(
            FunctionCatalog(account_id=DEFAULT_ACCOUNT_ID, region=options.region),
            BlueprintMaker(folder, endpoint_url=f"http://{HOST}:{port}", interpreters=Interpreters()),
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
        self._invoke = InvokeApi(
            self._registry, pool=self._pool, queue=self._queue, stats=self._stats, faults=self._faults
        )
        self._queue.run = self._invoke.run
        self._queue.find = self._registry.find

    def start(self) -> None:
        """Begin the background work: watch environments, and import what will be asked for."""
        self._pool.start()
        for service in LIKELY_SERVICES:
            self._executor.submit(self._moto.load, service)

    async def close(self) -> None:
        """End what runs, bounded in time."""
        await self._queue.close()
        self._pool.close()
        for task in list(self._tasks):
            task.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request; what takes time goes on in a task."""
        if request.path == "/health" and request.method == "GET":
            reply.send(Response(200, (("content-type", "application/json"),), b'{"status":"ok"}'))
            return
        service = ""
        try:
            self._check_host(request)
            signer = self._authenticator.verify(request)
            service = signer.service
            if service == "lambda" and request.method == "POST" and INVOKE_PATH.match(request.path):
                self._check_region(signer)
                self._stats.count("lambda", "Invoke")
                self._spawn(self._invoke.answer(request, reply))
                return
            if request.path.startswith("/_lambdamagic/"):
                reply.send(self._admin(request, signer))
                return
            if signer.streaming is not None:
                request.body = decode_chunked(request.body, signer.streaming)
                _forget_chunking(request)
        except AwsError as error:
            reply.send(render(error, service or auth_errors.service_of(request)))
            return
        except Exception:  # noqa: BLE001 - a mistake of ours in one request must be told, and not end the server
            traceback.print_exc()
            reply.send(render(AwsError(500, "InternalFailure", "The embedded Lambda failed."), service or "lambda"))
            return
        self._spawn(self._answer_from_moto(service, request, reply))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check_host(self, request: Request) -> None:
        """Refuse names that are not ours: a web page may point its own name at 127.0.0.1 (DNS rebinding)."""
        host = request.headers.get("host", "")
        if host in self._hosts:
            return
        bucket, _, rest = host.partition(".localhost:")
        if rest == str(self._port) and bucket:
            return
        raise AwsError(421, "InvalidHost", "This host name does not belong to the embedded Lambda.")

    def _check_region(self, signer: Signer) -> None:
        if signer.region != self._options.region:
            raise auth_errors.wrong_region(signer.service, self._options.region)

    def _admin(self, request: Request, signer: Signer) -> Response:
        """Scripted faults and counters: for the owner's key only, a function's key may not."""
        if signer.access_key_id != self._options.access_key_id:
            raise AwsError(403, "AccessDeniedException", "Only the owner of the instance may do that.")
        answer: Any
        if request.path == FAULTS_PATH:
            if request.method == "PUT":
                self._faults.replace(json.loads(request.body))
            answer = self._faults.as_list()
        elif request.path == STATS_PATH:
            answer = {**self._stats.as_dict(live_environments=self._pool.live), "waiting_events": self._queue.waiting}
            if request.method == "POST":
                self._stats.reset()
        else:
            raise AwsError(404, "UnknownOperationException", f"There is no {request.path}.")
        return Response(200, (("content-type", "application/json"),), json.dumps(answer).encode())

    async def _answer_from_moto(self, service: str, request: Request, reply: Reply) -> None:
        try:
            operation = operation_of(service, request)
            self._stats.count(service, operation)
            if service == "s3":
                _virtual_host_to_path(request)
                if self._faults.is_active and await self._s3_fault(operation, reply):
                    return
            elif service == "lambda":
                control_plane.validate(request)
            loop = asyncio.get_running_loop()
            if service == "logs":
                await loop.run_in_executor(self._executor, self._logs.flush)
            response = await loop.run_in_executor(self._executor, self._moto.answer, service, request)
            if control_plane.changes_functions(service, request):
                await self._registry.refresh()
                response = control_plane.with_states(request, response)
        except AwsError as error:
            response = render(error, service)
        reply.send(response)

    async def _s3_fault(self, operation: str, reply: Reply) -> bool:
        """Act out a scripted fault; return whether the request is done with."""
        fault = self._faults.draw_s3(operation)
        if fault is None:
            return False
        if fault.raises is not None:
            raise fault.raises
        if fault.kind == "s3_drop":
            reply.drop()
            return True
        await asyncio.sleep(fault.delay_s)
        return False

    def _on_s3_event(self, function_arn: str, payload: bytes) -> None:
        self._spawn(self._queue_event(function_arn, payload))

    async def _queue_event(self, function_arn: str, payload: bytes) -> None:
        try:
            function = await self._registry.find(function_arn, None)
        except AwsError as error:
            sys.stderr.write(f"an S3 event found no function: {error.text}\n")
            return
        self._queue.put(function, Invocation(new_request_id(), payload, function.invoked_arn))

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


def _from_thread(loop: asyncio.AbstractEventLoop, call: Any, *args: Any) -> None:
    loop.call_soon_threadsafe(call, *args)


def _virtual_host_to_path(request: Request) -> None:
    bucket, found, _ = request.headers.get("host", "").partition(".localhost:")
    if found:
        request.path = f"/{bucket}{request.path}"


def _forget_chunking(request: Request) -> None:
    headers = request.headers
    encodings = [e.strip() for e in headers.pop("content-encoding", "").split(",")]
    kept = ",".join(e for e in encodings if e and e != "aws-chunked")
    if kept:
        headers["content-encoding"] = kept
    headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    for name in ("x-amz-trailer", "x-amz-decoded-content-length", "transfer-encoding"):
        headers.pop(name, None)


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1.

    Raises:
        LocalServerError: The port is taken or may not be used.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise LocalServerError(
            f"port {port} on {HOST} cannot be used: {getattr(error, 'strerror', None) or error}",
            hint="Choose another port, or 0 for any free one.",
        ) from error
    return listener


async def serve(options: ServerOptions, *, owner_fd: int | None, announce: Any) -> None:
    """Run an instance until its owner is gone, a signal comes, or its keeper dies.

    Args:
        options: How it behaves.
        owner_fd: A pipe whose end says that the owner is gone.
        announce: Called with the facts of the instance as soon as it listens.

    Raises:
        LocalServerError: It cannot start.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    listener = listen(options.port)
    try:
        folder = make_folder(options.folder)
    except LocalServerError:
        listener.close()
        raise
    # moto spools large objects to the temporary folder; this one goes when the instance goes.
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    processes = await Processes.start(folder, on_lost=ended.set)
    port: int = listener.getsockname()[1]
    server = Server(options, folder, processes, port)
    http_server = await loop.create_server(lambda: HttpConnection(server.handle), sock=listener)
    watch = OwnerWatch(ended.set)
    try:
        if owner_fd is not None:
            watch.watch_pipe(owner_fd)
        if options.owner_pid is not None:
            watch.watch_pid(options.owner_pid)
        announce(
            {
                "endpoint_url": f"http://{HOST}:{port}",
                "folder": str(folder),
                "pid": os.getpid(),
                "account_id": DEFAULT_ACCOUNT_ID,
            }
        )
        server.start()
        await ended.wait()
    finally:
        watch.close()
        http_server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await server.close()
        await processes.close(_CLOSE_TIMEOUT_S)


def clean_environment() -> None:
    """Remove what would steer botocore or moto from outside: the user's AWS settings are not for this process."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MOTO_", "S3_")):
            del os.environ[name]
    # moto reads some of its settings when it is imported.
    os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "embedded"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"


def run(options: ServerOptions, *, owner_fd: int | None, announce: Any) -> None:
    """Run an instance in this process, to its end.

    Raises:
        LocalServerError: It cannot start.
    """
    clean_environment()
    work = serve(options, owner_fd=owner_fd, announce=announce)
    if sys.platform == "win32":
        raise LocalServerError("the embedded Lambda needs Linux or macOS")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
    # moto's threads may be in the middle of a request that nobody waits for any more.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
