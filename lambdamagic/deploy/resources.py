"""Parts of templates that a function and its invoker have alike. Pure."""

from __future__ import annotations

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


def no_retries(function: str) -> Json:
    """Return what keeps Lambda from running an event of a function again.

    Args:
        function: The function's logical id.
    """
    return {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {
            "FunctionName": {"Ref": function},
            "Qualifier": "$LATEST",
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
