"""The log of a function, followed."""

from __future__ import annotations

import time

import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.deploy.function_logs import FunctionLogs
from lambdamagic.pythons import python_here
from tests.deploy.accounts import Account
from tests.local.conftest import package

GROUP, STREAM = "/aws/lambda/followed", "environment"


class _Ended(Exception):
    """The viewer has gone."""


class _Clock(ManualClock):
    """Logs something whenever it is slept by; then the viewer has gone."""

    def __init__(self, account: Account, *batches: list[tuple[int, str]]) -> None:
        super().__init__(time.time())
        self._account, self._batches = account, iter(batches)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        batch = next(self._batches, None)
        if batch is None:
            raise _Ended
        log(self._account, batch)


def log(account: Account, batch: list[tuple[int, str]]) -> None:
    if batch:
        events = [{"timestamp": at_ms, "message": text} for at_ms, text in sorted(batch)]
        account.ask("logs", "put_log_events", logGroupName=GROUP, logStreamName=STREAM, logEvents=events)


def test_each_log_line_is_yielded_once_even_if_late(account: Account) -> None:
    """What another environment hands over later than the newest is found; a reported line is not reported again."""
    now = int(time.time() * 1000)
    account.ask("logs", "create_log_group", logGroupName=GROUP)
    account.ask("logs", "create_log_stream", logGroupName=GROUP, logStreamName=STREAM)
    log(account, [(now - 400_000, "too old"), (now - 200_000, "first"), (now - 199_000, "second")])
    clock = _Clock(
        account,
        [(now - 60_000, "third"), (now - 240_000, "late")],
        [],
        [(now, "fourth"), (now - 119_999, "just in time"), (now - 121_000, "too late")],
        [],
    )
    shown = []
    with pytest.raises(_Ended):
        for line in FunctionLogs(account.access, GROUP, clock=clock).follow(since_s=300):
            shown.append(line.text)
    assert shown == ["first", "second", "late", "third", "just in time", "fourth"]


def test_a_function_that_cannot_start_is_explained(account: Account) -> None:
    """The latest two environments died before they knew their job; one that ran to its end is no such."""
    role = account.ask("iam", "create_role", RoleName="starts", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": package({"app.py": "def handler(event, context):\n    return 1\n"})}
    for name, handler in (("starts", "app.handler"), ("starts-not", "nothing.handler")):
        runtime = f"python{python_here()}"
        account.ask(
            "lambda", "create_function", FunctionName=name, Role=role, Runtime=runtime, Handler=handler, Code=code
        )
        for _ in range(2):
            account.ask("lambda", "invoke", FunctionName=name, Payload=b"{}")
        found = FunctionLogs.of(account.access, name).failed_starts(since_s=600)
        assert ("No module named 'nothing'" in found) == (name == "starts-not"), found
