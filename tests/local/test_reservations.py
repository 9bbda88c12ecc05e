"""Reserved concurrency leaves the other functions what AWS wants to be left."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import WaiterError

from lambdamagic.local.local_server import LocalServer
from tests.local.conftest import ECHO, Account

_WORDS = "decreases account's UnreservedConcurrentExecution below its minimum value of "
_QUICKLY = {"Delay": 0.05, "MaxAttempts": 600}


@pytest.fixture(scope="module")
def large() -> Iterator[Account]:
    """An account with room for 20 reserved executions."""
    with LocalServer.start(concurrency=120) as server:
        found = Account(server.connection)
        yield found
        found.close()


def test_a_hundred_executions_stay_unreserved(large: Account) -> None:
    """Of all functions together; what a function had reserved before does not count."""
    first, second = large.deploy(ECHO), large.deploy(ECHO)
    reserve = large.functions.put_function_concurrency
    refused = large.functions.exceptions.InvalidParameterValueException
    with pytest.raises(refused, match=rf"Specified .* {_WORDS}\[100\]\."):
        reserve(FunctionName=first, ReservedConcurrentExecutions=21)
    assert "ReservedConcurrentExecutions" not in large.functions.get_function_concurrency(FunctionName=first)
    reserve(FunctionName=first, ReservedConcurrentExecutions=20)
    reserve(FunctionName=first, ReservedConcurrentExecutions=15)
    with pytest.raises(refused):
        reserve(FunctionName=second, ReservedConcurrentExecutions=6)
    reserve(FunctionName=second, ReservedConcurrentExecutions=5)
    limit = large.functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (120, 100)
    for name in (first, second):
        large.functions.delete_function(FunctionName=name)


def test_a_small_account_has_nothing_to_reserve(account: Account) -> None:
    """All of it is the minimum, as in new accounts of AWS; zero, which stops a function, is possible."""
    name = account.deploy(ECHO)
    with pytest.raises(account.functions.exceptions.InvalidParameterValueException, match=rf"{_WORDS}\[12\]\."):
        account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    account.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    account.functions.delete_function(FunctionName=name)


def test_a_stack_that_reserves_too_much_fails(large: Account) -> None:
    """Its function is not made; a change to too much is undone."""
    stacks = large.client("cloudformation")
    properties = {
        "FunctionName": "reserving",
        "Role": large.role_arn(),
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Code": {"ZipFile": "def handler(event, context): return event"},
    }

    def changed(how: str, reserved: int) -> None:
        body = {"Type": "AWS::Lambda::Function", "Properties": {**properties, "ReservedConcurrentExecutions": reserved}}
        template = json.dumps({"Resources": {"F": body}})
        getattr(stacks, f"{how}_stack")(StackName="s", TemplateBody=template)
        stacks.get_waiter(f"stack_{how}_complete").wait(StackName="s", WaiterConfig=_QUICKLY)

    def reasons() -> list[str]:
        events = stacks.describe_stack_events(StackName="s")["StackEvents"]
        return [each.get("ResourceStatusReason", "") for each in events]

    with pytest.raises(WaiterError):
        changed("create", 21)
    assert any(_WORDS in each for each in reasons())
    assert "reserving" not in {each["FunctionName"] for each in large.functions.list_functions()["Functions"]}
    stacks.delete_stack(StackName="s")
    stacks.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig=_QUICKLY)
    changed("create", 20)
    with pytest.raises(WaiterError):
        changed("update", 21)
    assert any(_WORDS in each for each in reasons())
    assert large.functions.get_function_concurrency(FunctionName="reserving")["ReservedConcurrentExecutions"] == 20
    stacks.delete_stack(StackName="s")
    stacks.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig=_QUICKLY)
