"""The bucket's notification that starts a function when a request is uploaded, and the secret that seals requests."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.functions import describe_function, wait_until_ready
from lambdamagic.errors import ConfigError
from lambdamagic.protocol.keys import trigger_prefix

#: The function's environment variable that holds the secret, as hexadecimal text; see `worker.trigger`.
VARIABLE = "LAMBDAMAGIC_TRIGGER_KEY"


def trigger_secret(access: AwsAccess, function: str) -> bytes:
    """Return the secret that a deployed function seals its requests with.

    Raises:
        ConfigError: It has none.
        TargetError: The function cannot be looked at.
    """
    configuration = describe_function(access, function).configuration
    text = (configuration.get("Environment") or {}).get("Variables", {}).get(VARIABLE, "")
    if not text:
        raise ConfigError(
            f"the function {function} has no trigger for a bucket",
            hint="Run `lambdamagic deploy --trigger`, or use --mode event",
        )
    return bytes.fromhex(text)


def enable_trigger(access: AwsAccess, *, bucket: str, function: str, secret: bytes) -> None:
    """Let uploads below the function's trigger prefix start it; other notifications of the bucket stay. Idempotent.

    Raises:
        TargetError: It could not be set up.
    """
    with (
        explained(f"let uploads start the function {function}"),
        closing(access.client("lambda")) as client,
        closing(access.client("s3")) as s3,
    ):
        found = client.get_function_configuration(FunctionName=function)
        variables = {**(found.get("Environment") or {}).get("Variables", {}), VARIABLE: secret.hex()}
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        wait_until_ready(client, function)
        known = s3.get_bucket_notification_configuration(Bucket=bucket)
        known.pop("ResponseMetadata", None)
        ours: Any = {
            "Id": f"lambdamagic-{function}",
            "LambdaFunctionArn": found["FunctionArn"],
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": trigger_prefix(function)}]}},
        }
        others = [each for each in known.get("LambdaFunctionConfigurations", ()) if each.get("Id") != ours["Id"]]
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={**known, "LambdaFunctionConfigurations": [*others, ours]},
        )
