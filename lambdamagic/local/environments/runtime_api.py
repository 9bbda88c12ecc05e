"""The Lambda Runtime API (2018-06-01), as one execution environment sees it on its own port.

It turns HTTP into four calls on a `RuntimeSide` and does not know what an invocation means.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from lambdamagic.local.environments.peers import is_own_user
from lambdamagic.local.environments.results import MAX_RESPONSE_BYTES
from lambdamagic.local.server.http_server import HttpConnection, HttpRequest, HttpResponse, Reply

_ENDS = (["response"], ["error"])
#: One byte more than a result may have: what is longer is not kept.
_MOST_BYTES = MAX_RESPONSE_BYTES + 1
_MOST_CONNECTIONS = 32  # a runtime has one or two; whose each is takes a look at all sockets of the machine
_PREFIX = "/2018-06-01/runtime/"
_JSON = ("content-type", "application/json")
_ACCEPTED = HttpResponse(202, (_JSON,), b'{"status":"OK"}')
_RESTORED = HttpResponse(200, (_JSON,), b"{}")
_FORBIDDEN = HttpResponse(403, (_JSON,), b'{"errorMessage":"Forbidden","errorType":"AccessDenied"}')


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
    """The calls of a runtime to the environment that it runs in."""

    def on_next(self, deliver: Callable[[Task], bool]) -> None:
        """The runtime is ready; `deliver` hands it a task and returns False when it has gone."""

    def on_result(self, request_id: str, payload: bytes, *, is_error: bool) -> Refusal | None:
        """A task is done; a refusal is answered to the runtime."""

    def on_init_error(self, payload: bytes) -> Refusal | None:
        """INIT failed."""

    def on_snapshot(self, proceed: Callable[[], None]) -> Refusal | None:
        """INIT is over, and a snapshot may be taken; `proceed` answers that it was restored."""

    def on_restore_error(self, payload: bytes) -> Refusal | None:
        """A hook failed after the restore."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the Runtime API does not take what a runtime says, in its error shape."""

    status: int
    error_type: str
    text: str

    @classmethod
    def of_state(cls, state: str, wanted: str) -> Refusal:
        """Return the refusal of what does not follow from a state; its words are those of AWS's own Runtime API."""
        text = f"State transition from {state} to {wanted} failed for runtime. Error: State transition is not allowed"
        return cls(403, "InvalidStateTransition", text)

    def as_response(self) -> HttpResponse:
        """Return the answer that says so."""
        body = f'{{"errorMessage":"{self.text}","errorType":"{self.error_type}"}}'
        return HttpResponse(self.status, (_JSON,), body.encode())


class RuntimeApi:
    """Listens for one environment's runtime on a separate address.

    A web page can reach loopback ports too. It is kept out three times: the address is random in all of 127.0.0.0/8
    (Linux), a request must name that address and nothing that only browsers send, and the process at the other end
    must be the environment's.

    Args:
        side: Answers the calls.
        is_ours: Whether the process at the other end of a connection is the environment's; asked once `admit` was
            called, since a runtime may connect before the server knows its process id.
    """

    def __init__(self, side: RuntimeSide, is_ours: Callable[[asyncio.Transport], bool]) -> None:
        self._side = side
        self._is_ours = is_ours
        self._is_admitting = False
        self._early: list[tuple[HttpRequest, Reply]] = []
        self._known: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._server: asyncio.AbstractServer | None = None
        self._connections: set[HttpConnection] = set()
        self.address = ""

    async def open(self) -> None:
        """Begin to listen on a free port."""
        listener = _listener()
        host, port = listener.getsockname()
        self.address = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener)

    def admit(self) -> None:
        """Answer from now on, and what was asked before."""
        self._is_admitting = True
        early, self._early = self._early, []
        for request, reply in early:
            self._handle(request, reply)

    def close(self) -> None:
        """Stop listening and cut what is connected."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        self._connections.clear()
        self._known.clear()
        self._early.clear()

    def _connection(self) -> HttpConnection:
        return HttpConnection(
            self._handle,
            admits=lambda transport: len(self._connections) < _MOST_CONNECTIONS and is_own_user(transport),
            on_open=self._connections.add,
            on_lost=self._connections.discard,
            body_limit=lambda headers, target: _MOST_BYTES if self._is_from_program(headers) else None,
        )

    def _is_from_program(self, headers: dict[str, str]) -> bool:
        """Return whether a request names this very address, and no browser marked it."""
        is_marked = "origin" in headers or any(name.startswith("sec-fetch-") for name in headers)
        return headers.get("host") == self.address and not is_marked

    def _handle(self, request: HttpRequest, reply: Reply) -> None:
        if not self._is_from_program(request.headers):
            reply.send(_FORBIDDEN)
        elif not self._is_admitting:
            self._early.append((request, reply))
        elif not self._knows(reply.transport):
            reply.send(_FORBIDDEN)
        else:
            self._answer(request, reply)

    def _knows(self, transport: asyncio.Transport | None) -> bool:
        if transport is None or transport in self._known:
            return transport is not None
        if not self._is_ours(transport):
            return False
        self._known.add(transport)
        return True

    def _answer(self, request: HttpRequest, reply: Reply) -> None:
        path = request.path
        if not path.startswith(_PREFIX):
            reply.send(HttpResponse(404))
            return
        route = path[len(_PREFIX) :].split("/")
        if route == ["invocation", "next"] and request.method == "GET":
            self._side.on_next(lambda task: _deliver(reply, task))
        elif route[0] == "invocation" and route[2:] in _ENDS and request.method == "POST":
            _accept(reply, self._side.on_result(route[1], request.body, is_error=route[2] == "error"))
        elif route == ["init", "error"] and request.method == "POST":
            _accept(reply, self._side.on_init_error(request.body))
        elif route == ["restore", "next"] and request.method == "GET":
            refusal = self._side.on_snapshot(lambda: reply.send(_RESTORED))
            if refusal is not None:
                reply.send(refusal.as_response())
        elif route == ["restore", "error"] and request.method == "POST":
            _accept(reply, self._side.on_restore_error(request.body))
        else:
            reply.send(HttpResponse(404))


def _accept(reply: Reply, refusal: Refusal | None) -> None:
    reply.send(_ACCEPTED if refusal is None else refusal.as_response())


def _listener() -> socket.socket:
    """Return a socket at a random loopback address; macOS has but one, and asks whose process it is at any rate."""
    listener = socket.socket()
    try:
        listener.bind((str(IPv4Address((127 << 24) + 1 + secrets.randbelow((1 << 24) - 2))), 0))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    return listener


def _deliver(reply: Reply, task: Task) -> bool:
    if not reply.is_connected:
        return False
    reply.send(task.as_response())
    return True
