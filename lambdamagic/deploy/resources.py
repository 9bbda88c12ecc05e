"""Template parts that a function and its invoker share. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambdamagic.protocol.bounds import EVENT_AGE_S

Json = dict[str, Any]


def tags(of: dict[str, str]) -> list[Json]:
    """Return tags as CloudFormation writes them."""
    return [{"Key": key, "Value": value} for key, value in of.items()]


def layer_id(kind: str) -> str:
    """Return the logical id of a layer of the function's own."""
    return f"{kind.title()}Layer"


def log_group(function: str, days: int) -> Json:
    """Return the log group of a function."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"LogGroupName": f"/aws/lambda/{function}", "RetentionInDays": days},
    }


def no_retries(function: str, qualifier: str = "$LATEST") -> Json:
    """Return what keeps Lambda from running an event of a function again.

    Args:
        function: The function's logical id.
        qualifier: The alias that the event is for; by default it is for the function itself.
    """
    return {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {
            "FunctionName": {"Ref": function},
            "Qualifier": qualifier,
            "MaximumRetryAttempts": 0,  # the engine retries; Lambda's own retries would run tasks twice unseen
            "MaximumEventAgeInSeconds": EVENT_AGE_S,
        },
    }


def trust_policy() -> Json:
    """Return who may take the function's role: Lambda."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }


def policy_document(*statements: Json) -> Json:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def uses_data(data_buckets: Sequence[str]) -> list[Json]:
    """Return the statements that let the user's code read buckets of data, and write those that are to be written.

    Args:
        data_buckets: Their names; with `:write` those that may be written to.
    """
    arn = "arn:${AWS::Partition}:s3:::"
    names = [each.partition(":")[0] for each in data_buckets]
    written = [each.partition(":")[0] for each in data_buckets if each.endswith(":write")]
    objects = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [{"Fn::Sub": f"{arn}{n}/*"} for n in names]}
    listing = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [{"Fn::Sub": f"{arn}{n}"} for n in names]}
    found = [{"Sid": "ReadData", **objects}, {"Sid": "ListData", **listing}]
    if written:
        resources = [{"Fn::Sub": f"{arn}{name}/*"} for name in written]
        writing = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": resources}
        found.append({"Sid": "WriteData", **writing})
    return found


def writes_log(group: str) -> Json:
    """Return the statement that lets a function write its log.

    Args:
        group: The logical id of its log group.
    """
    return {
        "Sid": "WriteItsLog",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": [group, "Arn"]},
    }
