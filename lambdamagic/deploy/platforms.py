"""Lambda's platforms: Python versions, architectures, and the wheels that fit them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lambdamagic.errors import ConfigError
from lambdamagic.limits import AWS_LAMBDA, LimitWarning

Arch = Literal["x86_64", "arm64"]

# "Lambda runtimes", AWS Lambda Developer Guide: python3.11 runs on Amazon Linux 2 (glibc 2.26), later ones on
# Amazon Linux 2023 (glibc 2.34).
_GLIBC_MINORS = {"3.11": 26}
_GLIBC_MINOR = 34
PYTHONS = AWS_LAMBDA.pythons
_PYTHON = re.compile(r"3\.([1-9][0-9]+)")
_NEWEST = int(PYTHONS[-1].removeprefix("3."))
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}

# The minors that uv knows as platforms; the highest one that Lambda's glibc reaches is asked for.
_UV_GLIBC_MINORS = (17, 28, 31, 32, 33, 34)

# AWS's zip runtimes add to the standard library ("Building Lambda functions with Python"): boto3 and what it needs,
# in versions that AWS changes as it sees fit.
RUNTIME_DISTRIBUTIONS = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six"})


@dataclass(frozen=True, slots=True)
class LambdaPlatform:
    """One of Lambda's Python runtimes on one architecture.

    Args:
        python: A version such as `3.12`.
        arch: `x86_64` or `arm64`.

    Raises:
        ConfigError: Lambda has no such runtime.
    """

    python: str
    arch: Arch = "x86_64"

    def __post_init__(self) -> None:
        if self.python not in PYTHONS:
            if not (version := _PYTHON.fullmatch(self.python)) or int(version[1]) < _NEWEST:
                raise ConfigError(
                    f"Lambda has no runtime for Python {self.python}",
                    hint=f"Use Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}",
                )
            warnings.warn(
                f"no Lambda runtime for Python {self.python} is known, the newest is {PYTHONS[-1]}; trying it anyway",
                LimitWarning,
                stacklevel=4,
            )
        if self.arch not in _MACHINES:
            raise ConfigError(
                f"Lambda has no architecture {self.arch!r}", hint="Set it to x86_64 or arm64 (AWS Graviton)"
            )

    @property
    def runtime(self) -> str:
        """Lambda's name for it, such as `python3.12`."""
        return f"python{self.python}"

    @property
    def machine(self) -> str:
        """Python's and Linux's name for the architecture."""
        return _MACHINES[self.arch]

    @property
    def glibc_minor(self) -> int:
        """The `34` of its C library's 2.34."""
        return _GLIBC_MINORS.get(self.python, _GLIBC_MINOR)

    @property
    def uv_platform(self) -> str:
        """What `uv --python-platform` takes."""
        minor = max(known for known in _UV_GLIBC_MINORS if known <= self.glibc_minor)
        return f"{self.machine}-manylinux_2_{minor}"

    def pip_platforms(self) -> Iterator[str]:
        """Yield what `pip --platform` takes, the best first (PEP 600 and its aliases)."""
        for minor in range(self.glibc_minor, 4, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor == 17:
                yield f"manylinux2014_{self.machine}"
            if self.arch == "x86_64" and minor in (12, 5):
                yield {12: "manylinux2010_x86_64", 5: "manylinux1_x86_64"}[minor]
        yield f"linux_{self.machine}"

    def __str__(self) -> str:
        return f"Python {self.python} on {self.arch}"
