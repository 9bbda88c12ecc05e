"""What an exit status means: by the kind of error, so that a script can decide what to do next."""

from __future__ import annotations

from lambdamagic.errors import (
    AwsBusyError,
    BucketMissingError,
    ConfigError,
    CredentialsError,
    DeploymentMissingError,
    FunctionMissingError,
    ImageMissingError,
    InvocationError,
    JobMissingError,
    LambdaMagicError,
    NotOursError,
    NotReadyError,
    PackageError,
    ThrottledError,
)

FAILED = 1
USAGE = 2
MISSING = 3
INVALID = 4
RIGHTS = 5
CONFLICT = 6
BUSY = 7
RAN_AND_FAILED = 8
DECLINED = 9
INTERRUPTED = 130

EXIT_HELP: dict[int, str] = {
    0: "done, or nothing to do",
    FAILED: "failed for another reason",
    USAGE: "the command line is wrong",
    MISSING: "the requested resource does not exist or does not run",
    INVALID: "a setting or value is not valid, or packages are unavailable or too large; nothing was changed",
    RIGHTS: "no credentials, or they lack a permission",
    CONFLICT: "the resource is not lambdamagic's; nothing was changed",
    BUSY: "AWS throttled the requests or took too long; run it again later",
    RAN_AND_FAILED: "the function ran and failed",
    DECLINED: "not confirmed (--yes confirms)",
    INTERRUPTED: "interrupted by Ctrl-C",
}

# The first that fits counts, so a subclass stands before its base.
_BY_KIND: tuple[tuple[type[LambdaMagicError], int], ...] = (
    (ConfigError, INVALID),
    (PackageError, INVALID),
    (CredentialsError, RIGHTS),
    (DeploymentMissingError, MISSING),
    (FunctionMissingError, MISSING),
    (BucketMissingError, MISSING),
    (ImageMissingError, MISSING),
    (JobMissingError, MISSING),
    (NotOursError, CONFLICT),
    (AwsBusyError, BUSY),
    (ThrottledError, BUSY),
    (NotReadyError, BUSY),
    (InvocationError, RAN_AND_FAILED),
)


def exit_code(error: LambdaMagicError) -> int:
    """Return the exit status for an error."""
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), FAILED)
