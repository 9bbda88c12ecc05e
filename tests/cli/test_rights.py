"""The printed policies hold what the commands need: people who have exactly these, held to them by the server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdamagic import LambdaExecutor, remote
from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.aws.access import AwsAccess
from lambdamagic.cli.commands import COMMANDS
from lambdamagic.deploy.image_registry import ecr_login, ensure_repository, pushed_before, remove_unused
from lambdamagic.errors import LambdaMagicError
from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.walked import start_walks
from lambdamagic.local.local_server import LocalServer
from tests.cli.calling import Done, call
from tests.deploy.accounts import Account

Become = Callable[..., None]


@pytest.fixture
def become(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Become]:
    """Continue as a person who has just these policies."""

    def become(name: str, *policies: Any) -> None:
        process.close()  # what is open has the credentials of whoever was here before
        for variable, value in account.person(name, *policies).items():
            monkeypatch.setenv(variable, value)

    yield become
    process.close()


@pytest.fixture(scope="module")
def policies(account_of_module: Account, home: Path) -> Iterator[dict[str, Any]]:
    """The printed policies, in an account in which the owner has deployed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in account_of_module.connection.environment().items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home))
        patch.chdir(home)
        assert call("deploy", "shared").status == 0
        yield {who: call("policy", who, "shared").document for who in ("user", "deployer", "role")}


