"""IAM policies of the deployer, the user, and the function itself. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdamagic.deploy.model import CODE_PREFIX, INVOKER_SUFFIX, LIVE_ALIAS, TRIGGER_PREFIX
from lambdamagic.protocol.keys import PREFIX, graphs_prefix, variant_prefix

Json = dict[str, Any]


def user_policy(
    *,
    partition: str,
    region: str,
    account_id: str,
    function: str,
    bucket: str,
    kms_key: str | None = None,
    has_invoker: bool = False,
    has_trigger: bool = False,
    has_snapstart: bool = False,
) -> Json:
    """Return the policy of a person who runs cells on a deployed function.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: The function's region.
        account_id: The function's account.
        function: Its name.
        bucket: The bucket's name.
        kms_key: The ARN of the bucket's key, if it has one.
        has_invoker: Whether the function has an invoker.
        has_trigger: Whether uploads start the function.
        has_snapstart: Whether it is invoked by the alias of a version.
    """
    arn = f"arn:{partition}:lambda:{region}:{account_id}:function:{function}"
    group = f"arn:{partition}:logs:{region}:{account_id}:log-group:/aws/lambda/{function}"
    groups = [f"{group}:*", f"{group}{INVOKER_SUFFIX}:*"]
    statements: list[Json] = [
        {
            "Sid": "RunJobs",
            "Effect": "Allow",
            "Action": [
                "lambda:GetFunctionConfiguration",
                "lambda:GetFunctionEventInvokeConfig",
                "lambda:InvokeFunction",
            ],
            # With a pattern: its variants in other sizes, and their aliases.
            "Resource": [
                arn,
                variants_arn(arn),
                *([f"{arn}:{LIVE_ALIAS}"] if has_snapstart else []),
                *([arn + INVOKER_SUFFIX] if has_invoker else []),
            ],
        },
        {
            "Sid": "KeepValuesAndResults",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            "Resource": [
                f"arn:{partition}:s3:::{bucket}/{PREFIX}/{part}/*" for part in ("blobs", "cache", "graphs", "jobs")
            ],
        },
        {
            "Sid": "SeeWhatTheFunctionHolds",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:{partition}:s3:::{bucket}/{CODE_PREFIX}*",
        },
        {
            "Sid": "FindResults",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:{partition}:s3:::{bucket}",
            "Condition": {"StringLike": {"s3:prefix": f"{PREFIX}/*"}},
        },
        {
            "Sid": "ReadLogs",
            "Effect": "Allow",
            "Action": "logs:FilterLogEvents",
            "Resource": groups if has_invoker else groups[0],
        },
    ]
    if has_trigger:
        uploads = f"arn:{partition}:s3:::{bucket}/{TRIGGER_PREFIX}*"
        statements.append(_allow("StartJobsByUploads", "s3", "DeleteObject PutObject", uploads))
    if kms_key:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        statements.append({"Sid": "UseTheBucketsKey", "Effect": "Allow", "Action": actions, "Resource": kms_key})
    return {"Version": "2012-10-17", "Statement": statements}


def graph_statements(
    *, functions: list[Any], bucket: Any, objects: Callable[[str], Any], kms_key: str | None = None
) -> list[Json]:
    """Return what a function's role needs in addition to its log to run graphs: to invoke itself, and one prefix.

    Args:
        functions: ARNs of the function and its variants.
        bucket: The bucket's ARN.
        objects: Returns the ARN of the bucket's objects below a prefix.
        kms_key: The ARN of the bucket's own key, if it has one.
    """
    invokes = {"Sid": "InvokeItself", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": functions}
    actions = ["s3:GetObject", "s3:PutObject"]
    uses = {"Sid": "UseGraphs", "Effect": "Allow", "Action": actions, "Resource": objects(graphs_prefix())}
    lists = {
        "Sid": "FindEdges",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": bucket,
        "Condition": {"StringLike": {"s3:prefix": f"{graphs_prefix()}*"}},
    }
    statements = [invokes, uses, lists]
    if kms_key:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        statements.append({"Sid": "UseTheBucketsKey", "Effect": "Allow", "Action": actions, "Resource": kms_key})
    return statements


def role_policy(
    *,
    partition: str,
    region: str,
    account_id: str,
    function: str,
    graphs_bucket: str = "",
    kms_key: str | None = None,
) -> Json:
    """Return the policy of the function's own role: to log, and more only if graphs run in it.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: The function's region.
        account_id: The function's account.
        function: Its name.
        graphs_bucket: The bucket's name where graphs run in it without their client; empty where they do not.
        kms_key: The ARN of the bucket's own key, if it has one.
    """
    group = f"arn:{partition}:logs:{region}:{account_id}:log-group:/aws/lambda/{function}:*"
    statements = [_allow("WriteItsLog", "logs", "CreateLogStream PutLogEvents", group)]
    if graphs_bucket:
        arn, bucket = f"arn:{partition}:lambda:{region}:{account_id}:function:{function}", f"arn:{partition}:s3:::"
        statements += graph_statements(
            functions=[arn, f"{arn}-py3*"],
            bucket=bucket + graphs_bucket,
            objects=lambda prefix: f"{bucket}{graphs_bucket}/{prefix}*",
            kms_key=kms_key,
        )
    return {"Version": "2012-10-17", "Statement": statements}


def invoker_policy(*, partition: str, region: str, account_id: str, function: str) -> Json:
    """Return what the role of a function's invoker needs: to invoke that function and its variants, and to log.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: The function's region.
        account_id: The function's account.
        function: The name of the function that it invokes.
    """
    where = {"partition": partition, "region": region, "account_id": account_id}
    arn = f"arn:{partition}:lambda:{region}:{account_id}:function:{function}"
    own = role_policy(**where, function=function + INVOKER_SUFFIX)
    own["Statement"].append(_allow("InvokeItsFunction", "lambda", "InvokeFunction", [arn, variants_arn(arn)]))
    return own


def variants_arn(function_arn: str) -> str:
    """Return the pattern of the ARNs of a function's variants in other sizes."""
    head, _, name = function_arn.rpartition(":")
    return f"{head}:{variant_prefix(name)}-py3*"


