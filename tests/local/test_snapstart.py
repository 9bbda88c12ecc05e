"""SnapStart: a version waits for its snapshot, and its environments continue from an initialized process."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdamagic.pythons import python_here
from tests.local.conftest import Account

# The hooks as a user registers them; what INIT and each hook saw is what the function answers.
HANDLER = """
    import os, time
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    NAMES = ("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_LOG_GROUP_NAME")
    seen = [[os.environ.get(name) for name in NAMES]]
    register_before_snapshot(seen.append, "before")
    register_after_restore(seen.append, "after")
    print("in INIT")

    def handler(event, context):
        if "wait" in event:
            open(event["wait"], "w").close()
            while not os.path.exists(event["until"]):
                time.sleep(0.01)
        return {"seen": seen, "pid": os.getpid(), "version": context.function_version}
"""
FAILING_HOOK = """
    from snapshot_restore_py import register_after_restore

    @register_after_restore
    def fail():
        raise RuntimeError("no connection")

    def handler(event, context):
        return 1
"""
SNAP_START = {"ApplyOn": "PublishedVersions"}


def publish(account: Account, source: str = HANDLER, **options: Any) -> str:
    """Make a function with SnapStart and a version of it behind the alias `live`; return its name."""
    name = account.deploy(source, SnapStart=SNAP_START, **options)
    version = account.functions.publish_version(FunctionName=name)
    assert version["State"] == "Pending"
    account.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version["Version"])
    account.functions.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version["Version"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    return name


def test_an_environment_continues_from_an_initialized_process(account: Account) -> None:
    """INIT ran at publishing, without the log's names; the hooks ran around the snapshot; REPORT bills the restore."""
    name = publish(account)
    reply = account.invoke(name, {}, Qualifier="live", LogType="Tail")
    assert reply["Payload"]["seen"] == [["snap-start", None, None], "before", "after"]
    assert reply["Payload"]["version"] == "1"
    tail = base64.b64decode(reply["LogResult"]).decode()
    report = tail.splitlines()[-1]
    assert "Init Duration" not in report
    duration, billed, restore, billed_restore = (
        float(each)
        for each in re.findall(
            r"\t(?:Duration|Billed Duration|Restore Duration|Billed Restore Duration): ([\d.]+)", report
        )
    )
    assert 0 < restore <= billed_restore
    assert duration + restore <= billed < duration + restore + 1
    assert "RESTORE_START" in tail and "INIT_START" not in tail
    again = account.invoke(name, {}, Qualifier="live", LogType="Tail")
    assert again["Payload"]["pid"] == reply["Payload"]["pid"]
    assert "Restore" not in base64.b64decode(again["LogResult"]).decode()


def test_the_latest_has_no_snapshot(account: Account) -> None:
    """SnapStart is for published versions; the function itself is initialized as any other."""
    name = publish(account)
    reply = account.invoke(name, {}, LogType="Tail")
    [[kind, stream, group]] = reply["Payload"]["seen"]
    assert kind == "on-demand" and stream and group == f"/aws/lambda/{name}"
    assert b"Init Duration" in base64.b64decode(reply["LogResult"])


