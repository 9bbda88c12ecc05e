"""A stack deployed for real against CloudFormation: made, used, repeated, changed, taken away; and on bad days."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from typing import Any

import pytest

from lambdamagic.config import Settings
from lambdamagic.deploy.destroy import Demolition
from lambdamagic.deploy.functions import forbid_event_retries
from lambdamagic.deploy.model import HANDLER, StackSpec
from lambdamagic.deploy.stack import StackEvent
from lambdamagic.deploy.unused_packages import remove_unused_packages
from lambdamagic.errors import AwsBusyError, CredentialsError, NotOursError, StackFailedError
from lambdamagic.pythons import python_here
from tests.deploy.accounts import Account
from tests.local.conftest import package as zipped


def run_code(account: Account, function: str, bucket: str, call: Any, *arguments: Any) -> Any:
    from lambdamagic import LambdaExecutor

    keys = {
        "aws_access_key_id": account.connection.access_key_id,
        "aws_secret_access_key": account.connection.secret_access_key,
    }
    options = {"endpoint_url": account.connection.endpoint_url, "region": account.connection.region}
    with LambdaExecutor(target="aws", function=function, bucket=bucket, **options, **keys) as executor:
        return executor.submit(call, *arguments).result(timeout=60)


def test_from_nothing_to_a_cell_and_back_to_nothing(account: Account, code: Any) -> None:
    """Deploy, run, repeat without change, change one thing, destroy: nothing is left."""
    before = account.inventory()
    deployment = account.deployment("whole", code, has_trigger=True, has_repository=True)
    planned = deployment.plan()
    assert planned.is_new
    assert {change.resource for change in planned.changes} > {"Bucket", "Function", "FunctionRole", "LogGroup"}
    assert account.inventory() == before, "a plan makes nothing"

    done = deployment.apply()
    assert done.has_changed
    assert run_code(account, done.function, done.bucket, sum, [1, 2, 3]) == 6
    large = bytes(5_000_000)
    assert run_code(account, done.function, done.bucket, len, large) == len(large)

    again = account.deployment("whole", code, has_trigger=True, has_repository=True)
    assert again.plan().changes == ()
    assert not again.apply().has_changed

    changed = account.deployment("whole", code, has_repository=True, memory_mb=512)
    properties = [each for change in changed.plan().changes for each in change.properties]
    assert ("MemorySize", "2048", "512") in [(each.path, each.before, each.after) for each in properties]
    assert changed.apply().has_changed
    facts = account.ask("lambda", "get_function_configuration", FunctionName="whole")
    assert facts["MemorySize"] == 512
    assert run_code(account, done.function, done.bucket, abs, -7) == 7

    demolition = Demolition(account.access, "whole")
    kept = demolition.run(empty_bucket=False)
    assert done.bucket in kept.left[0]
    assert account.stack_status("whole") == "UPDATE_COMPLETE", "without consent nothing is deleted"
    gone = demolition.run(empty_bucket=True)
    assert gone.deleted_objects >= 2
    assert gone.left == ()
    assert account.inventory() == before
    assert demolition.inventory() is None


def test_the_created_resources_match_the_spec(account: Account, code: Any, name: str) -> None:
    """Private, expiring, without retries, tagged; the role may log and nothing else."""
    done = account.deployment(name, code, environment={"MINE": "1"}, log_days=3, job_days=2).apply()
    found = account.ask("lambda", "get_function", FunctionName=name)
    assert found["Tags"]["lambdamagic"] == "function"
    assert found["Tags"]["aws:cloudformation:stack-name"] == name
    configuration = found["Configuration"]
    assert configuration["Handler"] == HANDLER
    assert configuration["Runtime"] == f"python{python_here()}"
    assert configuration["Environment"]["Variables"]["MINE"] == "1"
    assert "LAMBDAMAGIC_HOLDS" in configuration["Environment"]["Variables"]
    events = account.ask("lambda", "get_function_event_invoke_config", FunctionName=name)
    assert events["MaximumRetryAttempts"] == 0
    assert account.ask("s3", "get_public_access_block", Bucket=done.bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    rules = account.ask("s3", "get_bucket_lifecycle_configuration", Bucket=done.bucket)["Rules"]
    expiring = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}
    assert expiring["lambdamagic/jobs/"] == 2
    assert not any("lambdamagic/packages/".startswith(prefix) for prefix in expiring), "packages must stay"
    groups = account.ask("logs", "describe_log_groups", logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [3]
    role = configuration["Role"].rpartition("/")[2]
    policy = account.ask("iam", "get_role_policy", RoleName=role, PolicyName="logs")["PolicyDocument"]
    policy = json.loads(policy) if isinstance(policy, str) else policy
    assert {action for each in policy["Statement"] for action in each["Action"]} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_users_need_not_set_retries(account: Account, code: Any, name: str) -> None:
    """Mode event looks, and sees that the deployment has turned Lambda's retries off already."""
    account.deployment(name, code).apply()
    account.faults.refuse_api("lambda", operation="PUT", code="AccessDeniedException", status=403, count=None)
    forbid_event_retries(account.access, name)


