"""Which rights these credentials have: simulated by IAM where it may be asked, else tried by harmless calls."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.functions import bare_name
from lambdamagic.deploy.model import LIVE_ALIAS
from lambdamagic.deploy.policies import user_policy
from lambdamagic.doctor.findings import Finding
from lambdamagic.errors import LambdaMagicError

_FIX = "Ask the account's administrator for the policy that `lambdamagic policy user` prints"

#: Without these jobs run all the same, less well.
_USEFUL = {"lambda:GetFunctionEventInvokeConfig", "logs:FilterLogEvents", "s3:AbortMultipartUpload"}


@dataclass(frozen=True, slots=True)
class Who:
    """The identity whose permissions are checked.

    Attributes:
        arn: The identity's ARN, from STS.
        account_id: The account.
    """

    arn: str
    account_id: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.arn.split(":")[1]

    @property
    def principal_arn(self) -> str:
        """What IAM simulates: of an assumed role, the role."""
        match = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d+):assumed-role/([^/]+)/.*", self.arn)
        return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else self.arn


def check_rights(
    access: AwsAccess, who: Who, *, function: str, bucket: str | None, client: Callable[[str], Any]
) -> Finding:
    """Find out whether jobs may run: without running any.

    Args:
        access: The account.
        who: The identity.
        function: The function as jobs invoke it: its name or ARN, with an alias where it has SnapStart.
        bucket: The bucket's name.
        client: Makes clients that do not wait long.
    """
    policy = user_policy(
        partition=who.partition,
        region=access.region,
        account_id=who.account_id,
        function=bare_name(function),
        bucket=bucket or "no-bucket",
        has_snapstart=function.endswith(f":{LIVE_ALIAS}"),
    )
    try:
        statements = [each for each in policy["Statement"] if bucket is not None or not _of_bucket(each)]
        denied = list(simulated(client, who.principal_arn, statements))
        how = "simulated by IAM"
    except Exception as error:  # noqa: BLE001  # whatever keeps it from being simulated: it is tried then
        reason = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        how = f"tested with harmless calls; IAM's simulation: {reason}"
        denied = list(_tried(client, function=function, bucket=bucket))
    needed = [action for action in denied if action not in _USEFUL]
    facts = {"denied": denied, "how": how}
    if needed:
        return Finding("rights", "failed", f"not allowed: {', '.join(needed)} ({how})", _FIX, facts)
    if denied:
        return Finding("rights", "warning", f"not allowed, but useful: {', '.join(denied)} ({how})", _FIX, facts)
    return Finding("rights", "ok", f"everything that jobs need ({how})", facts=facts)


def _of_bucket(statement: dict[str, Any]) -> bool:
    return _actions(statement)[0].startswith("s3:")


def _actions(statement: dict[str, Any]) -> list[str]:
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def simulated(client: Callable[[str], Any], principal_arn: str, statements: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the actions of some statements that IAM's simulation denies to a user or role.

    Raises:
        ClientError: The simulation is not allowed.
    """
    with closing(client("iam")) as iam:
        for statement in statements:
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            answer = iam.simulate_principal_policy(
                PolicySourceArn=principal_arn,
                ActionNames=_actions(statement),
                ResourceArns=[resource.replace("*", "doctor") for resource in resources],
                ContextEntries=_context(statement),
            )
            for result in answer["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    yield result["EvalActionName"]


def _context(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the context keys of our requests, for the statement's condition."""
    wanted = statement.get("Condition", {}).get("StringLike", {})
    return [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [str(value).replace("*", "doctor")]}
        for key, value in wanted.items()
    ]


def _tried(client: Callable[[str], Any], *, function: str, bucket: str | None) -> Iterator[str]:
    """Test each permission by a call without lasting effect."""
    with closing(client("lambda")) as lambda_:
        yield from _refused(
            "lambda:GetFunctionConfiguration", lambda_.get_function_configuration, FunctionName=function
        )
        # A dry run checks the right to invoke, and runs nothing ("Invoke", InvocationType).
        yield from _refused(
            "lambda:InvokeFunction", lambda_.invoke, FunctionName=function, InvocationType="DryRun", Payload=b"{}"
        )
        yield from _refused(
            "lambda:GetFunctionEventInvokeConfig",
            lambda_.get_function_event_invoke_config,
            FunctionName=function,
        )
    with closing(client("logs")) as logs:
        group = f"/aws/lambda/{bare_name(function)}"
        yield from _refused("logs:FilterLogEvents", logs.filter_log_events, logGroupName=group, limit=1)
    if bucket is None:
        return
    key = f"lambdamagic/jobs/doctor-{secrets.token_hex(4)}"
    with closing(client("s3")) as s3:
        yield from _refused("s3:ListBucket", s3.list_objects_v2, Bucket=bucket, Prefix="lambdamagic/jobs/", MaxKeys=1)
        yield from _refused("s3:PutObject", s3.put_object, Bucket=bucket, Key=key, Body=b"doctor")
        yield from _refused("s3:GetObject", s3.get_object, Bucket=bucket, Key=key)
        yield from _refused("s3:DeleteObject", s3.delete_object, Bucket=bucket, Key=key)


def _refused(action: str, call: Callable[..., Any], **arguments: Any) -> Iterator[str]:
    from botocore.exceptions import ClientError

    try:
        answer = call(**arguments)
        body = answer.get("Body")
        if body is not None:
            body.close()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation"):
            yield action
    except LambdaMagicError:
        return  # not about permissions; a separate check reports it
