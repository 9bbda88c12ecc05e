"""How moto behaves by itself: a program that prints whether each entry of `moto_patches` is still true.

A separate process, since what the embedded Lambda puts into moto stays for as long as a process lives.
"""

from __future__ import annotations

import json
import sys
import threading
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT

Template = dict[str, Any]
_REGION = "us-east-1"
_KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": _REGION}
_PROBES: dict[str, Callable[[], bool]] = {}


def probe(target: str) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Register what returns whether moto still behaves as the entry says."""

    def register(found: Callable[[], bool]) -> Callable[[], bool]:
        _PROBES[target] = found
        return found

    return register


def ask(service: str, operation: str, **arguments: Any) -> Any:
    return getattr(_client(service), operation)(**arguments)


@cache
def _client(service: str) -> Any:
    return boto3.client(service, **_KEYS)


def stack(name: str, **resources: Template) -> str:
    """Make a stack and return its status."""
    body = json.dumps({"Resources": resources})
    ask("cloudformation", "create_stack", StackName=name, TemplateBody=body)
    return status(name)


def change(name: str, **resources: Template) -> str:
    body = json.dumps({"Resources": resources})
    ask("cloudformation", "update_stack", StackName=name, TemplateBody=body)
    return status(name)


def status(name: str) -> str:
    return str(ask("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]["StackStatus"])


def bucket(name: str, **properties: Any) -> Template:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **properties}}


def group(name: str, **properties: Any) -> Template:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, **properties}}


def role(**properties: Any) -> Template:
    trust = {"Version": "2012-10-17", "Statement": []}
    return {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": trust, **properties}}


def function(**properties: Any) -> Template:
    arn = ask("iam", "create_role", RoleName="f", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": "def handler(event, context): pass"}
    basic = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "index.handler", "Role": arn, "Code": code}
    return {"Type": "AWS::Lambda::Function", "Properties": {**basic, **properties}}


def layer(description: str = "") -> Template:
    ask("s3", "create_bucket", Bucket="code")
    ask("s3", "put_object", Bucket="code", Key="k", Body=b"x")
    content = {"S3Bucket": "code", "S3Key": "k"}
    properties = {"LayerName": "wanted", "Content": content, "Description": description}
    return {"Type": "AWS::Lambda::LayerVersion", "Properties": properties}


def layers() -> dict[str, list[int]]:
    """Return the versions of all layers by the layers' names."""
    names = [each["LayerName"] for each in ask("lambda", "list_layers")["Layers"]]
    versions = {name: ask("lambda", "list_layer_versions", LayerName=name)["LayerVersions"] for name in names}
    return {name: [each["Version"] for each in found] for name, found in versions.items()}


DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
)
RULE = {"Id": "r", "Status": "Enabled", "Prefix": "p", "ExpirationInDays": 1}
LIFECYCLE = {"Rules": [RULE]}


def has_rules(name: str) -> bool:
    try:
        return bool(ask("s3", "get_bucket_lifecycle_configuration", Bucket=name)["Rules"])
    except ClientError:
        return False


def attached() -> list[Any]:
    return list(ask("iam", "list_attached_role_policies", RoleName="r")["AttachedPolicies"])


@probe("moto.s3.models:tempfile")
def bodies() -> bool:
    from moto.s3.models import s3_backends

    ask("s3", "create_bucket", Bucket="bbb")
    ask("s3", "put_object", Bucket="bbb", Key="k", Body=bytes(1_000_000))
    kept = s3_backends[ACCOUNT]["aws"].get_object("bbb", "k")._value_buffer
    return not getattr(kept, "_rolled", True)


def _runs_docker(start: Callable[[], object]) -> bool:
    from moto.awslambda.models import LambdaFunction

    class Started(Exception):
        pass

    def client(self: Any) -> Any:
        raise Started

    before, seen = LambdaFunction.docker_client, []
    LambdaFunction.docker_client = property(lambda self: seen.append(1) or client(self))
    try:
        start()
    except Started:
        pass
    finally:
        LambdaFunction.docker_client = before
    return bool(seen)


@probe("moto.awslambda.models:LambdaFunction.invoke")
def docker_for_others() -> bool:
    stack("s", F=function())
    return _runs_docker(lambda: ask("lambda", "invoke", FunctionName="f"))


