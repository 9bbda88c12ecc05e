"""The Lambda Runtime API (2018-06-01), as one execution environment sees it on its own port.

It turns HTTP into four calls on a `RuntimeSide` and knows nothing of what an invocation means.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lambdamagic.local.server.http_server import HttpConnection, HttpRequest, HttpResponse, Reply

_PREFIX = "/2018-06-01/runtime/"
_JSON = ("content-type", "application/json")
_ACCEPTED = HttpResponse(202, (_JSON,), b'{"status":"OK"}')


@dataclass(frozen=True, slots=True)
class Task:
    """What `next` hands over."""

    request_id: str
    invoked_arn: str
    deadline_ms: int
    trace_id: str
    client_context: str | None
    payload: bytes

    def as_response(self) -> HttpResponse:
        """Return the answer to `next`.

        awslambdaric 4.2.2's native client crashes when Content-Type or the trace id is missing.
        """
        headers = [
            _JSON,
            ("Lambda-Runtime-Aws-Request-Id", self.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(self.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self.invoked_arn),
            ("Lambda-Runtime-Trace-Id", self.trace_id),
        ]
        if self.client_context is not None:
            headers.append(("Lambda-Runtime-Client-Context", self.client_context))
        return HttpResponse(200, headers, self.payload)


class RuntimeSide(Protocol):
    """What a runtime tells the environment that it runs in."""

    def on_next(self, deliver: Callable[[Task], bool]) -> None:
        """The runtime is ready; `deliver` hands it a task and returns False when it has gone."""

    def on_result(self, request_id: str, payload: bytes, *, is_error: bool) -> Refusal | None:
        """A task is done; a refusal is answered to the runtime."""

    def on_init_error(self, payload: bytes) -> None:
        """INIT failed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a result is not taken, in the Runtime API's error shape."""

    status: int
    error_type: str
    text: str

    def as_response(self) -> HttpResponse:
        """Return the answer that says so."""
        body = f'{{"errorMessage":"{self.text}","errorType":"{self.error_type}"}}'
        return HttpResponse(self.status, (_JSON,), body.encode())


class RuntimeApi:
    """Listens for one environment's runtime on a port of its own."""

    def __init__(self, side: RuntimeSide, admits: Callable[[asyncio.Transport], bool]) -> None:
        self._side = side
        self._admits = admits
        self._server: asyncio.AbstractServer | None = None
        self._connections: list[HttpConnection] = []
        self.address = ""

    async def open(self) -> None:
        """Begin to listen on a free port of 127.0.0.1."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener)

    def close(self) -> None:
        """Stop listening and cut what is connected."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.abort()
        self._connections.clear()

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._handle, admits=self._admits, on_open=self._connections.append)

    def _handle(self, request: HttpRequest, reply: Reply) -> None:
        path = request.path
        if not path.startswith(_PREFIX):
            reply.send(HttpResponse(404))
            return
        route = path[len(_PREFIX) :].split("/")
        if route == ["invocation", "next"] and request.method == "GET":
            self._side.on_next(lambda task: _deliver(reply, task))
        elif len(route) == 3 and route[0] == "invocation" and request.method == "POST":
            refusal = self._side.on_result(route[1], request.body, is_error=route[2] == "error")
            reply.send(_ACCEPTED if refusal is None else refusal.as_response())
        elif route == ["init", "error"] and request.method == "POST":
            reply.send(_ACCEPTED)
            self._side.on_init_error(request.body)
        else:
            reply.send(HttpResponse(404))


def _deliver(reply: Reply, task: Task) -> bool:
    if not reply.is_connected:
        return False
    reply.send(task.as_response())
    return True