LOOK = """
def look():
    import boto3
    from botocore.exceptions import ClientError
    try:
        boto3.client("s3").list_buckets()
    except ClientError as error:
        return str(error)
    return "allowed"
"""


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """Return a policy that lacks one action."""
    kept = json.loads(json.dumps(policy))
    for statement in kept["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [each for each in actions if each != action]
    kept["Statement"] = [statement for statement in kept["Statement"] if statement["Action"]]
    assert kept != policy, f"the policy does not have {action}"
    return kept


def test_who_deploys_and_who_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to nothing: one has exactly the deployer's policy, the other exactly the user's."""
    module = tmp_path / "own_module.py"
    module.write_text("X = 1\n")
    with LocalServer.start() as server:
        account = Account(server)
        for name in ("HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        monkeypatch.chdir(tmp_path)

        def become(name: str, policy: Any) -> None:
            process.close()
            for variable, value in {**server.connection.environment(), **account.person(name, policy)}.items():
                monkeypatch.setenv(variable, value)

        def well(*words: str) -> Done:
            done = call(*words)
            assert done.status == 0, done.err
            return done

        for variable, value in server.connection.environment().items():
            monkeypatch.setenv(variable, value)
        before = account.inventory()
        become("deployer", call("policy", "deployer").document)
        well("deploy", "--trigger", "--repository", "--invoker", "--graphs")
        well("deploy", "--memory", "512", "--plan")
        well("deploy", "--memory", "512")
        well("status")
        well("template", "sam")
        well("policy", "role")
        _push_no_image()
        well("create", "lambdamagic-own", str(module))
        module.write_text("X = 2\n")
        well("update", "lambdamagic-own", str(module), "--memory", "256")
        well("list")
        well("delete", "lambdamagic-own", "--yes")
        using = well("policy", "user").document

        become("user", using)
        job_id = _run_everything()
        assert "5" in well("logs").out
        well("jobs", "--bucket")
        well("attach", job_id)
        well("cancel", job_id)
        well("cost")
        well("clean", "--older-than", "0s", "--yes")
        assert well("invoke", "--code", "6 * 7").out.strip() == "42"
        assert "permission" not in call("invoke", "--payload", "{}").err
        well("warm", "2")
        well("demo", "--points", "1000")
        doctor = well("doctor", "--json")
        assert not [each for each in doctor.document["checks"] if each["state"] == "failed"]
        rights = next(each for each in doctor.document["checks"] if each["check"] == "rights")
        assert rights["state"] == "ok", rights
        refused = call("delete", "lambdamagic", "--yes")
        assert refused.status == 5 and "lambdamagic policy deployer" in refused.err
        refused = call("destroy", "--yes")
        assert refused.status == 5 and "lambdamagic policy deployer" in refused.err
        account.ask("s3", "create_bucket", Bucket="of-others")
        account.ask("s3", "put_object", Bucket="of-others", Key="lambdamagic/jobs/x", Body=b"x")
        s3 = AwsAccess().client("s3")
        for call_ in (s3.get_object, s3.delete_object):
            with pytest.raises(ClientError, match="AccessDenied"):
                call_(Bucket="of-others", Key="lambdamagic/jobs/x")
        s3.close()
        account.ask("s3", "delete_object", Bucket="of-others", Key="lambdamagic/jobs/x")
        account.ask("s3", "delete_bucket", Bucket="of-others")

        become("deployer", call("policy", "deployer").document)
        well("destroy", "--yes")
        process.close()
        assert account.inventory() == before


#: Who uses which command; those that ask AWS for nothing need no right.
USERS = {"attach", "cancel", "clean", "cost", "demo", "doctor", "invoke", "jobs", "logs", "warm"}
DEPLOYERS = {"create", "delete", "deploy", "destroy", "image", "list", "policy", "status", "update"}
NEEDS_NO_RIGHT = {"completion", "config", "local", "template"}


def test_each_command_has_its_policy() -> None:
    """The test above runs each under exactly the printed policy; a new command is added there."""
    assert set(COMMANDS) == USERS | DEPLOYERS | NEEDS_NO_RIGHT


def _push_no_image() -> None:
    """Do what `image push` asks of AWS; tests/images pushes."""
    access = AwsAccess()
    ensure_repository(access, "lambdamagic")
    assert ecr_login(access).password
    assert pushed_before(access, "lambdamagic", "none") is None
    assert remove_unused(access, "lambdamagic") == []


def _run_everything() -> str:
    """Run what jobs come in, in each mode, with a line for the log; return the id of one."""

    factorial = remote(cache=True)(math.factorial)
    with LambdaExecutor(max_workers=2) as executor:
        assert executor.submit(len, bytes(9_000_000)).result() == 9_000_000
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]
        executor.submit(print, 5).result()
    assert factorial(4) == factorial(4) == 24
    with LambdaExecutor(max_workers=2, mode="event") as executor:
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]
        assert executor.submit(len, bytes(9_000_001)).result() == 9_000_001
    with LambdaExecutor(max_workers=2, mode="trigger") as executor:
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]
    with LambdaExecutor(max_workers=24, mode="event") as executor:  # enough for the invoker
        job = executor.start_map(abs, range(24), chunksize=1)
        assert job.result(timeout=120) == list(range(24))
    program: dict[str, Any] = {"__name__": "__main__"}
    exec("def three(values):\n    return 3", program)
    graph = Graph.of([Node("a", [], program["three"]), Node("b", ["a"], dict)], ["b"])
    assert start_walks(Launcher(read_options({"mode": "event"})), graph, "b", label="graph").result(120) == {"a": 3}
    return job.job_id


def _a_job() -> str:
    try:
        with LambdaExecutor(max_workers=1) as executor:
            executor.submit(len, bytes(8_000_001)).result()
    except LambdaMagicError as error:
        return str(error)
    return ""


def _command(*words: str) -> Callable[[], str]:
    return lambda: call(*words).err


@pytest.mark.parametrize(
    ("action", "resource", "do"),
    [
        ("lambda:InvokeFunction", ":function:shared", _a_job),
        ("lambda:GetFunctionConfiguration", ":function:shared", _a_job),
        ("s3:PutObject", ":s3:::shared-bucket-", _a_job),
        ("logs:FilterLogEvents", ":log-group:/aws/lambda/shared", _command("logs", "shared")),
    ],
)
def test_one_right_of_the_users_is_missing(
    policies: dict[str, Any], become: Become, monkeypatch: pytest.MonkeyPatch, action: str, resource: str, do: Any
) -> None:
    """The message names the right, on what it is missing, and the command that prints the policy; so does doctor."""
    monkeypatch.setenv("LAMBDAMAGIC_TARGET", "aws")
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "shared")
    become("half", without(policies["user"], action))
    said = do()
    assert f"lack the permission {action} on arn:" in said and resource in said, said
    assert "lambdamagic policy user" in said
    checks = {each["check"]: each for each in call("doctor", "--json").document["checks"]}
    rights = checks["rights"]
    assert action in rights["text"] and "lambdamagic policy user" in rights["fix"], rights


def test_one_right_of_the_deployers_is_missing(account: Account, become: Become) -> None:
    """Each message names the right, on what, and the command; with the right the same command continues to the end.

    At once, in the middle of the stack's work, and where S3 answers 200 with an error for each key.
    """
    whole = call("policy", "deployer", "mine").document

    def lacks(action: str, resource: str, status: int, *words: str) -> None:
        become("builder", without(whole, action))
        done = call(*words)
        assert done.status == status, done
        assert action in done.err and resource in done.err, done.err
        assert "lambdamagic policy deployer" in done.err

    before = account.inventory()
    lacks("cloudformation:CreateStack", ":stack/mine/*", 5, "deploy", "mine")
    assert account.inventory() == before
    lacks("iam:PassRole", ":role/mine-FunctionRole-", 1, "deploy", "mine")
    become("builder", whole)
    assert call("deploy", "mine").status == 0
    lacks("s3:DeleteObject", ":s3:::mine-bucket-", 5, "destroy", "mine", "--yes")
    become("builder", whole)
    assert call("destroy", "mine", "--yes").status == 0
    assert account.inventory() == before


def test_in_a_vpc_with_a_key_of_ones_own(account: Account, become: Become) -> None:
    """Subnets, groups and key are in the function and the bucket; role and policies have the rights that they take."""
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    network = ("--subnet", "subnet-1a2b3c4d", "--subnet", "subnet-5e6f7a8b", "--security-group", "sg-1a2b3c4d")
    whole = call("policy", "deployer", "walled", "--kms-key", key).document
    become("walled", whole)
    done = call("--json", "deploy", "walled", *network, "--kms-key", key, "--trigger")
    assert done.status == 0, done.err
    made = account.ask("lambda", "get_function_configuration", FunctionName="walled")
    assert made["VpcConfig"]["SubnetIds"] == ["subnet-1a2b3c4d", "subnet-5e6f7a8b"]
    assert made["VpcConfig"]["SecurityGroupIds"] == ["sg-1a2b3c4d"]
    role = made["Role"].rpartition("/")[2]
    attached = account.ask("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSLambdaVPCAccessExecutionRole"]
    user = call("policy", "user", "walled").document
    [keyed] = [each for each in user["Statement"] if each["Sid"] == "UseTheBucketsKey"]
    assert keyed["Resource"] == key and keyed["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    bucket = next(each for each in account.inventory()["buckets"] if each.startswith("walled-"))
    [rule] = account.ask("s3", "get_bucket_encryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    bucket = done.document["outputs"]["Bucket"]
    where: Any = {"target": "aws", "function": "walled", "bucket": bucket}
    modes: Any = (("trigger", user), ("event", user), ("event", without(user, "kms:GenerateDataKey")))
    for mode, policy in modes:
        become("runs", policy)
        with LambdaExecutor(1, mode=mode, **where) as executor:
            if policy is user:
                assert executor.submit(len, bytes(8_000_001)).result() == 8_000_001
            else:
                with pytest.raises(LambdaMagicError, match="kms:GenerateDataKey"):
                    executor.submit(len, bytes(8_000_002)).result()
    become("walled", whole)
    assert call("deploy", "walled").out.startswith("walled is up to date"), "what is not given stays"
    assert call("destroy", "walled", "--yes").status == 0


def test_the_function_itself(account: Account, policies: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The role can log and nothing else: what a task reads and writes it does by presigned URLs."""
    monkeypatch.setenv("LAMBDAMAGIC_TARGET", "aws")
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "shared")

    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(LOOK, namespace)
    with LambdaExecutor(max_workers=1) as executor:
        said = executor.submit(namespace["look"]).result()
    process.close()
    assert "assumed-role/shared-FunctionRole" in said and "s3:ListAllMyBuckets" in said
    (statement,) = policies["role"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
