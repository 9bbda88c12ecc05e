"""Packages in a deployment's bucket that no function uses any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import client, explained
from lambdamagic.deploy.model import CODE_PREFIX
from lambdamagic.deploy.packages import key_of_code
from lambdamagic.protocol.holdings import VARIABLE, stored_key

#: A younger one may be what another process is about to deploy.
_YOUNG_S = 86_400.0


def remove_unused_packages(access: AwsAccess, bucket: str, *, used: Collection[str], now: float) -> list[str]:
    """Delete packages that neither the stack nor a function of the account names; return their keys.

    Args:
        access: The account.
        bucket: The stack's own bucket.
        used: The keys that the stack was made with.
        now: The time, in seconds since the epoch.

    Raises:
        TargetError: They cannot be listed or deleted.
    """
    with (
        explained(f"look for unused packages in {bucket}", bucket=bucket),
        client(access, "lambda") as lambda_,
        client(access, "s3") as s3,
    ):
        kept = {*used, *_named_by_functions(lambda_)}
        before = datetime.fromtimestamp(now - _YOUNG_S, UTC)
        unused = [
            each["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=CODE_PREFIX)
            for each in page.get("Contents", ())
            if each["Key"] not in kept and each["LastModified"] < before
        ]
        for key in unused:
            s3.delete_object(Bucket=bucket, Key=key)
    return unused


def _named_by_functions(lambda_: Any) -> set[str]:
    found = set()
    for page in lambda_.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function.get("PackageType") != "Image" and function.get("CodeSha256"):
                found.add(key_of_code(function["CodeSha256"]))  # variants are made of it
            held = stored_key((function.get("Environment") or {}).get("Variables", {}).get(VARIABLE, ""))
            if held is not None:
                found.add(held)
    return found