def test_options_that_are_not_given_keep_their_values(account: Account, code: Any, name: str) -> None:
    """The template remembers what it was made from."""
    account.deployment(name, code, memory_mb=777, environment={"AB": "c"}).apply()
    from lambdamagic.deploy.deployment import Deployment

    remembered = Deployment.remembered(account.access, name)
    spec = StackSpec.changed(remembered, timeout_s=9)
    assert (spec.function.memory_mb, spec.function.timeout_s) == (777, 9)
    assert spec.function.environment == {"AB": "c"}


def test_an_object_below_the_trigger_prefix_runs_the_function(account: Account, code: Any, name: str) -> None:
    """The bucket's notification reaches the data plane; other objects do not."""
    done = account.deployment(name, code, has_trigger=True).apply()
    found = account.ask("s3", "get_bucket_notification_configuration", Bucket=done.bucket)
    [trigger] = found["LambdaFunctionConfigurations"]
    assert trigger["LambdaFunctionArn"].endswith(f":function:{name}")
    account.faults.stats(reset=True)
    account.ask("s3", "put_object", Bucket=done.bucket, Key="lambdamagic/jobs/x", Body=b"{}")
    account.ask("s3", "put_object", Bucket=done.bucket, Key="lambdamagic/trigger/x", Body=b"{}")
    deadline = time.monotonic() + 30
    while sum(account.faults.stats()["results"].values()) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # an event is delivered when it is delivered; nothing to wait on
    assert sum(account.faults.stats()["results"].values()) == 1


class Killed(BaseException):
    """The client is gone; CloudFormation continues."""


@pytest.mark.parametrize("step", [0, 2, 5, 8, 11, 14, 17])
def test_killed_at_any_step_it_is_finished_by_the_next_run(account: Account, code: Any, name: str, step: int) -> None:
    """Whatever a run has seen of CloudFormation when it dies, the next one ends with a whole deployment."""
    seen: list[StackEvent] = []

    def die(event: StackEvent) -> None:
        seen.append(event)
        if len(seen) > step:
            raise Killed

    try:
        account.deployment(name, code, on_event=die).apply()
    except Killed:
        pass
    done = account.deployment(name, code).apply()
    assert account.stack_status(name) in ("UPDATE_COMPLETE", "CREATE_COMPLETE")
    assert account.ask("lambda", "get_function", FunctionName=done.function)
    assert account.deployment(name, code).plan().changes == ()


def test_killed_before_the_package_is_uploaded(account: Account, code: Any, name: str) -> None:
    """The bucket is there, the package is not: S3 refused it. The next run puts it there."""
    account.faults.refuse_s3(operation="PutObject", count=None, status=403)
    with pytest.raises(Exception, match=r"could not put a package|put"):
        account.deployment(name, code).apply()
    account.faults.clear()
    assert account.deployment(name, code).apply().has_changed


