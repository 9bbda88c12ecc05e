"""The idle cost of a deployment at list price. Pure.

Prices in US dollars a GB and month from AWS's public pages "Amazon S3 pricing", "Amazon CloudWatch pricing" and
"Amazon ECR pricing", us-east-1, as known in October 2025; other regions differ by up to a half.
"""

from __future__ import annotations

from dataclasses import dataclass

S3_GB_MONTH_USD = 0.023
LOGS_GB_MONTH_USD = 0.03
ECR_GB_MONTH_USD = 0.10


@dataclass(frozen=True)
class RestingCost:
    """The cost of a month without use.

    Attributes:
        month_usd: In US dollars, for what is stored now.
        explanation: In words.
    """

    month_usd: float
    explanation: str


def resting_cost(stored_bytes: int, *, has_repository: bool = False, snapshot_usd: float = 0.0) -> RestingCost:
    """Return the idle cost of a deployment.

    Args:
        stored_bytes: What its bucket holds.
        has_repository: Whether images may be kept too.
        snapshot_usd: What the function's snapshot costs a month; 0 without SnapStart.
    """
    usd = stored_bytes / 1024**3 * S3_GB_MONTH_USD
    month = f"{usd:.2f}" if usd >= 0.01 else "less than 0.01"
    explanation = (
        f"Idle cost: storage of {stored_bytes / 1e6:.1f} MB in the bucket, {month} USD per month. "
        "Function, role, stack and log group cost nothing when idle; "
        f"stored logs cost {LOGS_GB_MONTH_USD:.2f} USD per GB and month"
    )
    if has_repository:
        explanation += f", images {ECR_GB_MONTH_USD:.2f} USD"
    if snapshot_usd:
        explanation += f". SnapStart's snapshot costs {snapshot_usd:.2f} USD per month, used or not"
    return RestingCost(usd + snapshot_usd, explanation + ".")
