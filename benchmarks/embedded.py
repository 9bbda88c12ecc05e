"""How many warm synchronous invokes of an echo function the embedded Lambda serves a second.

The client is no boto3: it signs one request (SigV4 lets it be sent again for some minutes) and sends the same bytes
over keep-alive connections, so that what is measured is the server, awslambdaric's processes and this small client,
all on the same cores.
"""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

from benchmarks.measure import Comparison, compare, show
from benchmarks.notebook import Notebook, notebook

_GOAL_PER_SECOND = 1000
_SECONDS = 4.0
_BODY = b'{"n": 1}'


def _signed_request(book: Notebook) -> tuple[str, int, bytes]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    connection = book.connection
    url = f"{connection.endpoint_url}/2015-03-31/functions/echo/invocations"
    request = AWSRequest("POST", url, data=_BODY, headers={"Content-Type": "application/json"})
    credentials = Credentials(connection.access_key_id, connection.secret_access_key)
    SigV4Auth(credentials, "lambda", connection.region).add_auth(request)
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(_BODY)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port, ("\r\n".join(lines) + "\r\n\r\n").encode() + _BODY


def _client(host: str, port: int, request: bytes, until: float, counts: list[int]) -> None:
    done = 0
    with socket.create_connection((host, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until:
            connection.sendall(request)
            answer = connection.recv(65536)
            while _BODY not in answer:
                more = connection.recv(65536)
                assert more, answer
                answer += more
            assert answer.startswith(b"HTTP/1.1 200"), answer
            done += 1
    counts.append(done)


def _per_second(book: Notebook, connections: int) -> float:
    host, port, request = _signed_request(book)
    counts: list[int] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_client, args=(host, port, request, began + _SECONDS, counts))
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def main() -> list[Comparison]:
    """Run and print."""
    with notebook() as book:
        book.make_echo("echo")
        rates = {}
        for connections in (1, 2, 4):
            _per_second(book, connections)  # warms as many environments
            rates[connections] = max(_per_second(book, connections) for _ in range(2))
        best = max(rates.values())

        def boto3_invoke() -> None:
            book.lambda_client.invoke(FunctionName="echo", Payload=_BODY)["Payload"].read()

        latency = compare(
            "one keep-alive request", lambda: 1000 / rates[1], "boto3 invoke", boto3_invoke, goal=None, rounds=50
        )
    goal = Comparison(
        "goal of 1,000 a second over best", "invokes/s", _GOAL_PER_SECOND, best, _GOAL_PER_SECOND / best, 1.0, "/s"
    )
    shown = ", ".join(f"{connections} connections: {rate:,.0f}/s" for connections, rate in rates.items())
    show("The embedded Lambda: warm synchronous invokes of an echo", [goal, latency], [shown])
    return [goal, latency]


if __name__ == "__main__":
    main()
