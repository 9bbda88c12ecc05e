"""Requests that are uploaded: who may start the function, and what it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.local.testing.faults import Faults
from lambdamagic.protocol import keys
from lambdamagic.protocol.seal import seal
from lambdamagic.targets.local_target import LocalTarget


@pytest.fixture(scope="module")
def executor() -> Iterator[LambdaExecutor]:
    """One whose jobs are uploaded."""
    with LambdaExecutor(2, mode="trigger", timeout_s=15, memory_mb=256, target="local") as made:
        yield made
    process.close()


@pytest.fixture
def target(executor: LambdaExecutor) -> LocalTarget:
    """Where they go."""
    found = executor._launcher.target()
    assert isinstance(found, LocalTarget)
    return found


def _invocations(target: LocalTarget) -> int:
    """Return how many have ended, once none is under way: an answer is in the bucket before its invocation ends."""
    deadline = time.monotonic() + 60
    while (stats := Faults(target.server.connection).stats())["waiting_events"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return sum(stats["results"].values())


def _wait_for(target: LocalTarget, count: int) -> None:
    deadline = time.monotonic() + 60
    while _invocations(target) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # invocations that S3 starts are not reported


def _log(target: LocalTarget, function: str) -> str:
    with closing(target.access.client("logs")) as client:
        group = f"/aws/lambda/{function}"
        return "\n".join(event["message"] for event in client.filter_log_events(logGroupName=group)["events"])


def test_an_upload_is_all_that_starts_the_work(executor: LambdaExecutor, target: LocalTarget) -> None:
    """No Invoke request is made, and what was uploaded is gone afterwards."""
    faults = Faults(target.server.connection)
    before = faults.stats()["requests"].get("lambda", {}).get("Invoke", 0)
    assert list(executor.map(pow, range(6), [2] * 6, chunksize=2)) == [0, 1, 4, 9, 16, 25]
    requests = faults.stats()["requests"].get("lambda", {})
    assert requests.get("Invoke", 0) == before
    until = time.monotonic() + 60
    while left := list(target.stager.required().list("lambdamagic/trigger/")):
        assert time.monotonic() < until, f"{left} stayed"
        time.sleep(0.02)  # it is taken away a moment after the results are there, which nothing waits for


def test_a_notification_that_comes_twice_runs_once(
    executor: LambdaExecutor, target: LocalTarget, tmp_path: Any
) -> None:
    """S3 delivers at least once: the second finds the first delivery's heartbeat."""
    faults = Faults(target.server.connection)
    executor.submit(abs, 1).result(60)
    faults.duplicate(count=1)
    before = _invocations(target)

    def work(path: str) -> int:
        with open(path, "a") as file:  # noqa: PTH123
            file.write("x")
        return 7

    assert list(executor.map(work, [str(tmp_path / "ran")])) == [7]
    _wait_for(target, before + 2)
    assert (tmp_path / "ran").read_text() == "x"


def test_a_writer_to_the_bucket_starts_nothing(executor: LambdaExecutor, target: LocalTarget) -> None:
    """A request that was not sealed with the function's secret is refused before it is read."""
    executor.submit(abs, 1).result(60)
    (function,) = target._secrets
    forged = seal({"key": "", "answer": "x"}, key=b"guess", job_id="job", attempt_id="000001-0-1")
    before = _invocations(target)
    target.stager.required().put(keys.trigger_key(function, "job", "000001-0-1"), [forged])
    _wait_for(target, before + 1)
    assert "IntegrityError" in _log(target, function)
    target.stager.required().put(keys.trigger_key(function, "job", "000002-0-1"), [bytes(33 << 20)])
    _wait_for(target, before + 2)
    assert "holds 34,603,008 bytes, more than 33,554,432" in _log(target, function)


def test_other_keys_are_no_requests(executor: LambdaExecutor, target: LocalTarget) -> None:
    """Even if a notification of some other prefix is pointed at the function by mistake."""
    executor.submit(abs, 1).result(60)
    (function,) = target._secrets
    record = {
        "eventSource": "aws:s3",
        "s3": {
            "bucket": {"name": target.stager.required().bucket},
            "object": {"key": "lambdamagic/jobs/j/results/000001-0-1/answer"},
        },
    }
    with closing(target.access.client("lambda")) as client:
        answer = client.invoke(FunctionName=function, Payload=json.dumps({"Records": [record]}))
        document = json.loads(answer["Payload"].read())
    assert document["errorType"] == "ProtocolError"
    assert "is not the key of a request" in document["errorMessage"]


def test_requests_of_jobs_have_separate_prefixes() -> None:
    """S3 divides a bucket by how keys begin: the requests of two jobs of one second begin differently."""
    jobs = ("20260101-000000-0001", "20260101-000000-0002")
    found = {keys.trigger_key("f", job, "000001-0-1").removeprefix(keys.trigger_prefix("f"))[:4] for job in jobs}
    assert len(found) == 2
    for job in jobs:
        assert keys.read_trigger_key(keys.trigger_key("f", job, "000001-0-1"), "f") == (job, "000001-0-1")
