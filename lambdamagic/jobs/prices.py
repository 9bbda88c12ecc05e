"""The cost of an invocation at list price.

Prices in US dollars, from AWS's public pages "AWS Lambda Pricing" and "Amazon S3 pricing", as known in October 2025
(public guides of March and May 2026 have the same for Lambda in most regions); without the free tier, savings plans,
volume tiers, ephemeral storage above 512 MB and data transfer. An estimate to steer by, not a bill.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "October 2025"

#: A GB-second, by architecture; most regions cost the same.
_GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
_GB_SECOND_ELSEWHERE = {
    "af-south-1": {"x86_64": 0.0000221, "arm64": 0.00001768},
    "ap-east-1": {"x86_64": 0.00002292, "arm64": 0.0000183},
    "eu-south-1": {"x86_64": 0.0000195172, "arm64": 0.0000156138},
    "me-central-1": {"x86_64": 0.0000206667, "arm64": 0.0000165334},
    "me-south-1": {"x86_64": 0.0000206667, "arm64": 0.0000165334},
}
_REQUEST = 0.20 / 1_000_000
#: S3 Standard in us-east-1; other regions differ by up to a third, on a sum that hardly counts.
S3_WRITE_USD = 0.005 / 1_000
S3_READ_USD = 0.0004 / 1_000
#: SnapStart: a GB of the function's memory that is restored, and one whose snapshot is kept for a second.
_RESTORED_GB = 0.0001397998
_SNAPSHOT_GB_SECOND = 0.0000015046
_MONTH_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Prices:
    """The prices of one region and architecture."""

    gb_second_usd: float
    request_usd: float = _REQUEST

    @classmethod
    def of(cls, region: str, architecture: str = "x86_64") -> Prices:
        """Return a region's prices; an unknown region has those of most."""
        table = _GB_SECOND_ELSEWHERE.get(region, _GB_SECOND)
        return cls(table.get(architecture, _GB_SECOND["x86_64"]))

    def invocation_usd(
        self, *, billed_ms: float, memory_mb: int, s3_writes: int = 0, s3_reads: int = 0, is_restored: bool = False
    ) -> float:
        """Return what one invocation costs.

        Args:
            billed_ms: Billed duration, from Lambda's report.
            memory_mb: The function's memory; Lambda counts 1,024 MB as a GB.
            s3_writes: PUT, POST and LIST requests made for it.
            s3_reads: GET and HEAD requests made for it.
            is_restored: Whether its environment was restored from a snapshot for it, which is billed by memory.
        """
        compute = billed_ms / 1000 * memory_mb / 1024 * self.gb_second_usd
        if is_restored:
            compute += memory_mb / 1024 * _RESTORED_GB
        return compute + self.request_usd + s3_writes * S3_WRITE_USD + s3_reads * S3_READ_USD


def snapshot_month_usd(memory_mb: int) -> float:
    """Return what the snapshot of a version with SnapStart costs in a month, used or not; three hours at least."""
    return memory_mb / 1024 * _MONTH_S * _SNAPSHOT_GB_SECOND
