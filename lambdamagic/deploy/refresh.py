"""Rebuild a function's packages: the same versions, with today's lambdamagic."""

from __future__ import annotations

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import client, explained
from lambdamagic.deploy.installed import AGENT_DISTRIBUTIONS
from lambdamagic.deploy.managed import ManagedFunction
from lambdamagic.deploy.packages import WheelSource
from lambdamagic.protocol.holdings import unpack


def same_packages(access: AwsAccess, function: ManagedFunction, *, bucket: str | None) -> WheelSource:
    """Return the requirements of a function's packages, pinned to their present versions.

    Raises:
        TargetError: The list of its packages cannot be read from the bucket.
        ProtocolError: It is not lambdamagic's.
    """
    if function.facts.held is None:
        return WheelSource()

    def fetch(key: str) -> bytes:
        with explained(f"read what {function.facts.name} holds", bucket=bucket or ""), client(access, "s3") as s3:
            return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    held = unpack(function.facts.held, fetch)
    if not held.requested:
        return WheelSource()
    constraints = [f"{name}=={version}" for name, version in held.packages.items() if name not in AGENT_DISTRIBUTIONS]
    return WheelSource(requirements=held.requested, constraints=tuple(constraints))
