"""The account's own limit, asked for once where it matters."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import Settings
from lambdamagic.targets.aws_target import AwsTarget


@pytest.fixture
def target_at() -> Iterator[Callable[[int, object], tuple[AwsTarget, list[str]]]]:
    """Makes a target whose account answers with a status and a document, and the list of what is asked."""
    servers: list[ThreadingHTTPServer] = []

    def make(status: int, document: object) -> tuple[AwsTarget, list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        access = AwsAccess(
            region="eu-central-1",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            access_key_id="AKIA",
            secret_access_key="secret",
        )
        return AwsTarget(Settings(target="aws", function="f"), access), asked

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_account_bounds_the_requested_concurrency(target_at):
    """Asked for once, and not for small jobs."""
    target, asked = target_at(200, {"AccountLimit": {"ConcurrentExecutions": 400}})
    assert target.concurrency(64, is_explicit=False) == 64
    assert asked == []
    assert [target.concurrency(wanted, is_explicit=True) for wanted in (1000, 300, 5000)] == [400, 300, 400]
    assert len(asked) == 1
    assert asked[0].rstrip("/").endswith("account-settings")
    target.close()


@pytest.mark.parametrize("status", [403, 500])
def test_an_account_that_does_not_say_is_no_obstacle(target_at, status):
    """Denied or broken: throttling will teach."""
    target, asked = target_at(status, {"message": "no"})
    assert target.concurrency(1000, is_explicit=True) == 1000
    assert target.concurrency(1000, is_explicit=True) == 1000
    assert len(asked) == 1
    target.close()
