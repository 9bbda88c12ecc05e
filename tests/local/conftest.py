"""Fixtures of the embedded Lambda's tests: real servers, real boto3, real function packages."""

from __future__ import annotations

import io
import itertools
import json
import os
import select
import socket
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdamagic.local.local_server import LocalConnection, LocalServer
from lambdamagic.pythons import python_here

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_names = itertools.count(1)


def package(files: dict[str, str]) -> bytes:
    """Return a zip file of the given texts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, textwrap.dedent(text))
    return content.getvalue()


class Account:
    """boto3 clients of one instance, and what a test most often does with them."""

    def __init__(self, connection: LocalConnection) -> None:
        self.connection = connection
        self._clients: dict[str, Any] = {}

    def client(self, service: str, **config: Any) -> Any:
        """Return a client that never retries, so that every answer is seen as it is."""
        if config or service not in self._clients:
            c = self.connection
            client = boto3.client(
                service,
                endpoint_url=c.endpoint_url,
                aws_access_key_id=c.access_key_id,
                aws_secret_access_key=c.secret_access_key,
                region_name=c.region,
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50, **config),
            )
            if config:
                return client
            self._clients[service] = client
        return self._clients[service]

    @property
    def functions(self) -> Any:
        return self.client("lambda")

    def role_arn(self) -> str:
        """Return a role that may do everything, made at the first call."""
        iam = self.client("iam")
        try:
            return iam.get_role(RoleName="runner")["Role"]["Arn"]
        except iam.exceptions.NoSuchEntityException:
            made = iam.create_role(RoleName="runner", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            iam.put_role_policy(RoleName="runner", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
            return made

    def deploy(self, code: str, *, files: dict[str, str] | None = None, **options: Any) -> str:
        """Create a function from the text of its module `app` and return its name."""
        name = f"f{next(_names)}"
        values = {
            "Runtime": f"python{python_here()}",
            "Handler": "app.handler",
            "MemorySize": 256,
            "Timeout": 20,
            **options,
        }
        content = package({"app.py": code, **(files or {})})
        self.functions.create_function(FunctionName=name, Role=self.role_arn(), Code={"ZipFile": content}, **values)
        return name

    def invoke(self, name: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Invoke and return the response with its payload parsed."""
        response = self.functions.invoke(FunctionName=name, Payload=json.dumps(event), **options)
        body = response["Payload"].read()
        response["Payload"] = json.loads(body) if body else None
        return response

    def bucket(self) -> str:
        """Create a bucket and return its name."""
        name = f"bucket-{next(_names)}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[LocalServer]:
    """One server for all tests that leave it as it was; asynchronous waits are a thousandth of AWS's.

    What it prepares for other Pythons (some 15 s each) is kept in pytest's own cache from run to run.
    """
    with pytest.MonkeyPatch.context() as patch:
        if getattr(pytestconfig, "cache", None) is not None:  # `-p no:cacheprovider` takes it away
            patch.setenv("XDG_CACHE_HOME", str(pytestconfig.cache.mkdir("lambdamagic")))
        running = LocalServer.start(concurrency=12, time_factor=0.001)
    with running:
        yield running


@pytest.fixture(scope="session")
def account(server: LocalServer) -> Iterator[Account]:
    found = Account(server.connection)
    yield found
    found.close()


@pytest.fixture
def own_account() -> Iterator[Callable[..., Account]]:
    """Start servers of the test's own."""
    started: list[tuple[LocalServer, Account]] = []

    def start(**options: Any) -> Account:
        running = LocalServer.start(**options)
        found = Account(running.connection)
        started.append((running, found))
        return found

    yield start
    for running, found in started:
        found.close()
        running.stop()


ECHO = """
def handler(event, context):
    return event
"""


class Processes:
    """Processes that are to end: pidfds say so at once, also of uncollected zombies."""

    def __init__(self, pids: list[int]) -> None:
        self._descriptors = {os.pidfd_open(pid): pid for pid in pids}

    def wait(self, timeout_s: float = 30.0) -> list[int]:
        """Return those that are still there when the time is up."""
        deadline = time.monotonic() + timeout_s
        while self._descriptors:
            left_s = max(0.0, deadline - time.monotonic())
            ended = select.select(list(self._descriptors), [], [], left_s)[0]
            if not ended:
                break
            for descriptor in ended:
                del self._descriptors[descriptor]
                os.close(descriptor)
        remaining = list(self._descriptors.values())
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        return remaining


class Mailbox:
    """A socket to which functions report, so that a test waits for what happened and not for time to pass."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def receive(self, timeout_s: float = 60.0) -> Any:
        self._listener.settimeout(timeout_s)
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as stream:
            return json.loads(stream.read())

    def is_silent(self, for_s: float) -> bool:
        self._listener.settimeout(for_s)
        try:
            self._listener.accept()[0].close()
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._listener.close()


REPORT = """
import json, socket
def report(port, value):
    with socket.create_connection(("127.0.0.1", port)) as channel:
        channel.sendall(json.dumps(value).encode())
"""


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox()
    yield found
    found.close()