def test_two_at_once(account: Account, code: Any, name: str) -> None:
    """Both end well, with one deployment."""
    results: list[Any] = []

    def deploy() -> None:
        try:
            results.append(account.deployment(name, code).apply())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=deploy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert [type(result).__name__ for result in results] == ["Deployed", "Deployed"], results
    assert len({result.bucket for result in results}) == 1


@pytest.mark.parametrize(("resource", "status"), [("Bucket", "ROLLBACK_COMPLETE"), ("Function", "UPDATE_ROLLBACK")])
def test_a_resource_that_fails(account: Account, code: Any, name: str, resource: str, status: str) -> None:
    """CloudFormation undoes it, the error names resource and reason; the next run fixes it."""
    account.faults.fail_resource(resource)
    with pytest.raises(StackFailedError, match=rf"{resource} \(AWS::.*scripted failure") as raised:
        account.deployment(name, code).apply()
    assert status in str(raised.value)
    assert account.stack_status(name).startswith(status)
    assert account.deployment(name, code).apply().has_changed
    assert account.stack_status(name) == "UPDATE_COMPLETE"


def test_a_failed_change_is_rolled_back(account: Account, code: Any, name: str) -> None:
    """The function has its old size, and runs."""
    done = account.deployment(name, code, memory_mb=512).apply()
    account.faults.fail_resource("Function")
    with pytest.raises(StackFailedError):
        account.deployment(name, code, memory_mb=1024).apply()
    assert account.ask("lambda", "get_function_configuration", FunctionName=name)["MemorySize"] == 512
    assert run_code(account, done.function, done.bucket, abs, -1) == 1


