"""Which rights CloudFormation needs to make, change and delete a resource: those of whoever asked for the stack.

CloudFormation calls the other services in its caller's name, so that a stack can be made only by who could make each of
its resources by hand. What each kind needs is in its schema ("handlers", CloudFormation registry), here for the kinds
that lambdamagic makes; of another kind nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lambdamagic.local.rights.needed_rights import CallPlace, Right, function_arn, object_arn, pass_role

Properties = dict[str, Any]

# By property of a bucket: the right to set it. A stack's own tags go to each resource that can have some.
_BUCKET_SETTINGS = {
    "BucketEncryption": "PutEncryptionConfiguration",
    "LifecycleConfiguration": "PutLifecycleConfiguration",
    "NotificationConfiguration": "PutBucketNotification",
    "OwnershipControls": "PutBucketOwnershipControls",
    "PublicAccessBlockConfiguration": "PutBucketPublicAccessBlock",
    "Tags": "PutBucketTagging",
    "VersioningConfiguration": "PutBucketVersioning",
}


def rights_of_resource(kind: str, doing: str, properties: Properties, *, name: str, place: CallPlace) -> list[Right]:
    """Return which rights a step needs.

    Args:
        kind: The resource's type, such as `AWS::S3::Bucket`.
        doing: `CREATE`, `UPDATE` or `DELETE`.
        properties: The resource's, resolved.
        name: Its physical id, or the name that it will have.
        place: The stack's account and region.
    """
    find = _FINDERS.get(kind)
    return [] if find is None else [*find(doing, properties, name, place)]


def _each(service: str, actions: str, resource: str) -> Iterator[Right]:
    for action in actions.split():
        yield Right(f"{service}:{action}", resource)


def _bucket(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = object_arn(name)
    if doing == "DELETE":
        yield Right("s3:DeleteBucket", arn)
        return
    if doing == "CREATE":
        yield Right("s3:CreateBucket", arn)
    for setting, action in _BUCKET_SETTINGS.items():
        if setting in properties:
            yield Right(f"s3:{action}", arn)


def _bucket_policy(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    action = "DeleteBucketPolicy" if doing == "DELETE" else "PutBucketPolicy"
    yield from _each("s3", f"GetBucketPolicy {action}", object_arn(str(properties.get("Bucket", name))))


def _log_group(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = place.arn("logs", f"log-group:{name}")
    if doing == "DELETE":
        yield Right("logs:DeleteLogGroup", f"{arn}:log-stream:")
        return
    if doing == "CREATE":
        yield Right("logs:CreateLogGroup", f"{arn}:log-stream:")
        yield Right("logs:TagResource", arn)
    if "RetentionInDays" in properties:
        yield Right("logs:PutRetentionPolicy", f"{arn}:log-stream:")


def _role(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = place.arn("iam", f"role/{name}", is_global=True)
    yield Right("iam:GetRole", arn)
    if doing == "DELETE":
        yield Right("iam:DeleteRole", arn)
    elif doing == "CREATE":
        yield from _each("iam", "CreateRole TagRole", arn)
    if properties.get("Policies"):
        yield Right("iam:DeleteRolePolicy" if doing == "DELETE" else "iam:PutRolePolicy", arn)
    if properties.get("ManagedPolicyArns"):
        yield Right("iam:DetachRolePolicy" if doing == "DELETE" else "iam:AttachRolePolicy", arn)


def _policy(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    action = "DeleteRolePolicy" if doing == "DELETE" else "PutRolePolicy"
    for role in properties.get("Roles", []):
        yield from _each("iam", f"GetRolePolicy {action}", place.arn("iam", f"role/{role}", is_global=True))


def _function(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = function_arn(name, place)
    if doing == "DELETE":
        yield Right("lambda:DeleteFunction", arn)
        return
    made = "CreateFunction" if doing == "CREATE" else "UpdateFunctionCode UpdateFunctionConfiguration"
    yield from _each("lambda", f"{made} GetFunction TagResource", arn)
    if "Role" in properties:
        yield pass_role(str(properties["Role"]))
    yield from _package(properties.get("Code", {}))
    for layer in properties.get("Layers", []):
        yield Right("lambda:GetLayerVersion", str(layer))
    if "ReservedConcurrentExecutions" in properties:
        yield Right("lambda:PutFunctionConcurrency", arn)
    if properties.get("VpcConfig"):  # "Giving Lambda functions access to resources in an Amazon VPC"
        yield from _each("ec2", "DescribeSecurityGroups DescribeSubnets DescribeVpcs", "*")
    if "ImageUri" in properties.get("Code", {}):  # "Creating functions from container images: Amazon ECR permissions"
        repository = str(properties["Code"]["ImageUri"]).partition("/")[2].partition("@")[0].partition(":")[0]
        actions = "BatchGetImage GetDownloadUrlForLayer GetRepositoryPolicy SetRepositoryPolicy"
        yield from _each("ecr", actions, place.arn("ecr", f"repository/{repository}"))


def _layer(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    layer = place.arn("lambda", f"layer:{properties['LayerName']}")
    if doing == "DELETE":
        yield Right("lambda:DeleteLayerVersion", name)
        return
    yield Right("lambda:PublishLayerVersion", layer)
    yield Right("lambda:GetLayerVersion", f"{layer}:1")
    yield from _package(properties.get("Content", {}))


def _package(code: Properties) -> Iterator[Right]:
    if "S3Bucket" in code:
        yield Right("s3:GetObject", object_arn(str(code["S3Bucket"]), str(code.get("S3Key", ""))))


def _function_events(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    verb = {"CREATE": "Put", "UPDATE": "Update", "DELETE": "Delete"}[doing]
    qualifier = properties.get("Qualifier", "$LATEST")
    qualifier = None if qualifier == "$LATEST" else str(qualifier)
    arn = function_arn(str(properties["FunctionName"]), place, qualifier)
    yield Right(f"lambda:{verb}FunctionEventInvokeConfig", arn)


def _version(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = function_arn(str(properties["FunctionName"]), place)
    if doing == "DELETE":
        yield Right("lambda:DeleteFunction", name)
        return
    yield from _each("lambda", "GetFunctionConfiguration PublishVersion", arn)


def _alias(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    verb = {"CREATE": "Create", "UPDATE": "Update", "DELETE": "Delete"}[doing]
    yield Right(f"lambda:{verb}Alias", function_arn(str(properties["FunctionName"]), place))


def _permission(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = function_arn(str(properties["FunctionName"]), place)
    yield Right("lambda:RemovePermission" if doing == "DELETE" else "lambda:AddPermission", arn)


def _repository(doing: str, properties: Properties, name: str, place: CallPlace) -> Iterator[Right]:
    arn = place.arn("ecr", f"repository/{name}")
    if doing == "DELETE":
        yield Right("ecr:DeleteRepository", arn)
        return
    if doing == "CREATE":
        yield from _each("ecr", "CreateRepository TagResource", arn)
    if "LifecyclePolicy" in properties:
        yield Right("ecr:PutLifecyclePolicy", arn)


_FINDERS: dict[str, Callable[[str, Properties, str, CallPlace], Iterator[Right]]] = {
    "AWS::ECR::Repository": _repository,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventInvokeConfig": _function_events,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::LayerVersion": _layer,
    "AWS::Lambda::Permission": _permission,
    "AWS::Lambda::Version": _version,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
}
