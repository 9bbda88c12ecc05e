"""The check of a function in which graphs run without their client: its own role needs rights for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdamagic.deploy.functions import FunctionFacts
from lambdamagic.deploy.policies import graph_statements
from lambdamagic.doctor.findings import Finding
from lambdamagic.doctor.rights_checks import simulated

_FIX = "Run `lambdamagic deploy --graphs` again, or give the role what `lambdamagic policy role` prints"


def check_graphs(client: Callable[[str], Any], function: FunctionFacts, bucket: str | None) -> Finding:
    """Whether the function's role may invoke the function and use the graphs' prefix: simulated by IAM.

    Args:
        client: Makes clients that do not wait long.
        function: A function that was deployed with `--graphs`.
        bucket: The bucket's name.
    """
    if bucket is None:
        return Finding("graphs", "failed", "graphs run through a bucket, and none is set", "Set LAMBDAMAGIC_BUCKET")
    role, arn = function.configuration["Role"], function.configuration["FunctionArn"]
    bucket_arn = f"arn:{arn.split(':')[1]}:s3:::{bucket}"
    statements = graph_statements(functions=[arn], bucket=bucket_arn, objects=lambda prefix: f"{bucket_arn}/{prefix}*")
    try:
        denied = list(simulated(client, role, statements))
    except Exception as error:  # noqa: BLE001  # whatever keeps it from being simulated
        reason = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        return Finding("graphs", "skipped", f"the role's rights are unknown; IAM's simulation: {reason}")
    facts = {"denied": denied, "role": role}
    if denied:
        text = f"the function's role may not {', '.join(denied)} (simulated by IAM)"
        return Finding("graphs", "failed", text, _FIX, facts)
    return Finding(
        "graphs", "ok", "the function may invoke itself and use its graphs' prefix (simulated by IAM)", "", facts
    )
