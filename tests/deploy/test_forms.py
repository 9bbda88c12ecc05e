"""Templates and policies: clean by public linters, and equal in effect in all their forms."""

from __future__ import annotations

import json
import warnings
from typing import Any

import hcl2
import pytest

from lambdamagic.deploy import policies
from lambdamagic.deploy.forms import render, sam
from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.template import template, to_text

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/lambdamagic:1"
WHERE = {"partition": "aws", "region": "eu-central-1", "account_id": "123456789012"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def spec(**given: Any) -> StackSpec:
    return StackSpec.changed({}, name="lambdamagic", python="3.12", **given)


FULL = spec(
    memory_mb=4096,
    environment={"MODE": "x"},
    subnets=("subnet-12345678",),
    security_groups=("sg-12345678",),
    reserved_concurrency=50,
    has_trigger=True,
    has_repository=True,
    has_invoker=True,
    has_graphs=True,
    permissions_boundary="arn:aws:iam::123456789012:policy/bounds",
    data_buckets=("my-data", "my-results:write"),
    kms_key=KEY,
).with_code(("agent", "packages"), {"LAMBDAMAGIC_HOLDS": "1:x"})
SPECS = {
    "plain": spec().with_code(("agent",), {}),
    "full": FULL,
    "image": spec(image=IMAGE, has_repository=True),
    "image with invoker": spec(image=IMAGE, has_invoker=True),
    "snapstart": spec(has_snapstart=True).with_code(("agent", "packages"), {}),
    "own bucket": spec(bucket="ours-already", has_graphs=True).with_code(("agent",), {}),
}


@pytest.mark.parametrize("name", SPECS)
def test_cfn_lint_finds_nothing(name: str) -> None:
    """No error and no warning, in the whole template and in the one that only makes the bucket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the linter's own dependencies
        from cfnlint.api import lint_all

        made = [template(SPECS[name])]
        if SPECS[name].bucket is None:
            made.append(template(SPECS[name], with_function=False))
        found = [match for each in made for match in lint_all(to_text(each))]
    # Informational rules (I...) advise; among them one that wants prose for machines in every resource. It looks
    # at all regions, and some have no SnapStart (E2530).
    accepted = ("I", "E2530") if name == "snapstart" else ("I",)
    assert [str(match) for match in found if not match.rule.id.startswith(accepted)] == []


def test_a_template_fits_into_a_request() -> None:
    """51,200 bytes is what CreateStack takes without a bucket ("AWS CloudFormation quotas")."""
    assert len(to_text(template(FULL)).encode()) < 51_200


@pytest.mark.parametrize("name", ["plain", "full", "image", "image with invoker", "snapstart"])
def test_sam_becomes_the_same_template(name: str) -> None:
    """AWS's own translator turns the SAM form into the resources of the CloudFormation form."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the translator's own dependencies
        from samtranslator.public.translator import ManagedPolicyLoader
        from samtranslator.translator.translator import Translator

        class NoPolicies(ManagedPolicyLoader):
            def __init__(self) -> None:
                pass

            def load(self) -> dict[str, str]:
                return {}

        source = template(SPECS[name])
        parameters = dict.fromkeys(source.get("Parameters", {}), "x")
        import boto3

        session = boto3.Session(region_name="eu-central-1")
        made = Translator({}, Parser(), boto_session=session).translate(sam(source), parameters)
    resources = made["Resources"]
    events = [each for each in resources.values() if each["Type"] == "AWS::Lambda::EventInvokeConfig"]
    mine = {key: each for key, each in source["Resources"].items() if each["Type"] == "AWS::Lambda::EventInvokeConfig"}
    assert _settings(events) == _settings(mine.values())
    for key, wanted in source["Resources"].items():
        if key in mine:
            continue
        found = resources[key]
        assert found["Type"] == wanted["Type"]
        assert _plain(found["Properties"], parameters) == _plain(wanted["Properties"], parameters), key


def Parser() -> Any:
    from samtranslator.parser.parser import Parser as Found

    return Found()


def _settings(events: Any) -> Any:
    names = ("Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    return sorted([each["Properties"][name] for name in names] for each in events)


def _plain(value: Any, parameters: dict[str, str]) -> Any:
    """Return properties without what SAM itself adds (a tag) or writes otherwise (parameters filled in)."""
    if isinstance(value, dict):
        if set(value) == {"Ref"} and value["Ref"] in parameters:
            return parameters[value["Ref"]]
        return {key: _plain(item, parameters) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, parameters) for item in value if not _is_tag_of_sam(item)]
    return value


def _is_tag_of_sam(item: Any) -> bool:
    return isinstance(item, dict) and item.get("Key") == "lambda:createdBy"


def _terraform(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the resources of the Terraform form, as an HCL library reads it."""
    document = hcl2.loads(render(SPECS[name], "terraform"))
    found = {}
    for each in document["resource"]:
        for kind, labelled in each.items():
            for label, body in labelled.items():
                found[_text(kind), _text(label)] = _clean(body)
    return found


def _text(value: str) -> str:
    return value.strip('"')


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(key): _clean(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        return value[1:-1] if value.startswith('"') and value.endswith('"') and len(value) > 1 else value
    return value


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def test_terraform_says_the_same() -> None:
    """Each property of the CloudFormation form is in the Terraform form, read back by an HCL library."""
    source = template(FULL)["Resources"]
    found = _terraform("full")
    function, wanted = found["aws_lambda_function", "function"], source["Function"]["Properties"]
    same = {
        "function_name": "FunctionName",
        "runtime": "Runtime",
        "handler": "Handler",
        "memory_size": "MemorySize",
        "timeout": "Timeout",
        "architectures": "Architectures",
        "package_type": "PackageType",
        "reserved_concurrent_executions": "ReservedConcurrentExecutions",
    }
    assert {key: function[key] for key in same} == {key: wanted[name] for key, name in same.items()}
    assert _one(function["environment"])["variables"] == wanted["Environment"]["Variables"]
    assert _one(function["ephemeral_storage"])["size"] == wanted["EphemeralStorage"]["Size"]
    assert _one(function["vpc_config"])["subnet_ids"] == wanted["VpcConfig"]["SubnetIds"]
    assert len(function["layers"]) == len(wanted["Layers"]) == 2
    assert "aws_iam_role.function.arn" in function["role"]
    events = found["aws_lambda_function_event_invoke_config", "function"]
    assert events["maximum_retry_attempts"] == 0
    assert events["maximum_event_age_in_seconds"] == source["FunctionEvents"]["Properties"]["MaximumEventAgeInSeconds"]
    group = found["aws_cloudwatch_log_group", "function"]
    assert group["retention_in_days"] == source["LogGroup"]["Properties"]["RetentionInDays"]
    block = found["aws_s3_bucket_public_access_block", "bucket"]
    assert [value for key, value in block.items() if key != "bucket"] == [True] * 4
    rules = found["aws_s3_bucket_lifecycle_configuration", "bucket"]["rule"]
    of_source = source["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [(rule["id"], _one(rule["filter"])["prefix"]) for rule in rules] == [
        (rule["Id"], rule.get("Prefix", "")) for rule in of_source
    ]
    assert [_one(rule["expiration"])["days"] for rule in rules if "expiration" in rule] == [
        rule["ExpirationInDays"] for rule in of_source if "ExpirationInDays" in rule
    ]
    encryption = _one(found["aws_s3_bucket_server_side_encryption_configuration", "bucket"]["rule"])
    assert _one(encryption["apply_server_side_encryption_by_default"])["kms_master_key_id"] == KEY
    permission = found["aws_lambda_permission", "trigger"]
    assert permission["principal"] == "s3.amazonaws.com"
    notification = _one(found["aws_s3_bucket_notification", "bucket"]["lambda_function"])
    assert notification["filter_prefix"] == "lambdamagic/trigger/"
    assert found["aws_ecr_repository", "images"]["image_tag_mutability"] == "IMMUTABLE"
    _same_invoker(source, found)
    text = render(FULL, "terraform")
    for action in ("logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "sts:AssumeRole"):
        assert f'"{action}"' in text
    assert '"${aws_cloudwatch_log_group.function.arn}:*"' in text
    assert "aws:SecureTransport" in text


def _same_invoker(source: dict[str, Any], found: dict[tuple[str, str], dict[str, Any]]) -> None:
    function, wanted = found["aws_lambda_function", "invoker"], source["InvokerFunction"]["Properties"]
    assert function["handler"] == wanted["Handler"] == "lambdamagic.worker.invoker.handler"
    assert (function["memory_size"], function["timeout"]) == (wanted["MemorySize"], wanted["Timeout"])
    assert _one(function["environment"])["variables"] == {"LAMBDAMAGIC_INVOKES": "lambdamagic"}
    assert len(function["layers"]) == len(wanted["Layers"]) == 1
    assert "aws_iam_role.invoker.arn" in function["role"] and "vpc_config" not in function
    assert found["aws_cloudwatch_log_group", "invoker"]["retention_in_days"] == 14
    assert found["aws_lambda_function_event_invoke_config", "invoker"]["maximum_retry_attempts"] == 0
    assert "aws_iam_role.invoker.name" in found["aws_iam_role_policy", "invoker"]["role"]
    assert found["aws_iam_role", "invoker"]["permissions_boundary"].endswith(":policy/bounds")
    text = render(FULL, "terraform")
    arn = "lambda:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:function:lambdamagic"
    assert f'{arn}"' in text and f'{arn}-py3*"' in text
    assert '"${aws_cloudwatch_log_group.invoker.arn}:*"' in text


def test_snapstart_is_a_version_behind_an_alias() -> None:
    """Another configuration is another version; Terraform publishes one by itself; without it nothing is different."""
    made, larger = (
        template(spec(has_snapstart=True, memory_mb=memory_mb).with_code(("agent",), {})) for memory_mb in (2048, 4096)
    )
    resources = made["Resources"]
    assert resources["Function"]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert resources["LiveVersion"] != larger["Resources"]["LiveVersion"]
    assert {"Ref": "CodeKey"} in _values(resources["LiveVersion"]) and {"Ref": "AgentLayerKey"} in _values(
        resources["LiveVersion"]
    )
    assert resources["Live"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": ["LiveVersion", "Version"]}
    assert resources["LiveEvents"]["Properties"]["Qualifier"] == resources["Live"]["Properties"]["Name"] == "live"
    assert made["Outputs"]["FunctionName"]["Value"] == {"Fn::Sub": "${Function}:live"}
    found = _terraform("snapstart")
    function = found["aws_lambda_function", "function"]
    assert (function["publish"], _one(function["snap_start"])["apply_on"]) == (True, "PublishedVersions")
    assert found["aws_lambda_alias", "live"]["function_version"] == "${aws_lambda_function.function.version}"
    assert found["aws_lambda_function_event_invoke_config", "live"]["qualifier"] == "live"
    for name in ("plain", "full", "image"):
        assert "snap" not in to_text(template(SPECS[name])).lower()
        assert not {"LiveVersion", "Live", "LiveEvents"} & set(template(SPECS[name])["Resources"])


def _values(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for each in inner for found in _values(each))]


def test_an_invoker_from_an_image() -> None:
    """The same image with another command, in all forms."""
    source = template(SPECS["image with invoker"])["Resources"]
    command = ["lambdamagic.worker.invoker.handler"]
    assert source["InvokerFunction"]["Properties"]["ImageConfig"] == {"Command": command}
    function = _terraform("image with invoker")["aws_lambda_function", "invoker"]
    assert _one(function["image_config"])["command"] == command


def test_an_invoker_is_created_only_on_request() -> None:
    """Without it no resource and no variable; with it what was said stays until it is taken back."""
    plain, with_one = template(SPECS["plain"]), template(FULL)
    assert not [each for each in plain["Resources"] if "Invoker" in each]
    assert "Environment" not in plain["Resources"]["Function"]["Properties"]
    variables = with_one["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["LAMBDAMAGIC_INVOKER"] == "lambdamagic-invoker"
    remembered = FULL.remembered()
    assert StackSpec.changed(remembered, memory_mb=512).has_invoker
    assert not StackSpec.changed(remembered, has_invoker=False).has_invoker
    assert "LAMBDAMAGIC_INVOKER" not in remembered["function"]["environment"]


@pytest.mark.parametrize("name", SPECS)
def test_terraform_makes_the_same_kinds(name: str) -> None:
    """For every resource of the template, and none also."""
    kinds = {
        "AWS::S3::Bucket": "aws_s3_bucket",
        "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
        "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
        "AWS::IAM::Role": "aws_iam_role",
        "AWS::Lambda::LayerVersion": "aws_lambda_layer_version",
        "AWS::Lambda::Function": "aws_lambda_function",
        "AWS::Lambda::Alias": "aws_lambda_alias",
        "AWS::Lambda::EventInvokeConfig": "aws_lambda_function_event_invoke_config",
        "AWS::Lambda::Permission": "aws_lambda_permission",
        "AWS::ECR::Repository": "aws_ecr_repository",
    }
    wanted = sorted(
        kinds[each["Type"]] for each in template(SPECS[name])["Resources"].values() if each["Type"] in kinds
    )
    assert sorted(kind for kind, _ in _terraform(name) if kind in kinds.values()) == wanted


def _findings(document: Any) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the linter's pkg_resources
        from parliament import analyze_policy_string

        return sorted({finding.issue for finding in analyze_policy_string(json.dumps(document)).findings})


POLICIES = {
    "user": policies.user_policy(
        **WHERE,
        function="lambdamagic",
        bucket="lambdamagic-bucket-1",
        kms_key=KEY,
        has_invoker=True,
        has_snapstart=True,
    ),
    "invoker": policies.invoker_policy(**WHERE, function="lambdamagic"),
    "role": policies.role_policy(**WHERE, function="lambdamagic"),
    "role with graphs": policies.role_policy(
        **WHERE, function="lambdamagic", graphs_bucket="lambdamagic-bucket-1", kms_key=KEY
    ),
    "deployer": policies.deployer_policy(**WHERE, name="lambdamagic", kms_key=KEY),
}


@pytest.mark.parametrize("who", POLICIES)
def test_policies_are_clean_and_narrow(who: str) -> None:
    """A public linter finds nothing; no action is a pattern; a resource is one only where AWS knows none."""
    # Who deploys writes the policy and lifecycle of the stack's own bucket, and so could open it to himself: that is
    # what making a bucket means. The linter says so, and nothing else.
    expected = ["RESOURCE_POLICY_PRIVILEGE_ESCALATION"] if who == "deployer" else []
    assert _findings(POLICIES[who]) == expected
    for statement in POLICIES[who]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        assert not [action for action in actions if "*" in action]
        if "*" in resources:
            assert statement["Sid"] == "Look"
            assert all(action.split(":")[1].startswith(("List", "Get", "Describe")) for action in actions)


def test_policies_fit_iam() -> None:
    """A managed policy has at most 6,144 characters without blanks ("IAM and AWS STS quotas")."""
    for document in POLICIES.values():
        assert len(json.dumps(document, separators=(",", ":"))) < 6_144


def test_the_deployer_may_push_images() -> None:
    """To the one repository, what "IAM permissions for pushing an image" of the Amazon ECR User Guide lists."""
    wanted = (
        "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload InitiateLayerUpload PutImage UploadLayerPart"
    )
    [repository] = [each for each in POLICIES["deployer"]["Statement"] if each["Sid"] == "Repository"]
    assert {f"ecr:{action}" for action in wanted.split()} <= set(repository["Action"])
    assert repository["Resource"].endswith(":repository/lambdamagic")
    [look] = [each for each in POLICIES["deployer"]["Statement"] if each["Sid"] == "Look"]
    assert "ecr:GetAuthorizationToken" in look["Action"]


def test_the_role_of_a_function_that_runs_graphs() -> None:
    """It may invoke the function itself and its variants, and read, write and list one prefix; no more, and no less."""
    [policy] = [each for name, each in template(FULL)["Resources"].items() if name == "GraphsPolicy"]
    of_template = policy["Properties"]["PolicyDocument"]["Statement"]
    printed = POLICIES["role with graphs"]["Statement"][1:]
    assert [(each["Sid"], each["Action"]) for each in of_template] == [
        (each["Sid"], each["Action"]) for each in printed
    ]
    invokes, uses, lists, _ = printed
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:lambdamagic"
    assert invokes["Resource"] == [arn, f"{arn}-py3*"]
    assert uses["Resource"] == "arn:aws:s3:::lambdamagic-bucket-1/lambdamagic/graphs/*"
    assert lists["Condition"] == {"StringLike": {"s3:prefix": "lambdamagic/graphs/*"}}
    assert [each["Fn::Sub"].rpartition(":")[2] for each in of_template[0]["Resource"]] == [
        "lambdamagic",
        "lambdamagic-py3*",
    ]
    assert "GraphsPolicy" not in template(SPECS["plain"])["Resources"]
    assert (
        template(FULL)["Resources"]["Function"]["Properties"]["Environment"]["Variables"]["LAMBDAMAGIC_GRAPHS"] == "1"
    )


def test_the_roles_of_the_template_are_clean() -> None:
    """The same for what the function itself may do."""
    filled = json.loads(to_text(template(FULL)).replace('{"Fn::GetAtt": ["LogGroup", "Arn"]}', '"x"'))
    policy, data = filled["Resources"]["FunctionRole"]["Properties"]["Policies"]
    for statement in data["PolicyDocument"]["Statement"]:
        statement["Resource"] = [each["Fn::Sub"].replace("${AWS::Partition}", "aws") for each in statement["Resource"]]
    assert _findings(data["PolicyDocument"]) == []
    assert [(each["Action"], each["Resource"]) for each in data["PolicyDocument"]["Statement"]] == [
        (["s3:GetObject"], ["arn:aws:s3:::my-data/*", "arn:aws:s3:::my-results/*"]),
        (["s3:ListBucket"], ["arn:aws:s3:::my-data", "arn:aws:s3:::my-results"]),
        (["s3:PutObject", "s3:DeleteObject"], ["arn:aws:s3:::my-results/*"]),
    ]
    document = policy["PolicyDocument"]
    document["Statement"][0]["Resource"] = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/lambdamagic:*"
    assert _findings(document) == []
    [policy] = template(FULL)["Resources"]["InvokerRole"]["Properties"]["Policies"]
    of_template, printed = policy["PolicyDocument"]["Statement"], POLICIES["invoker"]["Statement"]
    assert [(each["Sid"], each["Action"]) for each in printed[:1]] == [("WriteItsLog", of_template[0]["Action"])]
    assert printed[1]["Action"] == [of_template[1]["Action"]] == ["lambda:InvokeFunction"]
    suffixes = [each["Fn::Sub"].rpartition(":")[2] for each in of_template[1]["Resource"]]
    assert suffixes == [each.rpartition(":")[2] for each in printed[1]["Resource"]]
    assert suffixes == ["lambdamagic", "lambdamagic-py3*"]