def test_a_foreign_function_is_not_changed(account: Account, code: Any) -> None:
    """Its name is taken: reported before anything is created, and the function is not changed."""
    role = account.ask("iam", "create_role", RoleName="somebody", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    account.ask(
        "lambda",
        "create_function",
        FunctionName="theirs",
        Runtime="python3.12",
        Role=role,
        Handler="a.b",
        Code={"ZipFile": zipped({"a.py": "b = 1"})},
    )
    before = account.inventory()
    for act in ("plan", "apply"):
        with pytest.raises(NotOursError, match="theirs"):
            getattr(account.deployment("theirs", code), act)()
    assert account.inventory() == before
    assert account.ask("lambda", "get_function_configuration", FunctionName="theirs")["Handler"] == "a.b"
    account.ask("lambda", "delete_function", FunctionName="theirs")
    account.ask("iam", "delete_role", RoleName="somebody")


def test_a_foreign_stack_is_not_changed(account: Account, code: Any) -> None:
    """Neither changed nor deleted."""
    body = json.dumps({"Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}}})
    account.ask("cloudformation", "create_stack", StackName="foreign", TemplateBody=body)
    with pytest.raises(NotOursError, match="nothing was changed"):
        account.deployment("foreign", code).apply()
    with pytest.raises(NotOursError):
        Demolition(account.access, "foreign").run(empty_bucket=True)
    while account.stack_status("foreign").endswith("_IN_PROGRESS"):
        time.sleep(0.02)  # CloudFormation has nothing to wait on
    account.ask("cloudformation", "delete_stack", StackName="foreign")


def test_an_existing_log_group_is_reported(account: Account, code: Any) -> None:
    """CloudFormation would fail half-way: reported before, with the command that fixes it."""
    account.ask("logs", "create_log_group", logGroupName="/aws/lambda/logged")
    with pytest.raises(NotOursError, match="log group /aws/lambda/logged") as raised:
        account.deployment("logged", code).apply()
    assert "aws logs delete-log-group" in (raised.value.hint or "")
    account.ask("logs", "delete_log_group", logGroupName="/aws/lambda/logged")


def test_throttled_now_and_then(account: Account, code: Any, name: str) -> None:
    """Retried, without a message."""
    account.faults.refuse_api("cloudformation", operation="DescribeStacks", count=2)
    assert account.deployment(name, code).apply().has_changed


def test_throttled_to_the_end(account: Account, code: Any) -> None:
    """An error that says that the same command continues."""
    account.faults.refuse_api("cloudformation", count=None)
    with pytest.raises(AwsBusyError, match="throttled"):
        account.deployment("throttled", code).plan()


def test_wrong_rights(account: Account, code: Any) -> None:
    """What may not be done is named, and where the rights are listed."""
    account.faults.refuse_api("cloudformation", operation="CreateStack", code="AccessDenied", status=403, count=None)
    with pytest.raises(CredentialsError, match="could not create the stack denied") as raised:
        account.deployment("denied", code).apply()
    assert "lambdamagic policy deployer" in (raised.value.hint or "")


def test_an_existing_bucket(account: Account, code: Any, name: str) -> None:
    """It is used, and stays when all else goes."""
    account.ask("s3", "create_bucket", Bucket="ours-already")
    done = account.deployment(name, code, bucket="ours-already").apply()
    assert done.bucket == "ours-already"
    assert run_code(account, done.function, done.bucket, abs, -3) == 3
    gone = Demolition(account.access, name).run(empty_bucket=True)
    assert "existed before" in gone.left[0]
    assert "ours-already" in account.inventory()["buckets"]


def test_packages_that_no_function_is_made_of_go(account: Account, code: Any, name: str) -> None:
    """What the stack and functions name stays, and new packages, which another process may be deploying."""
    bucket = account.deployment(name, code, memory_mb=512).apply().bucket

    def there() -> set[str]:
        found = account.ask("s3", "list_objects_v2", Bucket=bucket, Prefix="lambdamagic/packages/")
        return {each["Key"] for each in found["Contents"]}

    in_use = there()
    account.ask("s3", "put_object", Bucket=bucket, Key="lambdamagic/packages/old.zip", Body=b"")
    used = {*code.parameters().values()}
    assert remove_unused_packages(account.access, bucket, used=used, now=time.time()) == []
    tomorrow = time.time() + 2 * 86_400
    assert remove_unused_packages(account.access, bucket, used=used, now=tomorrow) == ["lambdamagic/packages/old.zip"]
    assert there() == in_use
    # The code itself is known by the function, its layers by the stack only.
    left = {*remove_unused_packages(account.access, bucket, used=(), now=tomorrow)}
    assert left == {*used} - {code.parameters()["CodeKey"]}


def test_variants_go_with_it(account: Account, code: Any, name: str) -> None:
    """A variant in another size is no part of the stack, and goes with it all the same."""
    done = account.deployment(name, code, memory_mb=512, timeout_s=30).apply()
    from lambdamagic.targets.aws_target import AwsTarget
    from lambdamagic.targets.target import FunctionWish

    settings = Settings(target="aws", function=done.function, bucket=done.bucket, variants="always")
    target = AwsTarget(settings, account.access)
    try:
        made = target.function_for(FunctionWish(1024, 30, python_here(), least_memory_mb=1024))
    finally:
        target.close()
    assert made.name in account.inventory()["functions"]
    demolition = Demolition(account.access, name)
    demolition.run(empty_bucket=True)
    assert demolition.variants == [made.name]
    assert made.name not in account.inventory()["functions"]


def test_equal_specs_give_equal_templates() -> None:
    """Nothing in a template depends on when or where it was made."""
    from lambdamagic.deploy.template import template, to_text

    spec = StackSpec.changed({}, name="same", python="3.12", environment={"BB": "2", "AA": "1"})
    other = StackSpec.changed(json.loads(json.dumps(spec.remembered())))
    assert to_text(template(spec)) == to_text(template(other))
    assert dataclasses.replace(spec, log_days=30) != spec
