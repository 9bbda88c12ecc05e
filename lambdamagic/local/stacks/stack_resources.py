"""Kinds of resource that moto's CloudFormation lacks or makes only in part. Loaded with moto, in its threads."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from moto.awslambda.models import EventInvokeConfig, LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core.common_models import CloudFormationModel
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.s3.models import s3_backends

from lambdamagic.local.control.moto_patches import put

_UPDATED_BY_CODE = ("ImageUri", "S3Bucket", "S3Key", "ZipFile")


class ResourceFailed(Exception):
    """A resource cannot be made or deleted, in AWS's words."""


class Setting:
    """A resource that is a setting of another one: it has neither name nor attributes, and is replaced when it changes.

    It comes before moto's class, which must be a direct parent of what moto is to find.

    Attributes:
        KIND: Its type in a template.
    """

    KIND = ""
    create_from_cloudformation_json: Callable[..., Any]

    @staticmethod
    def cloudformation_name_type() -> str:
        """It has no name."""
        return ""

    @classmethod
    def cloudformation_type(cls) -> str:
        """The type."""
        return cls.KIND

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """It has no attributes."""
        return False

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        """Replace it."""
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)


class FunctionEvents(Setting, CloudFormationModel):  # type: ignore[misc]  # moto is untyped
    """AWS::Lambda::EventInvokeConfig."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.physical_resource_id = f"{function}|$LATEST"

    KIND = "AWS::Lambda::EventInvokeConfig"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> FunctionEvents:
        """Make it."""
        properties = cloudformation_json["Properties"]
        function = get_backend(account_id, region_name).get_function(properties["FunctionName"])
        config = {key: value for key, value in properties.items() if key.startswith("Maximum")}
        # In place: moto has one configuration of a function and its versions.
        function.event_invoke_config[:] = [EventInvokeConfig(function.function_arn, function.last_modified, config)]
        return cls(properties["FunctionName"])

    def delete(self, account_id: str, region_name: str) -> None:
        """Take it away, if the function is still there."""
        functions = get_backend(account_id, region_name)._lambdas._functions
        if self.function in functions:
            functions[self.function]["latest"].event_invoke_config.clear()


class BucketPolicy(Setting, CloudFormationModel):  # type: ignore[misc]  # as above
    """AWS::S3::BucketPolicy."""

    def __init__(self, bucket: str) -> None:
        self.bucket = self.physical_resource_id = bucket

    KIND = "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> BucketPolicy:
        """Note it; it is not enforced, since moto knows no conditions and this endpoint has no TLS."""
        properties = cloudformation_json["Properties"]
        s3_backends[account_id]["aws"].get_bucket(properties["Bucket"])
        return cls(properties["Bucket"])

    def delete(self, account_id: str, region_name: str) -> None:
        """Nothing is enforced, nothing is to be undone."""


def complete_moto() -> None:
    """Make moto's functions, buckets and log groups as whole as the data plane and a client need them."""
    models = {"function": "moto.awslambda.models:LambdaFunction", "layer": "moto.awslambda.models:LayerVersion"}
    models |= {
        "group": "moto.logs.models:LogGroup",
        "bucket": "moto.s3.models:FakeBucket",
        "role": "moto.iam.models:Role",
    }

    def make(kind: str, how: Any) -> Any:
        return put(f"{models[kind]}.create_from_cloudformation_json", classmethod(how))

    def change(kind: str, how: Any) -> Any:
        return put(f"{models[kind]}.update_from_cloudformation_json", classmethod(how))

    def take_away(kind: str, how: Any) -> Any:
        return put(f"{models[kind]}.delete_from_cloudformation_json", classmethod(how))

    make("function", _create_function)
    change("function", _update_function)
    change("group", _update_log_group)
    take_away("bucket", _delete_bucket)
    make("layer", _create_layer)
    change("layer", _update_layer)
    put(f"{models['layer']}.physical_resource_id", property(lambda self: self.arn))
    put(f"{models['layer']}.delete", _delete_layer)

    def create_role(cls: Any, /, name: str, body: Any, account_id: str, region: str, **kwargs: Any) -> Any:
        for policy in body.get("Properties", {}).get("Policies", []):
            if not isinstance(policy["PolicyDocument"], str):  # moto would keep Python's form of it
                policy["PolicyDocument"] = json.dumps(policy["PolicyDocument"])
        role = made_role(name, body, account_id, region, **kwargs)
        _attach(role, body, account_id)
        return role

    def update_role(cls: Any, /, **of: Any) -> Any:
        role, properties = of["original_resource"], of["cloudformation_json"].get("Properties", {})
        for policy in list(role.managed_policies.values()):
            policy.detach_from(role)
        _attach(role, of["cloudformation_json"], of["account_id"])
        role.description = properties.get("Description", "")
        return role

    def delete_role(cls: Any, /, name: str, body: Any, account_id: str, region: str) -> None:
        role = iam_backends[account_id]["aws"].get_role(name)
        for policy in list(role.managed_policies.values()):
            policy.detach_from(role)
        deleted(name, body, account_id, region)

    deleted = take_away("role", delete_role)
    made_role = make("role", create_role)
    change("role", update_role)

    def create_bucket(cls: Any, /, name: str, body: Any, account_id: str, region: str, **kwargs: Any) -> Any:
        return _with_settings(made_bucket(name, body, account_id, region, **kwargs), body, account_id)

    def update_bucket(cls: Any, /, **of: Any) -> Any:
        of["cloudformation_json"]["Properties"].setdefault("BucketName", of["original_resource"].name)
        return _with_settings(changed_bucket(**of), of["cloudformation_json"], of["account_id"])

    made_bucket = make("bucket", create_bucket)
    changed_bucket = change("bucket", update_bucket)