def test_what_lambda_says_about_it(account: Account) -> None:
    """It is remembered and shown; only a version with a snapshot is optimized."""
    name = publish(account)
    shown = [
        account.functions.get_function_configuration(FunctionName=name, **of)["SnapStart"]
        for of in ({}, {"Qualifier": "live"})
    ]
    assert shown == [{**SNAP_START, "OptimizationStatus": "Off"}, {**SNAP_START, "OptimizationStatus": "On"}]
    account.functions.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "None"})
    version = account.functions.publish_version(FunctionName=name)
    assert version["Version"] == "2" and version["State"] == "Active"
    assert version["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}


def test_a_hook_that_fails_fails_the_invocation(account: Account) -> None:
    """Lambda refuses it with SnapStartException, and nothing ran."""
    name = publish(account, FAILING_HOOK)
    with pytest.raises(ClientError) as caught:
        account.invoke(name, {}, Qualifier="live")
    assert caught.value.response["Error"]["Code"] == "SnapStartException"
    assert "no connection" in str(caught.value)


def test_an_init_that_fails_fails_the_version(account: Account) -> None:
    """There is nothing to restore: the version is Failed, and cannot be invoked."""
    name = account.deploy("raise RuntimeError('no model')", SnapStart=SNAP_START)
    version = account.functions.publish_version(FunctionName=name)["Version"]
    state = {"State": "Pending"}
    while state["State"] == "Pending":
        state = account.functions.get_function_configuration(FunctionName=name, Qualifier=version)
    assert state["State"] == "Failed"
    assert "no model" in state["StateReason"]
    with pytest.raises(ClientError, match="Failed"):
        account.invoke(name, {}, Qualifier=version)


def test_before_its_snapshot_a_version_cannot_be_invoked(account: Account) -> None:
    """SnapStartNotReadyException, which means: not yet."""
    name = account.deploy(
        "import time; time.sleep(1)\ndef handler(event, context):\n    return 1", SnapStart=SNAP_START
    )
    version = account.functions.publish_version(FunctionName=name)["Version"]
    with pytest.raises(ClientError) as caught:
        account.invoke(name, {}, Qualifier=version)
    assert caught.value.response["Error"]["Code"] == "SnapStartNotReadyException"
    account.functions.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    assert account.invoke(name, {}, Qualifier=version)["Payload"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"EphemeralStorage": {"Size": 1024}}, "Ephemeral storage of 1024 MB"),
        ({"Runtime": "python3.10"}, "python3.10"),
    ],
)
def test_what_cannot_have_it(account: Account, options: dict[str, Any], said: str) -> None:
    """AWS refuses the function."""
    with pytest.raises(ClientError, match=said) as caught:
        account.deploy(HANDLER, SnapStart=SNAP_START, **options)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_number_is_never_given_twice(account: Account) -> None:
    """Not that of a deleted version either."""
    name = account.deploy(HANDLER)
    assert account.functions.publish_version(FunctionName=name)["Version"] == "1"
    assert account.functions.publish_version(FunctionName=name)["Version"] == "1"  # nothing changed
    for wanted in ("2", "3"):
        account.functions.update_function_configuration(FunctionName=name, Description=wanted)
        assert account.functions.publish_version(FunctionName=name)["Version"] == wanted
        account.functions.delete_function(FunctionName=name, Qualifier=wanted)


def template(account: Account, answer: str, *, description: str) -> str:
    """Return a stack's template: a function, a version of it, and an alias."""
    function = {
        "FunctionName": "of-stack",
        "Runtime": f"python{python_here()}",
        "Handler": "index.handler",
        "Role": account.role_arn(),
        "Code": {"ZipFile": f"answer = {answer}\ndef handler(event, context):\n    return answer"},
        "SnapStart": SNAP_START,
    }
    of = {"FunctionName": {"Ref": "Function"}}
    alias = {**of, "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}}
    resources = {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {**of, "Description": description}},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": alias},
    }
    outputs = {"Live": {"Value": {"Ref": "Live"}}}
    return json.dumps({"Resources": resources, "Outputs": outputs})


def versions(account: Account, name: str) -> list[str]:
    return [each["Version"] for each in account.functions.list_versions_by_function(FunctionName=name)["Versions"]]


def test_a_stack_publishes_replaces_and_goes_back(account: Account) -> None:
    """Another description makes another version; the one before goes last, and comes back when the update fails."""
    stacks = account.client("cloudformation")

    def wait(kind: str) -> None:
        stacks.get_waiter(kind).wait(StackName="snapped", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})

    stacks.create_stack(StackName="snapped", TemplateBody=template(account, "1", description="a"))
    wait("stack_create_complete")
    [output] = stacks.describe_stacks(StackName="snapped")["Stacks"][0]["Outputs"]
    assert output["OutputValue"].endswith(":function:of-stack:live")
    assert account.invoke("of-stack:live")["Payload"] == 1
    stacks.update_stack(StackName="snapped", TemplateBody=template(account, "2", description="b"))
    wait("stack_update_complete")
    assert versions(account, "of-stack") == ["$LATEST", "2"]
    assert account.invoke("of-stack:live")["Payload"] == 2
    stacks.update_stack(StackName="snapped", TemplateBody=template(account, "1 / 0", description="c"))
    wait("stack_rollback_complete")
    reasons = [
        each.get("ResourceStatusReason", "")
        for each in stacks.describe_stack_events(StackName="snapped")["StackEvents"]
    ]
    assert any("division by zero" in each for each in reasons)
    assert versions(account, "of-stack") == ["$LATEST", "2"]
    assert account.invoke("of-stack:live")["Payload"] == 2
    stacks.delete_stack(StackName="snapped")
    wait("stack_delete_complete")
    with pytest.raises(ClientError, match="not found"):
        account.invoke("of-stack:live")