def deployer_policy(*, partition: str, region: str, account_id: str, name: str, kms_key: str | None = None) -> Json:
    """Return the policy of a person who runs `lambdamagic deploy`, `create`, `update`, `delete` and `destroy`.

    Args:
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        region: Where to deploy.
        account_id: The account.
        name: The name that is deployed, with which all that is made begins.
        kms_key: The ARN of the bucket's key, if it gets one: the function's package is in the bucket.
    """
    at = f"{region}:{account_id}"
    bucket = f"arn:{partition}:s3:::{name}-*"
    role = f"arn:{partition}:iam::{account_id}:role/{name}-*"
    logs = f"arn:{partition}:logs:{at}:log-group:/aws/lambda/{name}"
    key = [_allow("UseTheBucketsKey", "kms", "Decrypt GenerateDataKey", kms_key)] if kms_key else []
    return {
        "Version": "2012-10-17",
        "Statement": [
            *key,
            _allow(
                "Stack",
                "cloudformation",
                "ContinueUpdateRollback CreateChangeSet CreateStack DeleteChangeSet DeleteStack DescribeChangeSet "
                "DescribeStackEvents DescribeStackResources DescribeStacks GetTemplate UpdateStack",
                f"arn:{partition}:cloudformation:{at}:stack/{name}/*",
            ),
            _allow(
                "Bucket",
                "s3",
                "CreateBucket DeleteBucket DeleteBucketPolicy GetBucketLocation GetBucketPolicy "
                "GetEncryptionConfiguration GetLifecycleConfiguration ListBucket ListBucketMultipartUploads "
                "PutBucketNotification PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock "
                "PutBucketTagging PutEncryptionConfiguration PutLifecycleConfiguration",
                bucket,
            ),
            _allow("Package", "s3", "DeleteObject GetObject PutObject", f"{bucket}/{CODE_PREFIX}*"),
            _allow("EmptyTheBucketAtTheEnd", "s3", "AbortMultipartUpload DeleteObject", f"{bucket}/{PREFIX}/*"),
            _allow(
                "Role",
                "iam",
                "AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy "
                "ListRoleTags PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRoleDescription",
                role,
            ),
            {
                "Sid": "GiveTheRoleToLambda",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": role,
                "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
            },
            _allow(
                "Function",
                "lambda",
                "AddPermission CreateAlias CreateFunction DeleteAlias DeleteFunction DeleteFunctionConcurrency "
                "DeleteFunctionEventInvokeConfig GetAlias GetFunction GetFunctionConfiguration "
                "GetFunctionEventInvokeConfig GetPolicy InvokeFunction ListTags PublishVersion PutFunctionConcurrency "
                "PutFunctionEventInvokeConfig "
                "RemovePermission TagResource UntagResource UpdateAlias UpdateFunctionCode UpdateFunctionConfiguration "
                "UpdateFunctionEventInvokeConfig",
                [
                    f"arn:{partition}:lambda:{at}:function:{name}",
                    f"arn:{partition}:lambda:{at}:function:{name}-*",
                    f"arn:{partition}:lambda:{at}:function:{name}:*",  # versions and aliases
                ],
            ),
            _allow(
                "Layers",
                "lambda",
                "DeleteLayerVersion GetLayerVersion PublishLayerVersion",
                [f"arn:{partition}:lambda:{at}:layer:{name}-*", f"arn:{partition}:lambda:{at}:layer:{name}-*:*"],
            ),
            _allow(
                "Logs",
                "logs",
                "CreateLogGroup DeleteLogGroup FilterLogEvents ListTagsForResource PutRetentionPolicy "
                "TagResource UntagResource",
                [logs, f"{logs}:*", f"{logs}-*"],
            ),
            _allow(
                "Repository",
                "ecr",
                "BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository "
                "DeleteLifecyclePolicy DeleteRepository DescribeImages DescribeRepositories GetDownloadUrlForLayer "
                "GetLifecyclePolicy GetRepositoryPolicy InitiateLayerUpload ListTagsForResource PutImage "
                "PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy "
                "TagResource UntagResource UploadLayerPart",
                f"arn:{partition}:ecr:{at}:repository/{name}",
            ),
            # These know no resources ("Actions, resources, and condition keys", Service Authorization Reference).
            {
                "Sid": "Look",
                "Effect": "Allow",
                "Action": [
                    # A VPC's parts are looked at ("Giving Lambda functions access to resources in an Amazon VPC").
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "ecr:GetAuthorizationToken",  # `image push` signs in
                    "lambda:GetAccountSettings",
                    "lambda:ListFunctions",
                    "lambda:ListLayerVersions",
                    "logs:DescribeLogGroups",
                ],
                "Resource": "*",
            },
        ],
    }


def _allow(sid: str, service: str, actions: str, resource: str | list[str]) -> Json:
    listed = [f"{service}:{action}" for action in actions.split()]
    return {"Sid": sid, "Effect": "Allow", "Action": listed, "Resource": resource}
