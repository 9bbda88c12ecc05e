"""A function that talks to the Runtime API itself gets what AWS's own Runtime API answers, and harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lambdamagic.local.environments.environment import Environment
from lambdamagic.local.environments.runtime_api import Refusal
from tests.local import environments
from tests.local.conftest import Account

_Test = Callable[[environments.ScriptedProcesses, Environment], Awaitable[None]]


def _with_environment(folder: Path, test: _Test) -> None:
    async def run() -> None:
        processes = environments.ScriptedProcesses()
        environment = Environment(
            environments.function("f"),
            environments.blueprint(folder),
            folder=folder,
            processes=processes,
            logs=environments.log_buffer(),
            init_timeout_s=10,
            on_end=lambda environment: None,
        )
        starting = asyncio.ensure_future(environment.start("id"))
        await environments.until(lambda: processes.begun)
        processes.be_ready(environment)
        assert await starting is None
        try:
            await test(processes, environment)
        finally:
            processes.close()

    asyncio.run(run())


def _refusal(state: str, wanted: str) -> Refusal:
    text = f"State transition from {state} to {wanted} failed for runtime. Error: State transition is not allowed"
    return Refusal(403, "InvalidStateTransition", text)


def test_a_runtime_that_asks_again_before_its_answer_gets_the_same_task(tmp_path):
    """It once waited for the function's whole time, and a strict environment froze in the middle of its task."""

    async def test(processes: environments.ScriptedProcesses, environment: Environment) -> None:
        running = asyncio.ensure_future(environment.run(environments.invocation()))
        await environments.until(lambda: processes.tasks)
        processes.be_ready(environment)
        assert processes.tasks[0] == processes.tasks[1]
        processes.answer(environment)
        result, _ = await running
        assert result.payload == b"1"

    _with_environment(tmp_path, test)


def test_a_second_answer_is_refused(tmp_path):
    """Before and after the next task is asked for; during the next task its id is one that is not known."""

    async def test(processes: environments.ScriptedProcesses, environment: Environment) -> None:
        for number in range(2):
            running = asyncio.ensure_future(environment.run(environments.invocation()))
            await environments.until(lambda: len(processes.tasks) > number)  # noqa: B023 - called within the loop
            request_id = processes.tasks[number].request_id
            if number:
                late = environment.on_result(processes.tasks[0].request_id, b"2", is_error=False)
                assert late == Refusal(400, "InvalidRequestID", "Invalid request ID")
            assert environment.on_result(request_id, b"1", is_error=False) is None
            again = environment.on_result(request_id, b"2", is_error=False)
            assert again == _refusal("RuntimeResponseSentState", "InvocationResponse")
            assert (await running)[0].payload == b"1"
            processes.be_ready(environment)
            assert environment.on_result(request_id, b"2", is_error=True) == again

    _with_environment(tmp_path, test)


def test_init_does_not_fail_once_it_is_over(tmp_path):
    """Nor is a function without snapshots restored; that request once never got an answer."""

    async def test(processes: environments.ScriptedProcesses, environment: Environment) -> None:
        assert environment.on_init_error(b"{}") == _refusal("Ready", "InitError")
        running = asyncio.ensure_future(environment.run(environments.invocation()))
        await environments.until(lambda: processes.tasks)
        assert environment.on_init_error(b"{}") == _refusal("Running", "InitError")
        assert environment.on_snapshot(lambda: None) == _refusal("Running", "RestoreReady")
        assert environment.on_restore_error(b"") == _refusal("Running", "RuntimeRestoreErrorState")
        processes.answer(environment)
        assert (await running)[0].payload == b"1"

    _with_environment(tmp_path, test)


_ITSELF = """
import http.client, os
def handler(event, context):
    channel = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    body = bytes.fromhex(event["body"])
    channel.request("POST", f"/2018-06-01/runtime/invocation/{context.aws_request_id}/{event['end']}", body)
    channel.getresponse().read()
"""


@pytest.mark.parametrize("end", ["response", "error"])
@pytest.mark.parametrize("body", [b"text", b"", b"\xff\x00", b"{"])
def test_a_result_that_is_no_json_is_recorded_as_text(account: Account, end: str, body: bytes) -> None:
    """The record of an event that such a function took is sent all the same."""
    sqs = account.client("sqs")
    queue = sqs.create_queue(QueueName=f"q{abs(hash((end, body)))}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = account.deploy(_ITSELF)
    account.functions.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": arn}, "OnFailure": {"Destination": arn}},
    )
    account.invoke(name, {"end": end, "body": body.hex()}, InvocationType="Event")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert '"responsePayload": ' in message["Body"]
    assert (
        account.functions.invoke(FunctionName=name, Payload=f'{{"end": "{end}", "body": "{body.hex()}"}}')[
            "Payload"
        ].read()
        == body
    )
