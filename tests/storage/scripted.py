"""A server on a real socket that plays a script: one step for each request that it meets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Step:
    """What happens to one request.

    Attributes:
        status: Of the answer.
        body: Of the answer.
        headers: Of the answer, next to Content-Length.
        cut_head: Close the connection after so many bytes of the answer's head.
        drop_after: Close the connection after so many bytes of the answer's body; -1 before any answer.
        close: Close the connection after the answer, without having said so.
        is_chunked: Whether the body comes in chunks, without a length.
        ignore_body: Answer without having read the request's body, and close.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_head: int | None = None
    drop_after: int | None = None
    close: bool = False
    ignore_body: bool = False
    is_chunked: bool = False


def error(status: int, code: str, message: str = "as scripted") -> Step:
    """Return a step that answers with an error in S3's form."""
    return Step(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


DROP = Step(drop_after=-1)


class ScriptedServer:
    """Plays steps; when they are used up, every request is answered with an empty 200."""

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        self.steps = deque(steps)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """Close all connections, as a server does with idle ones."""
        with self._lock:
            for each in self._open:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the client was faster

    def wait_until_hung_up(self) -> None:
        """Return when every connection so far is closed on this side."""
        for thread in [*self._threads]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(client)
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        client = raw
        try:
            if self._tls is not None:
                client = self._tls.wrap_socket(raw, server_side=True)
            with client.makefile("rb") as reader:
                while self._answer(client, reader):
                    pass
        except OSError:
            pass  # the client went away, which scripts are about
        finally:
            with self._lock:
                self._open.discard(raw)
            client.close()
            raw.close()

    def _answer(self, client: socket.socket, reader) -> bool:
        line = reader.readline().decode("latin-1").split()
        if not line:
            return False
        headers = {}
        while (header := reader.readline().strip()) != b"":
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        with self._lock:
            step = self.steps.popleft() if self.steps else Step()
        body = b"" if step.ignore_body else reader.read(int(headers.get("content-length", 0)))
        with self._lock:
            self.requests.append(Request(line[0], line[1], headers, body))
        if step.drop_after == -1:
            return False
        framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(step.body), step.body) if step.is_chunked else step.body
        sized = {"Transfer-Encoding": "chunked"} if step.is_chunked else {"Content-Length": str(len(step.body))}
        fields = {**step.headers, **sized} if step.is_chunked else {**sized, **step.headers}
        head = f"HTTP/1.1 {step.status} Scripted\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        if step.cut_head is not None:
            client.sendall(head.encode("latin-1")[: step.cut_head])
            return False
        content = b"" if line[0] == "HEAD" else framed[: step.drop_after]
        client.sendall(head.encode("latin-1") + content)
        return step.drop_after is None and not step.close and not step.ignore_body
