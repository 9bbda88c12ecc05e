"""Which rights a call needs: actions and resources as the Service Authorization Reference has them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lambdamagic.local.rights.operations import Call

# "Actions, resources, and condition keys for Amazon S3": the right, where it is not named as the operation is.
_S3_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
_LAMBDA_ACTIONS = {
    "GetLayerVersionByArn": "GetLayerVersion",
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeFunction",
    "InvokeWithResponseStream": "InvokeFunction",
}
_LAMBDA_WITHOUT_RESOURCE = ("GetAccountSettings", "ListFunctions", "ListLayerVersions", "ListLayers")
_NEEDS_NO_RIGHT = ("GetCallerIdentity", "GetSessionToken")  # "API Reference" of AWS STS: no permissions are required
_OF_LOG_GROUP_ITSELF = ("ListTagsForResource", "TagResource", "UntagResource")


@dataclass(frozen=True, slots=True)
class Right:
    """One right that is needed.

    Attributes:
        action: Such as `s3:PutObject`.
        resource: The ARN; `*` where the action knows no resources.
        context: What the request says, for conditions.
    """

    action: str
    resource: str = "*"
    context: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Where a call is made.

    Attributes:
        account_id: The account.
        region: The region.
    """

    account_id: str
    region: str

    def arn(self, service: str, resource: str, *, is_global: bool = False) -> str:
        """Return the ARN of something here."""
        return f"arn:aws:{service}:{'' if is_global else self.region}:{self.account_id}:{resource}"


def rights_of(call: Call, place: CallPlace) -> list[Right]:
    """Return all rights that a call needs; none for what everybody may do."""
    find = _FINDERS.get(call.service)
    return [*find(call, place)] if find else [Right(f"{call.service}:{call.operation}")]


def key_rights(call: Call, right: Right, key_of: Callable[[str], str | None]) -> Iterator[Right]:
    """Yield the rights to a bucket's KMS key that go with one to its objects ("Using SSE-KMS", S3 user guide).

    Args:
        call: The call.
        right: A right that it needs.
        key_of: Returns the ARN of a bucket's key, or None.
    """
    actions = {"s3:GetObject": ["Decrypt"], "s3:PutObject": ["GenerateDataKey"]}.get(right.action, [])
    if not actions or call.operation == "HeadObject":
        return
    if call.operation in ("CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart"):
        actions = [*actions, "Decrypt"]  # "Uploading and copying objects using multipart upload", permissions
    key = key_of(right.resource.rpartition(":::")[2].partition("/")[0])
    if key is not None:
        yield from (Right(f"kms:{action}", key) for action in actions)


def object_arn(bucket: str, key: str | None = None) -> str:
    """Return the ARN of a bucket, or of an object in it."""
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")


def function_arn(reference: str, place: CallPlace, qualifier: str | None = None) -> str:
    """Return the ARN of a function named by name, partial ARN or ARN."""
    name = reference.partition("function:")[2] or reference  # which may end in a version or an alias
    return place.arn("lambda", f"function:{name}" + (f":{qualifier}" if qualifier else ""))


def pass_role(role: str) -> Right:
    """Return the right to give a role to Lambda."""
    return Right("iam:PassRole", role, {"iam:PassedToService": "lambda.amazonaws.com"})


def _s3(call: Call, place: CallPlace) -> Iterator[Right]:
    given = call.parameters
    if call.operation == "DeleteObjects":
        return  # answered key by key, see `object_deletes`
    bucket = given.get("Bucket")
    context = {f"s3:{name}": given[name] for name in ("prefix", "delimiter", "max-keys") if name in given}
    resource = object_arn(bucket, given.get("Key")) if bucket else "*"
    yield Right(f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}", resource, context)


def _lambda(call: Call, place: CallPlace) -> Iterator[Right]:
    given = call.parameters
    resource = "*"
    if call.operation not in _LAMBDA_WITHOUT_RESOURCE:
        if "FunctionName" in given:
            resource = function_arn(unquote(given["FunctionName"]), place, given.get("Qualifier"))
        elif "LayerName" in given:
            name = unquote(given["LayerName"]).rpartition("layer:")[2]
            version = given.get("VersionNumber")
            resource = place.arn("lambda", f"layer:{name}" + (f":{version}" if version else ""))
        elif "Resource" in given:
            resource = unquote(given["Resource"])
    yield Right(f"lambda:{_LAMBDA_ACTIONS.get(call.operation, call.operation)}", resource)
    if call.operation in ("CreateFunction", "UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishLayerVersion"):
        yield from _made_from(given, resource)


def _made_from(given: dict[str, Any], resource: str) -> Iterator[Right]:
    """Yield what is needed next to, as it would be if each of it were asked for by a separate call."""
    if given.get("Role"):
        yield pass_role(given["Role"])
    for layer in given.get("Layers") or ():
        yield Right("lambda:GetLayerVersion", layer)
    code = given.get("Code") or given.get("Content") or given
    if code.get("S3Bucket"):
        yield Right("s3:GetObject", object_arn(code["S3Bucket"], code.get("S3Key")))
    if given.get("Tags"):
        yield Right("lambda:TagResource", resource)


def _logs(call: Call, place: CallPlace) -> Iterator[Right]:
    given = call.parameters
    arn = given.get("resourceArn") or given.get("logGroupIdentifier")
    group = given.get("logGroupName") or ("" if not arn else arn.partition("log-group:")[2].removesuffix(":*"))
    resource = place.arn("logs", f"log-group:{group}")
    if call.operation not in _OF_LOG_GROUP_ITSELF:  # so are the resources of Lambda's and CloudWatch's own messages
        resource += f":log-stream:{given.get('logStreamName') or ''}"
    yield Right(f"logs:{call.operation}", resource)


def _cloudformation(call: Call, place: CallPlace) -> Iterator[Right]:
    stack = call.parameters.get("StackName")
    resource = "*"
    if stack:
        resource = stack if stack.startswith("arn:") else place.arn("cloudformation", f"stack/{stack}/*")
    yield Right(f"cloudformation:{call.operation}", resource)


def _iam(call: Call, place: CallPlace) -> Iterator[Right]:
    given = call.parameters
    resource = "*"
    for name, kind in (("RoleName", "role"), ("UserName", "user"), ("GroupName", "group")):
        if given.get(name):
            resource = place.arn("iam", f"{kind}/{given[name]}", is_global=True)
            break
    else:
        resource = given.get("PolicyArn") or given.get("PolicySourceArn") or "*"
    yield Right(f"iam:{call.operation}", resource)


def _sts(call: Call, place: CallPlace) -> Iterator[Right]:
    if call.operation not in _NEEDS_NO_RIGHT:
        yield Right(f"sts:{call.operation}", call.parameters.get("RoleArn") or "*")


def _ecr(call: Call, place: CallPlace) -> Iterator[Right]:
    given = call.parameters
    names = given.get("repositoryNames") or [given.get("repositoryName")]
    for name in names:
        resource = place.arn("ecr", f"repository/{name}") if name else given.get("resourceArn") or "*"
        yield Right(f"ecr:{call.operation}", resource)


def _sqs(call: Call, place: CallPlace) -> Iterator[Right]:
    name = call.parameters.get("QueueName") or str(call.parameters.get("QueueUrl") or "").rpartition("/")[2]
    yield Right(f"sqs:{call.operation}", place.arn("sqs", name) if name else "*")


_FINDERS: dict[str, Callable[[Call, CallPlace], Iterator[Right]]] = {
    "cloudformation": _cloudformation,
    "ecr": _ecr,
    "iam": _iam,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _s3,
    "sqs": _sqs,
    "sts": _sts,
}
