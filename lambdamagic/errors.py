"""Every error that lambdamagic raises by itself, in one tree.

What the user's own code raises keeps its own type; only what goes wrong around it is found here::

    LambdaMagicError
    |-- ConfigError                a setting is unknown, of the wrong kind or out of AWS's limits
    |-- CaptureError               the cell cannot be turned into something to ship; nothing was sent
    |   |-- UnsupportedInCellError     a magic or star import that cannot run remotely
    |   `-- EncodeError                a value that no pickler can carry, named with its path (a pickle.PicklingError)
    |       `-- UnsendableItemsError       some items of a chunk; each task gets its own error
    |-- TargetError                the place where jobs go is not usable
    |   |-- LocalServerError           the embedded Lambda could not start or has died
    |   |-- CredentialsError           no credentials, or AWS refused them
    |   |-- FunctionMissingError       the function does not exist (or cannot be used)
    |   |-- UnreachableError           no connection could be made; nothing was sent
    |   |   `-- NotReadyError              the function slept, or was changed, to the end of our patience
    |   |-- BucketMissingError         the bucket does not exist or may not be used
    |   |-- PackageError               what the function is to hold cannot be put together
    |   |   `-- PackageTooLargeError       it is larger than Lambda takes
    |   `-- ImageError                 an image cannot be built, pushed or run
    |       `-- ImageMissingError          there is no such image on this machine
    |-- ProtocolError              client and function do not understand each other
    |   |-- VersionMismatchError       protocol, Python or serialiser versions differ
    |   |-- ParityError                the function lacks a package that the code imports, or has another version
    |   `-- IntegrityError             bytes do not carry the digest or signature that they should
    |-- InvocationError            AWS ran (or refused) the invocation and the user's code has no say in it
    |   |-- ThrottledError             429 to the end of our patience; nothing ran
    |   |-- PayloadTooLargeError       over Lambda's payload limits; nothing ran
    |   |-- FunctionTimedOutError      the deadline passed; carries the stacks at that moment
    |   |-- OutOfMemoryError           the execution environment was killed for its memory
    |   |-- EnvironmentDiedError       the process ended (os._exit, a signal, a crash)
    |   |-- AnswerLostError            the code ran, and its answer could not be stored; it is not run again
    |   `-- InvocationLostError        the connection broke; whether the code ran is unknown
    |-- DeployError                what was to be made on AWS could not be made, changed or deleted
    |   |-- NotOursError               it was not made by lambdamagic; nothing was touched
    |   |-- DeploymentMissingError     there is no such deployment
    |   |-- StackFailedError           CloudFormation gave up, and says where
    |   `-- AwsBusyError               AWS throttled us, or takes longer than our patience; run it again
    |-- CostLimitError             the job cost as much as it may; nothing more was launched
    |-- ResultError                the code ran and its result cannot come back as it should
    |   `-- ResultEncodeError          no pickler can carry it (a pickle.PicklingError)
    |-- BeforeFailedError          a background job was queued behind one that failed; nothing of it ran
    |-- JobMissingError            a job is not known here, or the bucket no longer holds it
    `-- JobCancelledError          the user cancelled
"""

from __future__ import annotations

import pickle
from typing import Any


class LambdaMagicError(Exception):
    """Base of every error that lambdamagic raises by itself.

    Args:
        message: What happened, and with what.
        hint: What the reader can do next, as one imperative sentence; shown on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  -> {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))

    def _render_traceback_(self) -> list[str]:
        # IPython shows this instead of a stack of our own frames, which would tell the user nothing.
        return [f"{type(self).__name__}: {self}"]


def _rebuild(cls: type[LambdaMagicError], message: str, state: dict[str, Any]) -> LambdaMagicError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigError(LambdaMagicError):
    """A setting is unknown, of the wrong kind or out of AWS's limits."""


class CaptureError(LambdaMagicError):
    """The cell cannot be turned into something to ship; nothing was sent."""


class UnsupportedInCellError(CaptureError):
    """The cell holds a magic or a star import that cannot run remotely."""


class EncodeError(CaptureError, pickle.PicklingError):
    """A value that no pickler can carry, named with the path to the offending part."""


class UnsendableItemsError(EncodeError):
    """Some items of a chunk cannot be sent; the others can.

    Attributes:
        errors: What is to be raised for those, by their positions in the chunk.
    """

    def __init__(self, errors: dict[int, BaseException]) -> None:
        super().__init__(f"{len(errors):,} of a chunk's items cannot be sent to Lambda")
        self.errors = errors


class TargetError(LambdaMagicError):
    """The place where jobs go is not usable."""


class UnreachableError(TargetError):
    """No connection could be made: nothing was sent, so nothing ran."""


class NotReadyError(UnreachableError):
    """The function slept, or is being made or changed, to the end of our patience: nothing ran."""


class LocalServerError(TargetError):
    """The embedded Lambda could not start, or has died."""


class CredentialsError(TargetError):
    """There are no AWS credentials, or AWS refused them."""


