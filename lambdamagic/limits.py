"""Limits of a provider's compute as data, each with the page that states it.

Settings, checks before a deployment, verdicts, hints, the docs and the embedded Lambda read their numbers here. What a
job may use comes with the function that runs it (`FunctionRef.limits`), so another provider or another kind of compute
is one more object, given out by its target; nothing above `targets` names one.

A size of the compute (memory, time, /tmp) above the limit is warned about, not refused: providers raise these numbers,
and judge them better than a client of last year. Refused here is what no provider takes, and what would be sent for
minutes before it is refused (payloads, packages).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from typing import NamedTuple

_QUOTAS = '"Lambda quotas", AWS Lambda Developer Guide'
_SNAP_START = '"Improving startup performance with Lambda SnapStart", AWS Lambda Developer Guide'
_CREATE = '"CreateFunction", Lambda API reference'

#: What an event or an answer holds in addition to its payload.
ENVELOPE_ALLOWANCE_BYTES = 64 * 1024


# "Defined runtime environment variables", AWS Lambda Developer Guide. The pattern is compiled when it is asked for.
_RESERVED = (
    "_HANDLER|_X_AMZN_TRACE_ID|AWS_(REGION|DEFAULT_REGION|EXECUTION_ENV|LAMBDA_\\w+|ACCESS_KEY|ACCESS_KEY_ID|"
    "SECRET_ACCESS_KEY|SESSION_TOKEN)|LAMBDA_(TASK_ROOT|RUNTIME_DIR)"
)


def is_reserved(variable: str) -> bool:
    """Return whether Lambda sets an environment variable itself, and takes no function that sets it."""
    return re.fullmatch(_RESERVED, variable) is not None


def environment_size(variables: Mapping[str, str]) -> int:
    """Return the bytes that Lambda measures: its refusal quotes the variables as JSON without spaces."""
    return len(json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False).encode())


class LimitWarning(UserWarning):
    """A value is above the provider's documented maximum."""


class Limit(NamedTuple):
    """The range of values that a provider accepts.

    Attributes:
        least: The lowest number.
        most: The highest number.
        unit: What it counts; may be empty.
        source: The provider's page that states it.
    """

    least: int
    most: int
    unit: str
    source: str

    def __str__(self) -> str:
        """Return the range as a help text has it: `128 to 10240 MB`."""
        return f"{self.least} to {self.most} {self.unit}".rstrip()

    def warn_above(self, what: str, value: int, *, stacklevel: int = 2) -> None:
        """Warn of a number above the highest.

        Args:
            what: What the number is of, such as `a memory`.
            value: The number.
            stacklevel: Where the warning points, as in `warnings.warn`.
        """
        if value > self.most:
            warnings.warn(
                f"{what} of {value:,} {self.unit} is more than AWS's documented maximum of {self.most:,} "
                f"({self.source}); trying it anyway",
                LimitWarning,
                stacklevel=stacklevel + 1,
            )


class ComputeLimits(NamedTuple):
    """The limits of one kind of compute.

    Attributes whose names need an explanation:
        ephemeral_mb: The size of /tmp.
        sync_payload_bytes: The request of a synchronous invocation, and its response.
        async_payload_bytes: The request of an asynchronous invocation.
        environment_bytes: All environment variables together, see `environment_size`.
        package_bytes: A package, unzipped and with all layers.
        direct_package_bytes: A zip file that is sent without a bucket.
        image_bytes: An image, uncompressed.
        layers: How many layers a function takes.
        log_tail_bytes: The end of the log that comes with an answer.
        new_environments: How many new environments a function gets in `ramp_s` seconds.
        pythons: The minor versions that there are runtimes for.
        snap_start_pythons: Those of them that can have SnapStart.
        snap_start_ephemeral_mb: The size of /tmp that a function with SnapStart may have.
        unreserved: What reservations must leave of the account's concurrency; all of a smaller one.
    """

    memory_mb: Limit
    timeout_s: Limit
    ephemeral_mb: Limit
    sync_payload_bytes: Limit
    async_payload_bytes: Limit
    environment_bytes: Limit
    package_bytes: Limit
    direct_package_bytes: Limit
    image_bytes: Limit
    layers: Limit
    function_name_chars: Limit
    log_tail_bytes: Limit
    new_environments: Limit
    ramp_s: float
    pythons: tuple[str, ...]
    snap_start_pythons: tuple[str, ...]
    snap_start_ephemeral_mb: Limit
    unreserved: Limit

    @property
    def inline_bytes(self) -> int:
        """How much may be sent in a synchronous event or its answer, before Base64."""
        return _before_base64(self.sync_payload_bytes.most)

    @property
    def event_inline_bytes(self) -> int:
        """How much of the program may be in an asynchronous event, before Base64, and as much again of the items."""
        return _before_base64(self.async_payload_bytes.most) // 2


def _before_base64(size_bytes: int) -> int:
    """Return how many bytes fit: Base64 makes four of three, and the envelope takes some."""
    return (size_bytes - ENVELOPE_ALLOWANCE_BYTES) * 3 // 4


AWS_LAMBDA = ComputeLimits(
    memory_mb=Limit(128, 10_240, "MB", _QUOTAS),
    timeout_s=Limit(1, 1800, "seconds", _CREATE),  # 900 until 2026
    ephemeral_mb=Limit(512, 10_240, "MB", _CREATE),
    sync_payload_bytes=Limit(0, 6 * 1024 * 1024, "bytes", _QUOTAS),
    async_payload_bytes=Limit(0, 1024 * 1024, "bytes", _QUOTAS),  # 256 KiB until October 2025
    environment_bytes=Limit(0, 4 * 1024, "bytes", _QUOTAS),
    package_bytes=Limit(0, 250 * 1024 * 1024, "bytes", _QUOTAS),
    direct_package_bytes=Limit(0, 50 * 1024 * 1024, "bytes", _QUOTAS),
    image_bytes=Limit(0, 10 * 1000**3, "bytes", _QUOTAS),
    layers=Limit(0, 5, "", _QUOTAS),
    function_name_chars=Limit(1, 64, "characters", _CREATE),
    log_tail_bytes=Limit(0, 4096, "bytes", '"Invoke", Lambda API reference'),
    new_environments=Limit(0, 1000, "", '"Lambda scaling behavior", AWS Lambda Developer Guide'),
    ramp_s=10.0,
    pythons=("3.11", "3.12", "3.13", "3.14"),
    snap_start_pythons=("3.12", "3.13", "3.14"),
    snap_start_ephemeral_mb=Limit(512, 512, "MB", _SNAP_START),
    unreserved=Limit(100, 100, "", '"Configuring reserved concurrency for a function", AWS Lambda Developer Guide'),
)
"""A function on AWS Lambda's own compute."""

AWS_MANAGED_INSTANCES = AWS_LAMBDA._replace(
    memory_mb=Limit(128, 32_768, "MB", _CREATE),
    timeout_s=Limit(1, 5400, "seconds", _CREATE),  # of asynchronous invocations
)
"""A function on Lambda Managed Instances: one with a capacity provider."""
