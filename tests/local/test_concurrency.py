"""Quotas: how many invocations may run at once, and how those over the quota are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local.conftest import REPORT

# Reports that it runs, then waits until the test lets it end.
HELD = (
    REPORT
    + """
import os
def handler(event, context):
    with socket.create_connection(("127.0.0.1", event)) as channel:
        channel.sendall(json.dumps(os.getpid()).encode() + b"\\n")
        channel.recv(1)
    return os.getpid()
"""
)


class Held:
    """Invocations that are known to run until they are released."""

    def __init__(self, mailbox) -> None:
        self._listener = mailbox._listener
        self.port = mailbox.port
        self._open = []

    def wait(self, count: int) -> None:
        self._listener.settimeout(60)
        for _ in range(count):
            connection, _ = self._listener.accept()
            connection.settimeout(60)
            assert connection.makefile("rb").readline()
            self._open.append(connection)

    def release(self) -> None:
        for connection in self._open:
            connection.sendall(b"x")
            connection.close()
        self._open.clear()


@pytest.fixture
def held(mailbox):
    found = Held(mailbox)
    yield found
    found.release()


def test_the_accounts_quota_throttles(own_account, held):
    """One more than the quota is a 429 at once, and works again when one has ended."""
    account = own_account(concurrency=2)
    name = account.deploy(HELD)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(account.invoke, name, held.port) for _ in range(2)]
        held.wait(2)
        with pytest.raises(account.functions.exceptions.TooManyRequestsException) as caught:
            account.invoke(name, held.port)
        held.release()
        assert len({future.result()["Payload"] for future in running}) == 2
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Message"] == "Rate Exceeded."
    assert response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert response["retryAfterSeconds"] == "1"


def test_a_functions_reserved_concurrency_throttles_it(own_account, held):
    """The function's own quota is reported from the account's by its Reason."""
    account = own_account(concurrency=101)
    name = account.deploy(HELD)
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(account.invoke, name, held.port)
        held.wait(1)
        with pytest.raises(account.functions.exceptions.TooManyRequestsException) as caught:
            account.invoke(name, held.port)
        held.release()
        running.result()
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_reserved_concurrency_of_zero_stops_a_function(account):
    """Zero is how a function is switched off."""
    name = account.deploy(HELD)
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(account.functions.exceptions.TooManyRequestsException):
        account.invoke(name, 1)
    account.functions.delete_function(FunctionName=name)


def test_parallel_invocations_have_an_environment_each(account, held):
    """Three at once run in three processes."""
    name = account.deploy(HELD)
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(account.invoke, name, held.port) for _ in range(3)]
        held.wait(3)
        held.release()
        assert len({future.result()["Payload"] for future in running}) == 3


def test_idle_environments_make_room_for_other_functions(own_account, held):
    """Environments of one function do not use up another's share when they are idle."""
    account = own_account(concurrency=2)
    for _ in range(2):
        name = account.deploy(HELD)
        with ThreadPoolExecutor(2) as threads:
            running = [threads.submit(account.invoke, name, held.port) for _ in range(2)]
            held.wait(2)
            held.release()
            for future in running:
                future.result()