@probe("moto.s3.notifications:_invoke_awslambda")
def docker_for_events() -> bool:
    stack("s", F=function())
    ask("s3", "create_bucket", Bucket="bbb")
    arn = ask("lambda", "get_function", FunctionName="f")["Configuration"]["FunctionArn"]
    wanted = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    ask("s3", "put_bucket_notification_configuration", Bucket="bbb", NotificationConfiguration=wanted)
    return _runs_docker(lambda: ask("s3", "put_object", Bucket="bbb", Key="k", Body=b""))


@probe("moto.sts.models:random_session_token")
def tokens() -> bool:
    arn = ask("iam", "create_role", RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    found = ask("sts", "assume_role", RoleArn=arn, RoleSessionName="session")["Credentials"]["SessionToken"]
    return len(found) < 1_000


@probe("moto.cloudformation.models:CloudFormationBackend.create_stack")
def one_name_twice() -> bool:
    from moto.cloudformation.models import Stack

    both, parse = threading.Barrier(2, timeout=5), Stack._parse_template

    def meet(self: Any) -> None:
        try:
            both.wait()
        except threading.BrokenBarrierError:
            pass  # it is alone
        parse(self)

    made: list[str] = []

    def make(name: str) -> None:
        made.append(stack("s", G=group(name)))

    Stack._parse_template = meet
    try:
        threads = [threading.Thread(target=make, args=(name,)) for name in ("/a", "/b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        Stack._parse_template = parse
    return len(made) == 2


@probe("moto.cloudformation.models:Stack.create_resources")
def made_at_once() -> bool:
    return stack("s", G=group("/g")) == "CREATE_COMPLETE"


@probe("moto.cloudformation.models:Stack.update")
def updated_at_once() -> bool:
    stack("s", G=group("/g"))
    return change("s", G=group("/g"), H=group("/h")) == "UPDATE_COMPLETE"


@probe("moto.cloudformation.models:CloudFormationBackend.delete_stack")
def deleted_at_once() -> bool:
    stack("s", G=group("/g"))
    ask("cloudformation", "delete_stack", StackName="s")
    return not ask("logs", "describe_log_groups")["logGroups"]


def _unmade() -> Any:
    from moto.cloudformation.models import Stack

    template = {"Resources": {"G": group("/g")}, "Outputs": {"Out": {"Value": {"Fn::GetAtt": ["G", "Arn"]}}}}
    arn = f"arn:aws:cloudformation:{_REGION}:{ACCOUNT}:stack/s/1"
    return Stack(arn, "s", json.dumps(template), {}, ACCOUNT, _REGION)


@probe("moto.cloudformation.models:Stack.outputs")
def outputs_make() -> bool:
    assert _unmade().outputs
    return bool(ask("logs", "describe_log_groups")["logGroups"])


@probe("moto.cloudformation.models:Stack.stack_resources")
def resources_make() -> bool:
    assert list(_unmade().stack_resources)
    return bool(ask("logs", "describe_log_groups")["logGroups"])


@probe("moto.cloudformation.responses:CloudFormationResponse.continue_update_rollback")
def no_continuation() -> bool:
    from moto.cloudformation.responses import CloudFormationResponse

    return not hasattr(CloudFormationResponse, "continue_update_rollback")


@probe("moto.awslambda.models:LambdaFunction.create_from_cloudformation_json")
def functions() -> bool:
    stack("s", F=function(EphemeralStorage={"Size": 1024}, Tags=[{"Key": "a", "Value": "b"}]))
    found = ask("lambda", "get_function", FunctionName="f")
    return found["Configuration"]["EphemeralStorage"]["Size"] == 512 or "a" not in found.get("Tags", {})


@probe("moto.awslambda.models:LambdaFunction.update_from_cloudformation_json")
def changed_functions() -> bool:
    wanted = function()
    stack("s", F=wanted)
    try:
        change("s", F={**wanted, "Properties": {**wanted["Properties"], "ReservedConcurrentExecutions": 3}})
    except Exception:
        return True  # the text of a module is no zip file to it
    found = ask("lambda", "get_function", FunctionName="f").get("Concurrency", {})
    return bool(found.get("ReservedConcurrentExecutions") != 3)


@probe("moto.logs.models:LogGroup.update_from_cloudformation_json")
def changed_groups() -> bool:
    stack("s", G=group("/g", RetentionInDays=3))
    try:
        change("s", G=group("/g", RetentionInDays=7))
    except Exception:
        return True
    return bool(ask("logs", "describe_log_groups")["logGroups"][0].get("retentionInDays") != 7)


@probe("moto.s3.models:FakeBucket.create_from_cloudformation_json")
def buckets() -> bool:
    stack("s", B=bucket("bbb", LifecycleConfiguration=LIFECYCLE))
    return not has_rules("bbb")


@probe("moto.s3.models:FakeBucket.update_from_cloudformation_json")
def changed_buckets() -> bool:
    stack("s", B=bucket("bbb"))
    change("s", B=bucket("bbb", LifecycleConfiguration=LIFECYCLE))
    return not has_rules("bbb")


@probe("moto.s3.models:FakeBucket.delete_from_cloudformation_json")
def full_buckets() -> bool:
    stack("s", B=bucket("bbb"))
    ask("s3", "put_object", Bucket="bbb", Key="k", Body=b"")
    try:
        ask("cloudformation", "delete_stack", StackName="s")
        return status("s") == "DELETE_COMPLETE"
    except ClientError as error:
        return "does not exist" in str(error)


@probe("moto.awslambda.models:LayerVersion.create_from_cloudformation_json")
def layers_names() -> bool:
    stack("s", L=layer())
    return "wanted" not in layers()


@probe("moto.awslambda.models:LayerVersion.update_from_cloudformation_json")
def changed_layers() -> bool:
    before = layer()
    stack("s", L=before)
    try:
        change("s", L={**before, "Properties": {**before["Properties"], "Description": "new"}})
    except Exception:
        return True
    return max(number for versions in layers().values() for number in versions) == 1


@probe("moto.awslambda.models:LayerVersion.physical_resource_id")
def layers_ids() -> bool:
    stack("s", L=layer())
    found = ask("cloudformation", "describe_stack_resources", StackName="s")["StackResources"]
    return not found[0].get("PhysicalResourceId", "").startswith("arn:")


@probe("moto.awslambda.models:LayerVersion.delete")
def kept_layers() -> bool:
    stack("s", L=layer())
    try:
        ask("cloudformation", "delete_stack", StackName="s")
    except Exception:
        return True
    return bool(layers())


@probe("moto.iam.models:Role.create_from_cloudformation_json")
def roles() -> bool:
    made = ask("iam", "create_policy", PolicyName="p", PolicyDocument=DOCUMENT)
    stack("s", R=role(ManagedPolicyArns=[made["Policy"]["Arn"]]))
    return not attached()


@probe("moto.iam.models:Role.update_from_cloudformation_json")
def changed_roles() -> bool:
    made = ask("iam", "create_policy", PolicyName="p", PolicyDocument=DOCUMENT)
    stack("s", R=role())
    change("s", R=role(ManagedPolicyArns=[made["Policy"]["Arn"]]))
    return not attached()


@probe("moto.iam.models:Role.delete_from_cloudformation_json")
def kept_roles() -> bool:
    made = ask("iam", "create_policy", PolicyName="p", PolicyDocument=DOCUMENT)
    stack("s", R=role())
    ask("iam", "attach_role_policy", RoleName="r", PolicyArn=made["Policy"]["Arn"])
    try:
        ask("cloudformation", "delete_stack", StackName="s")
    except Exception:
        return True
    return any(each["RoleName"] == "r" for each in ask("iam", "list_roles")["Roles"])


@probe("AWS::Lambda::EventInvokeConfig")
def no_events() -> bool:
    config = {"FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": 0}
    stack("s", F=function(), E={"Type": "AWS::Lambda::EventInvokeConfig", "DependsOn": "F", "Properties": config})
    try:
        ask("lambda", "get_function_event_invoke_config", FunctionName="f")
    except ClientError:
        return True
    return False


@probe("AWS::S3::BucketPolicy")
def no_policies() -> bool:
    document = {"Version": "2012-10-17", "Statement": []}
    policy = {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "bbb", "PolicyDocument": document}}
    stack("s", B=bucket("bbb"), P={**policy, "DependsOn": "B"})
    try:
        ask("s3", "get_bucket_policy", Bucket="bbb")
    except ClientError:
        return True
    return False


def made(**properties: Any) -> Any:
    """Make a function by Lambda's own API and return what is answered."""
    arn = ask("iam", "create_role", RoleName="f", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": b"PK\5\6" + bytes(18)}
    basic = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "index.handler", "Role": arn, "Code": code}
    return ask("lambda", "create_function", **{**basic, **properties})


def _takes(operation: str, **arguments: Any) -> bool:
    try:
        ask("lambda", operation, **arguments)
    except ClientError:
        return False
    return True


@probe("moto.awslambda.models:LambdaFunction.__init__")
def snapshots_of_anything() -> bool:
    return bool(made(Runtime="nodejs20.x", SnapStart={"ApplyOn": "PublishedVersions"}))


@probe("moto.awslambda.models:LambdaFunction.update_configuration")
def snapshots_of_anything_later() -> bool:
    made(Runtime="nodejs20.x")
    wanted = {"FunctionName": "f", "SnapStart": {"ApplyOn": "PublishedVersions"}}
    return _takes("update_function_configuration", **wanted)


@probe("moto.awslambda.models:LambdaFunction.get_configuration")
def forgotten_snapshots() -> bool:
    found = made(SnapStart={"ApplyOn": "PublishedVersions"})
    return found["SnapStart"]["ApplyOn"] == "None" and "RevisionId" not in found


@probe("moto.awslambda.models:LambdaFunction.update_function_code")
def no_revisions() -> bool:
    made()
    zipped = b"PK\5\6" + bytes(18)
    return "RevisionId" not in ask("lambda", "update_function_code", FunctionName="f", ZipFile=zipped)


@probe("moto.awslambda.models:LambdaAlias.update")
def one_revision_of_an_alias() -> bool:
    made()
    before = ask("lambda", "create_alias", FunctionName="f", FunctionVersion="$LATEST", Name="live")["RevisionId"]
    after = ask("lambda", "update_alias", FunctionName="f", Name="live", Description="other")["RevisionId"]
    return bool(before == after)


@probe("moto.awslambda.policy:Policy.del_statement")
def one_revision_of_a_policy() -> bool:
    made()
    for sid in ("a", "b"):
        wanted = {"StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "*"}
        ask("lambda", "add_permission", FunctionName="f", **wanted)
    before = ask("lambda", "get_policy", FunctionName="f")["RevisionId"]
    ask("lambda", "remove_permission", FunctionName="f", StatementId="a")
    return bool(before == ask("lambda", "get_policy", FunctionName="f")["RevisionId"])


@probe("moto.awslambda.models:LambdaBackend.put_function_concurrency")
def reserves_anything() -> bool:
    made()
    return _takes("put_function_concurrency", FunctionName="f", ReservedConcurrentExecutions=1000)


@probe("moto.awslambda.models:LambdaStorage.publish_version")
def numbers_given_twice() -> bool:
    made()
    numbers = []
    for description in "abc":
        ask("lambda", "update_function_configuration", FunctionName="f", Description=description)
        numbers.append(ask("lambda", "publish_version", FunctionName="f")["Version"])
        if len(numbers) == 2:
            ask("lambda", "delete_function", FunctionName="f", Qualifier=numbers[0])
    return len(set(numbers)) < len(numbers)


@probe("AWS::Lambda::Alias")
def no_aliases() -> bool:
    of = {"FunctionName": "f", "FunctionVersion": "$LATEST", "Name": "live"}
    stack("s", F=function(), A={"Type": "AWS::Lambda::Alias", "Properties": of, "DependsOn": "F"})
    return not ask("lambda", "list_aliases", FunctionName="f")["Aliases"]


@probe("AWS::Lambda::Version")
def plain_versions() -> bool:
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}, "Description": "mine"}}
    stack("s", F=function(), V=version)
    versions = ask("lambda", "list_versions_by_function", FunctionName="f")["Versions"]
    return versions[-1]["Description"] != "mine"


def main() -> None:
    """Print the answers."""
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for target, still in _PROBES.items():
        with mock_aws():
            try:
                found[target] = still()
            except Exception as error:  # its test shows it
                found[target] = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
