"""The template for Terraform's provider hashicorp/aws: made resource by resource from the CloudFormation one. Pure.

A module written by hand, with variables, was weighed against this. It would be as long (the optional parts become
`count`, `for_each` and `dynamic` blocks), its policies would stand a second time where they can grow apart, and no test
could hold it equal in effect: what its conditions come to only the provider's plan says, which needs a network and an
account. What is made here is read back by a test and compared with the CloudFormation form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lambdamagic.deploy.hcl import Block, Expression, write
from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.template import template

Json = dict[str, Any]
Resource = tuple[str, str, Json]
_PLACE = re.compile(r"\$\{([^}]+)\}")

# What CloudFormation calls by Ref and Fn::GetAtt, as Terraform does.
_REFERENCES = {
    "AWS::AccountId": "data.aws_caller_identity.current.account_id",
    "AWS::Partition": "data.aws_partition.current.partition",
    "AWS::Region": "data.aws_region.current.name",
    "Bucket": "aws_s3_bucket.bucket.id",
    "Bucket.Arn": "aws_s3_bucket.bucket.arn",
    "Function": "aws_lambda_function.function.function_name",
    "Function.Arn": "aws_lambda_function.function.arn",
    "FunctionRole": "aws_iam_role.function.name",
    "FunctionRole.Arn": "aws_iam_role.function.arn",
    "InvokerFunction": "aws_lambda_function.invoker.function_name",
    "InvokerRole": "aws_iam_role.invoker.name",
    "InvokerRole.Arn": "aws_iam_role.invoker.arn",
    "Live": "aws_lambda_alias.live.arn",
    "LiveVersion.Version": "aws_lambda_function.function.version",  # `publish` makes one with each change
    "LogGroup": "aws_cloudwatch_log_group.function.name",
    "Repository.Arn": "aws_ecr_repository.images.arn",
}
_DATA = ("aws_caller_identity", "aws_partition", "aws_region")
# What CloudFormation names itself, beginning with the stack's name.
_PREFIXED = {"aws_s3_bucket": "bucket_prefix", "aws_iam_role": "name_prefix"}
_PROVIDER = """\
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}
"""


def terraform(spec: StackSpec) -> str:
    """Return the Terraform configuration of a deployment."""
    source = template(spec)
    parts = [f"# {source['Description']}", _PROVIDER]
    parts += [
        write("variable", _snake(name), body={"type": Expression("string"), "description": each["Description"]})
        for name, each in source.get("Parameters", {}).items()
    ]
    parts += [write("data", kind, "current", body={}) for kind in _DATA]
    for name, each in source["Resources"].items():
        made = _MAKERS[each["Type"]](name, each["Properties"])
        for kind, label, body in made:
            prefix = _PREFIXED.get(kind)
            named = {prefix: f"{spec.name}-", **body} if prefix else body
            parts.append(write("resource", kind, label, body=_filled(named)))
    parts += [
        write("output", _snake(name), body=_filled({"description": each["Description"], "value": each["Value"]}))
        for name, each in source["Outputs"].items()
    ]
    return "\n".join(parts)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _reference(name: str) -> str:
    if name.endswith("LogGroup.Arn"):  # CloudFormation's ends in :*, the provider's does not
        return f"${{aws_cloudwatch_log_group.{_label(name)}.arn}}:*"
    if name.endswith("Layer"):
        return f"${{aws_lambda_layer_version.{_snake(name).removesuffix('_layer')}.arn}}"
    return "${" + (_REFERENCES.get(name) or f"var.{_snake(name)}") + "}"


def _filled(value: Any) -> Any:
    """Turn intrinsic functions into expressions, and policies into calls of jsonencode."""
    if isinstance(value, Block):
        return Block({key: _filled(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, dict):
        text = _intrinsic(value)
        if text is not None:
            alone = _PLACE.fullmatch(text)
            return Expression(alone[1]) if alone else Expression(json.dumps(text))
        return {key: _filled(item) for key, item in value.items()}
    return value


def _intrinsic(value: Json) -> str | None:
    if set(value) == {"Ref"}:
        return _reference(value["Ref"])
    if set(value) == {"Fn::GetAtt"}:
        return _reference(".".join(value["Fn::GetAtt"]))
    if set(value) == {"Fn::Sub"}:
        return _PLACE.sub(lambda match: _reference(match[1]), value["Fn::Sub"])
    return None


def _policy(document: Json) -> Expression:
    """Return a policy as a call of jsonencode, references and all."""
    text = json.dumps(document, indent=2)

    def fill(match: re.Match[str]) -> str:
        found = _intrinsic(json.loads(match[0]))
        return match[0] if found is None else json.dumps(found)

    # The intrinsic functions of a policy are the objects with one key that begins with Fn:: or is Ref.
    filled = re.sub(r'\{\s*"(?:Ref|Fn::\w+)":\s*(?:"[^"]*"|\[[^\]]*\])\s*\}', fill, text)
    return Expression(f"jsonencode({filled})")


def _label(name: str) -> str:
    """Return the label of what belongs to a function, by its logical id."""
    return next((label for label in ("invoker", "live") if name.startswith(label.title())), "function")


def _tags(tags: list[Json]) -> Json:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _named_alike(properties: Json, names: tuple[str, ...]) -> Json:
    """Return the properties that have the same names in both."""
    return {_snake(name): properties[name] for name in names}


def _bucket(name: str, properties: Json) -> Iterator[Resource]:
    bucket = {"Ref": "Bucket"}
    yield "aws_s3_bucket", "bucket", {"force_destroy": True, "tags": _tags(properties["Tags"])}
    encryption = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    by_default = encryption["ServerSideEncryptionByDefault"]
    algorithm = Block(sse_algorithm=by_default["SSEAlgorithm"])
    if "KMSMasterKeyID" in by_default:
        algorithm["kms_master_key_id"] = by_default["KMSMasterKeyID"]
    rule = Block(apply_server_side_encryption_by_default=algorithm)
    if encryption.get("BucketKeyEnabled"):
        rule["bucket_key_enabled"] = True
    yield "aws_s3_bucket_server_side_encryption_configuration", "bucket", {"bucket": bucket, "rule": rule}
    block = {_snake(key): value for key, value in properties["PublicAccessBlockConfiguration"].items()}
    yield "aws_s3_bucket_public_access_block", "bucket", {"bucket": bucket, **block}
    ownership = Block(object_ownership=properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"])
    yield "aws_s3_bucket_ownership_controls", "bucket", {"bucket": bucket, "rule": ownership}
    rules = [_lifecycle(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
    yield "aws_s3_bucket_lifecycle_configuration", "bucket", {"bucket": bucket, "rule": rules}
    events = properties.get("NotificationConfiguration", {}).get("LambdaConfigurations", [])
    if events:
        blocks = [
            Block(
                lambda_function_arn=event["Function"],
                events=[event["Event"]],
                filter_prefix=event["Filter"]["S3Key"]["Rules"][0]["Value"],
            )
            for event in events
        ]
        body = {
            "bucket": bucket,
            "lambda_function": blocks,
            "depends_on": [Expression("aws_lambda_permission.trigger")],
        }
        yield "aws_s3_bucket_notification", "bucket", body


def _lifecycle(rule: Json) -> Block:
    found = Block(id=rule["Id"], status=rule["Status"], filter=Block(prefix=rule.get("Prefix", "")))
    if "ExpirationInDays" in rule:
        found["expiration"] = Block(days=rule["ExpirationInDays"])
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        found["abort_incomplete_multipart_upload"] = Block(days_after_initiation=days)
    return found


def _bucket_policy(name: str, properties: Json) -> Iterator[Resource]:
    policy = _policy(properties["PolicyDocument"])
    yield "aws_s3_bucket_policy", "bucket", {"bucket": properties["Bucket"], "policy": policy}


def _log_group(name: str, properties: Json) -> Iterator[Resource]:
    body = {"name": properties["LogGroupName"], "retention_in_days": properties["RetentionInDays"]}
    yield "aws_cloudwatch_log_group", _label(name), body


def _role(name: str, properties: Json) -> Iterator[Resource]:
    body: Json = {
        "description": properties["Description"],
        "assume_role_policy": _policy(properties["AssumeRolePolicyDocument"]),
    }
    if "PermissionsBoundary" in properties:
        body["permissions_boundary"] = properties["PermissionsBoundary"]
    yield "aws_iam_role", _label(name), body
    for policy in properties["Policies"]:
        yield from _role_policy(name, {**policy, "Roles": [{"Ref": name}]})
    for number, arn in enumerate(properties.get("ManagedPolicyArns", [])):
        yield "aws_iam_role_policy_attachment", f"managed_{number}", {"role": {"Ref": name}, "policy_arn": arn}


def _layer(name: str, properties: Json) -> Iterator[Resource]:
    same = ("LayerName", "Description", "CompatibleArchitectures", "CompatibleRuntimes")
    body = _named_alike(properties, same) | _named_alike(properties["Content"], ("S3Bucket", "S3Key"))
    yield "aws_lambda_layer_version", _snake(name).removesuffix("_layer"), body


def _function(name: str, properties: Json) -> Iterator[Resource]:
    code = properties["Code"]
    same = ("FunctionName", "Description", "Role", "PackageType", "Architectures", "MemorySize", "Timeout")
    body: Json = {
        **_named_alike(properties, same),
        "ephemeral_storage": Block(size=properties["EphemeralStorage"]["Size"]),
        "tags": _tags(properties["Tags"]),
        "depends_on": [Expression(f"aws_cloudwatch_log_group.{_label(name)}")],
    }
    if "ImageUri" in code:
        body["image_uri"] = code["ImageUri"]
        if "ImageConfig" in properties:
            body["image_config"] = Block(command=properties["ImageConfig"]["Command"])
    else:
        body |= _named_alike(properties, ("Runtime", "Handler")) | _named_alike(code, ("S3Bucket", "S3Key"))
    if "Layers" in properties:
        body["layers"] = properties["Layers"]
    if "Environment" in properties:
        body["environment"] = Block(variables=properties["Environment"]["Variables"])
    if "VpcConfig" in properties:
        network = properties["VpcConfig"]
        body["vpc_config"] = Block(subnet_ids=network["SubnetIds"], security_group_ids=network["SecurityGroupIds"])
    if "SnapStart" in properties:
        body |= {"publish": True, "snap_start": Block(apply_on=properties["SnapStart"]["ApplyOn"])}
    if "ReservedConcurrentExecutions" in properties:
        body["reserved_concurrent_executions"] = properties["ReservedConcurrentExecutions"]
    yield "aws_lambda_function", _label(name), body


def _version(name: str, properties: Json) -> Iterator[Resource]:
    yield from ()  # the function's resource publishes it


def _alias(name: str, properties: Json) -> Iterator[Resource]:
    same = ("Name", "Description", "FunctionName", "FunctionVersion")
    yield "aws_lambda_alias", _label(name), _named_alike(properties, same)


def _events(name: str, properties: Json) -> Iterator[Resource]:
    same = ("FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    yield "aws_lambda_function_event_invoke_config", _label(name), _named_alike(properties, same)


def _permission(name: str, properties: Json) -> Iterator[Resource]:
    same = ("Action", "FunctionName", "Principal", "SourceAccount", "SourceArn")
    yield "aws_lambda_permission", "trigger", _named_alike(properties, same)


def _role_policy(name: str, properties: Json) -> Iterator[Resource]:
    body = {"name": properties["PolicyName"], "role": properties["Roles"][0]}
    yield "aws_iam_role_policy", properties["PolicyName"], {**body, "policy": _policy(properties["PolicyDocument"])}


def _repository(name: str, properties: Json) -> Iterator[Resource]:
    body: Json = {
        "name": properties["RepositoryName"],
        "force_delete": properties["EmptyOnDelete"],
        "image_tag_mutability": properties["ImageTagMutability"],
        "image_scanning_configuration": Block(scan_on_push=properties["ImageScanningConfiguration"]["ScanOnPush"]),
        "tags": _tags(properties["Tags"]),
    }
    yield "aws_ecr_repository", "images", body
    policy = _policy(json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"]))
    yield (
        "aws_ecr_lifecycle_policy",
        "images",
        {"repository": Expression("aws_ecr_repository.images.name"), "policy": policy},
    )


_MAKERS = {
    "AWS::ECR::Repository": _repository,
    "AWS::IAM::Policy": _role_policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventInvokeConfig": _events,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
}