def _attach(role: Any, body: Any, account_id: str) -> None:
    """Attach what `ManagedPolicyArns` names; AWS's own policies, which moto does not load unasked, as well."""
    managed = iam_backends[account_id]["aws"].managed_policies
    for arn in body.get("Properties", {}).get("ManagedPolicyArns", []):
        if arn not in managed:
            name = arn.rpartition("/")[2]
            data = json.loads(aws_managed_policies_data).get(name) if ":aws:policy/" in arn else None
            if data is None:
                raise ResourceFailed(f"Policy {arn} does not exist or is not attachable. (Service: Iam)")
            managed[arn] = AWSManagedPolicy.from_data(name, account_id, "us-east-1", data)
        managed[arn].attach_to(role)


def _spec(properties: dict[str, Any], name: str) -> dict[str, Any]:
    code = properties["Code"]
    if "ZipFile" in code:  # in a template it is the text of a module
        archive = LambdaFunction._create_zipfile_from_plaintext_code(code["ZipFile"])
        code = {"ZipFile": base64.b64encode(archive)}
    return {
        **properties,
        "Code": code,
        "FunctionName": name,
        "Tags": {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
    }


def _create_function(cls: Any, /, name: str, body: Any, account_id: str, region: str, **kwargs: Any) -> Any:
    backend = get_backend(account_id, region)
    if name in backend._lambdas._functions:
        raise ResourceFailed(f"{name} already exists (Service: Lambda, Status Code: 409)")
    spec = _spec(body["Properties"], name)
    stack_id = kwargs.get("StackId", "")
    if stack_id:
        spec["Tags"] |= {
            "aws:cloudformation:stack-name": stack_id.split("/")[1],
            "aws:cloudformation:stack-id": stack_id,
            "aws:cloudformation:logical-id": kwargs.get("LogicalId", ""),
        }
    reserved = spec.pop("ReservedConcurrentExecutions", None)
    made = backend.create_function(spec)
    if reserved is not None:
        try:
            backend.put_function_concurrency(name, reserved)
        except Exception:
            backend.delete_function(name)
            raise
    return made


def _update_function(
    cls: Any,
    /,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
) -> Any:
    original, name, body, region = original_resource, new_resource_name, cloudformation_json, region_name
    if name != original.function_name:
        made = _create_function(cls, name, body, account_id, region)
        get_backend(account_id, region).delete_function(original.function_name)
        return made
    properties = _spec(body["Properties"], name)
    properties.setdefault("Environment", {"Variables": {}})
    properties.setdefault("Layers", [])
    properties.setdefault("SnapStart", {"ApplyOn": "None"})
    original.update_configuration(properties)
    code = {key: value for key, value in properties["Code"].items() if key in _UPDATED_BY_CODE}
    original.update_function_code({**code, "Architectures": properties.get("Architectures", ["x86_64"])})
    original.ephemeral_storage = properties.get("EphemeralStorage", {"Size": 512})["Size"]
    if (reserved := properties.get("ReservedConcurrentExecutions")) is None:
        original.reserved_concurrency = None
    else:
        get_backend(account_id, region).put_function_concurrency(name, reserved)
    of_aws = {key: value for key, value in original.tags.items() if key.startswith("aws:")}
    original.tags = {**of_aws, **properties["Tags"]}
    return original


def _create_layer(cls: Any, /, name: str, body: Any, account_id: str, region: str, **kwargs: Any) -> Any:
    properties = body["Properties"]
    return get_backend(account_id, region).publish_layer_version({**properties, "LayerName": properties["LayerName"]})


def _update_layer(
    cls: Any,
    /,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
) -> Any:
    original, name, body, region = original_resource, new_resource_name, cloudformation_json, region_name
    made = _create_layer(cls, name, body, account_id, region)  # a layer's version is never changed, always replaced
    _delete_layer(original, account_id, region)
    return made


def _delete_layer(self: Any, account_id: str, region: str) -> None:
    get_backend(account_id, region).delete_layer_version(self.name, str(self.version))


def _update_log_group(cls: Any, /, original_resource: Any, cloudformation_json: Any, **_: Any) -> Any:
    original_resource.retention_in_days = (cloudformation_json.get("Properties") or {}).get("RetentionInDays")
    return original_resource


def _delete_bucket(cls: Any, /, name: str, body: Any, account_id: str, region: str) -> None:
    backend = s3_backends[account_id]["aws"]
    if backend.get_bucket(name).keys:
        raise ResourceFailed("The bucket you tried to delete is not empty (Service: S3, Status Code: 409)")
    backend.delete_bucket(name)


def _with_settings(bucket: Any, body: Any, account_id: str) -> Any:
    properties = body.get("Properties", {})
    backend = s3_backends[account_id]["aws"]
    block = properties.get("PublicAccessBlockConfiguration")
    if block:
        backend.put_public_access_block(bucket.name, {key: str(value).lower() for key, value in block.items()})
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    if rules:
        backend.put_bucket_lifecycle(bucket.name, [_as_in_api(rule) for rule in rules])
    events = properties.get("NotificationConfiguration", {}).get("LambdaConfigurations", [])
    bucket.set_notification_configuration({"CloudFunctionConfiguration": [_event(event) for event in events]})
    return bucket


def _as_in_api(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        found["Expiration"] = {"Days": str(rule["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in rule:
        found["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return found


def _event(event: dict[str, Any]) -> dict[str, Any]:
    rules = event.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    return {
        "CloudFunction": event["Function"],
        "Event": [event["Event"]],
        "Filter": {"S3Key": {"FilterRule": rules}},
    }
