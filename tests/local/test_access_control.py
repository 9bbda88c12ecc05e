"""Users and roles are held to their policies, on the data plane and on moto's control plane."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO

As = Callable[..., Any]
NAMES = iter(range(1000))


def policy(*statements: tuple[str, str]) -> str:
    """Return a policy of (action, resource)."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements],
        }
    )


@pytest.fixture
def person(account: Any) -> Iterator[As]:
    """Make a user with a policy; returns a maker of the user's clients."""
    made = []

    def person(*statements: tuple[str, str]) -> Callable[[str], Any]:
        iam, name = account.client("iam"), f"person{next(NAMES)}"
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]

        def client(service: str) -> Any:
            found = boto3.client(
                service,
                endpoint_url=account.connection.endpoint_url,
                aws_access_key_id=key["AccessKeyId"],
                aws_secret_access_key=key["SecretAccessKey"],
                region_name=account.connection.region,
                config=Config(retries={"total_max_attempts": 1}, signature_version="s3v4" if service == "s3" else None),
            )
            made.append(found)
            return found

        client.name, client.key_id = name, key["AccessKeyId"]  # type: ignore[attr-defined]
        return client

    yield person
    for each in made:
        each.close()


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    return str(caught.value)


def test_a_user_without_policies_may_only_ask_who_he_is(account: Any, person: As) -> None:
    """Every service refuses, in its own protocol, with user, action and resource."""
    him = person()
    assert him("sts").get_caller_identity()["Account"] == "123456789012"
    assert "s3:ListAllMyBuckets on resource" in refusal(him("s3").list_buckets)
    assert "lambda:ListFunctions" in refusal(him("lambda").list_functions)
    assert "role/x" in refusal(him("iam").get_role, RoleName="x")
    assert "log-group:/g:log-stream:" in refusal(him("logs").filter_log_events, logGroupName="/g")
    assert "stack/s/*" in refusal(him("cloudformation").describe_stacks, StackName="s")
    assert "repository/rr" in refusal(him("ecr").create_repository, repositoryName="rr")
    assert "sqs:CreateQueue" in refusal(him("sqs").create_queue, QueueName="q")
    assert "lambda:GetAccountSettings" in refusal(him("lambda").get_account_settings)
    name = account.deploy(ECHO)
    said = refusal(him("lambda").invoke, FunctionName=name)
    assert f"user/{him.name} is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda" in said


def test_one_function_and_no_other(account: Any, person: As) -> None:
    """Invoke is allowed by name, ARN and qualifier, as the policy's resource says."""
    mine, other = account.deploy(ECHO), account.deploy(ECHO)
    arn = account.functions.get_function_configuration(FunctionName=mine)["FunctionArn"]
    her = person(("lambda:InvokeFunction", arn))("lambda")
    assert her.invoke(FunctionName=mine)["StatusCode"] == 200
    assert her.invoke(FunctionName=arn, InvocationType="DryRun")["StatusCode"] == 204
    assert f"function:{other}" in refusal(her.invoke, FunctionName=other)
    assert f"{mine}:$LATEST" in refusal(her.invoke, FunctionName=mine, Qualifier="$LATEST")
    assert "lambda:GetFunction on" in refusal(her.get_function, FunctionName=mine)


def test_what_a_function_is_made_from(account: Any, person: As) -> None:
    """Who makes a function must be allowed to give it its role, and to read its package."""
    role, bucket = account.role_arn(), account.bucket()
    given = {"Role": role, "Runtime": "python3.12", "Handler": "a.b", "Code": {"S3Bucket": bucket, "S3Key": "k.zip"}}
    half = person(("lambda:*", "*"))("lambda")
    assert f"iam:PassRole on resource: {role}" in refusal(half.create_function, FunctionName="made-from", **given)
    more = person(("lambda:*", "*"), ("iam:PassRole", role))("lambda")
    said = refusal(more.create_function, FunctionName="made-from", **given)
    assert f's3:GetObject on resource: "arn:aws:s3:::{bucket}/k.zip"' in said