class FunctionMissingError(TargetError):
    """The Lambda function does not exist or is not ready."""


class BucketMissingError(TargetError):
    """The bucket does not exist, or these credentials may not use it."""


class PackageError(TargetError):
    """What the function is to hold cannot be put together, or is larger than Lambda takes; nothing was changed.

    Attributes:
        detail: What the tool said that was asked, if one was.
    """

    def __init__(self, message: str, *, hint: str | None = None, detail: str = "") -> None:
        super().__init__(message, hint=hint)
        self.detail = detail


class PackageTooLargeError(PackageError):
    """What the function is to hold is larger than Lambda takes; nothing was changed."""


class ImageError(TargetError):
    """An image cannot be built, pushed or run."""


class ImageMissingError(ImageError):
    """There is no such image on this machine."""


class ProtocolError(LambdaMagicError):
    """Client and function do not understand each other."""


class VersionMismatchError(ProtocolError):
    """Protocol, Python or serialiser versions differ between client and function."""


class ParityError(ProtocolError):
    """The function lacks a package that the code imports, or has another version of it; nothing was sent.

    Args:
        message: What happened.
        hint: What to do.
        deployment: The deployment that the packages can be added to; empty where the function is none.
        requirements: The packages, as `name==version`.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, deployment: str = "", requirements: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.deployment, self.requirements = deployment, requirements


class IntegrityError(ProtocolError):
    """Bytes do not carry the digest or signature that they should; they were not unpickled."""


class InvocationError(LambdaMagicError):
    """The invocation failed in a way in which the user's code has no say.

    Attributes:
        request_id: AWS's id of the invocation, where one was given.
        log_tail: The end of the invocation's log (at most 4 KiB), where AWS returned it.
        may_have_run: Whether the user's code can have run, in part or whole.
    """

    may_have_run = True

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        request_id: str | None = None,
        log_tail: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.request_id = request_id
        self.log_tail = log_tail


class ThrottledError(InvocationError):
    """Lambda refused with 429 to the end of our patience; nothing ran.

    Attributes:
        retry_after_s: How long Lambda asked to wait (the header Retry-After); 0 if it did not say.
    """

    may_have_run = False
    retry_after_s = 0.0


class PayloadTooLargeError(InvocationError):
    """The event is larger than Lambda takes; nothing ran."""

    may_have_run = False


class FunctionTimedOutError(InvocationError):
    """The deadline passed while the user's code ran.

    Attributes:
        stacks: The stack of every remote thread shortly before the deadline, as text.
        outputs: What the code had printed and displayed by then, as `protocol.envelope.Response` has it.
    """

    def __init__(
        self, message: str, *, stacks: str = "", outputs: list[dict[str, Any]] | None = None, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.stacks = stacks
        self.outputs = outputs or []

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n\nWhere it was when the time ran out:\n{self.stacks.rstrip()}" if self.stacks else text


class OutOfMemoryError(InvocationError):
    """The execution environment was killed because it used more memory than the function has.

    Attributes:
        peak_memory_mb: The highest memory use that was seen, in MB, where it is known.
        memory_mb: The function's memory, in MB.
    """

    def __init__(self, message: str, *, peak_memory_mb: int | None = None, memory_mb: int | None = None, **kw: Any):
        super().__init__(message, **kw)
        self.peak_memory_mb = peak_memory_mb
        self.memory_mb = memory_mb


class EnvironmentDiedError(InvocationError):
    """The execution environment's process ended while the code ran (os._exit, a signal, a crash)."""


class InvocationLostError(InvocationError):
    """The connection broke after the request was sent; whether the code ran is unknown."""


class AnswerLostError(InvocationError):
    """The code ran, or may have run to its end, and its answer could not be stored. It is not run again."""


class DeployError(LambdaMagicError):
    """What was to be made on AWS could not be made, changed or deleted."""


class NotOursError(DeployError):
    """It was not made by lambdamagic; nothing was touched."""


class DeploymentMissingError(DeployError):
    """There is no deployment of that name in this account and region."""


class StackFailedError(DeployError):
    """CloudFormation gave up, and says where."""


class AwsBusyError(DeployError):
    """AWS throttled us, or takes longer than our patience; the same command goes on where it stopped."""


class CostLimitError(LambdaMagicError):
    """The job has cost as much as it may (the setting `max_cost_usd`); nothing more was launched."""


class ResultError(LambdaMagicError):
    """The code ran, and its result cannot come back as it should."""


class ResultEncodeError(ResultError, pickle.PicklingError):
    """The code ran, and no pickler can carry its result."""


class JobMissingError(LambdaMagicError):
    """A job is not known here, or the bucket no longer holds it; nothing was sent."""


class BeforeFailedError(LambdaMagicError):
    """A background job was queued behind one that failed or was cancelled; nothing of it ran. Its cause says why."""


class JobCancelledError(LambdaMagicError):
    """The job was cancelled by the user."""