def test_objects(account: Any, person: As) -> None:
    """Own prefix only; what is missing is reported only to who may list; DeleteObjects answers key by key."""
    bucket = account.bucket()
    s3 = account.client("s3")
    arn = f"arn:aws:s3:::{bucket}"
    his = person(("s3:*Object", f"{arn}/mine/*"))("s3")
    her = person(("s3:GetObject", f"{arn}/*"), ("s3:ListBucket", arn))("s3")
    his.put_object(Bucket=bucket, Key="mine/a", Body=b"a")
    s3.put_object(Bucket=bucket, Key="theirs/a", Body=b"a")
    assert "theirs/a" in refusal(his.get_object, Bucket=bucket, Key="theirs/a")
    assert "s3:ListBucket" in refusal(his.get_object, Bucket=bucket, Key="mine/none")
    with pytest.raises(her.exceptions.NoSuchKey):
        her.get_object(Bucket=bucket, Key="mine/none")
    answer = his.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "mine/a"}, {"Key": "theirs/a"}]})
    assert [each["Key"] for each in answer["Deleted"]] == ["mine/a"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [("theirs/a", "AccessDenied")]
    answer = his.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "theirs/a"}]})
    assert len(answer["Errors"]) == 1
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["theirs/a"]


def test_a_presigned_url_carries_its_signers_rights(account: Any, person: As) -> None:
    """Not those of whoever uses it."""
    import urllib.error
    import urllib.request

    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
    good = person(("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))("s3")
    with urllib.request.urlopen(
        good.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    ) as got:
        assert got.read() == b"a"
    url = person()("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    assert caught.value.code == 403 and b"s3:GetObject" in caught.value.read()
    caught.value.close()


def test_groups_attached_policies_boundaries_and_keys(account: Any, person: As) -> None:
    """All that a user's rights come from counts, from the moment it changes; a key that was deleted is unknown."""
    iam, him = account.client("iam"), person()
    functions = him("lambda")
    iam.create_group(GroupName=f"g-{him.name}")
    iam.add_user_to_group(GroupName=f"g-{him.name}", UserName=him.name)
    iam.put_group_policy(GroupName=f"g-{him.name}", PolicyName="p", PolicyDocument=policy(("lambda:List*", "*")))
    functions.list_functions()
    made = iam.create_policy(PolicyName=f"p-{him.name}", PolicyDocument=policy(("lambda:Get*", "*")))["Policy"]["Arn"]
    assert "GetAccountSettings" in refusal(functions.get_account_settings)
    iam.attach_user_policy(UserName=him.name, PolicyArn=made)
    functions.get_account_settings()
    iam.delete_access_key(UserName=him.name, AccessKeyId=him.key_id)
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        functions.list_functions()


def test_a_functions_key_has_its_roles_rights(account: Any) -> None:
    """The role bounds what the function's code may do, as a permissions boundary bounds the role."""
    iam = account.client("iam")
    bucket = account.bucket()
    boundary = iam.create_policy(PolicyName="bound", PolicyDocument=policy(("s3:List*", "*")))["Policy"]["Arn"]
    role = iam.create_role(RoleName="bounded", AssumeRolePolicyDocument="{}", PermissionsBoundary=boundary)["Role"]
    iam.put_role_policy(RoleName="bounded", PolicyName="p", PolicyDocument=policy(("s3:*", "*")))
    code = """
        import boto3
        def handler(event, context):
            s3 = boto3.client("s3")
            found = s3.list_objects_v2(Bucket=event)["KeyCount"]
            try:
                s3.put_object(Bucket=event, Key="k", Body=b"")
            except Exception as error:
                return [found, str(error)]
        """
    import textwrap

    from lambdamagic.pythons import python_here
    from tests.local.conftest import package

    account.functions.create_function(
        FunctionName="bounded",
        Role=role["Arn"],
        Runtime=f"python{python_here()}",
        Handler="app.handler",
        Timeout=20,
        Code={"ZipFile": package({"app.py": textwrap.dedent(code)})},
    )
    found, said = account.invoke("bounded", bucket)["Payload"]
    assert found == 0
    assert "assumed-role/bounded/bounded is not authorized to perform: s3:PutObject" in said
