"""Every error that lambdamagic raises, in one tree.

Exceptions of the user's code keep their own type; these are the failures around it::

    LambdaMagicError
    |-- ConfigError                a setting is unknown, of the wrong kind or outside AWS's limits
    |-- CaptureError               the cell cannot be captured; nothing was sent
    |   |-- UnsupportedInCellError     a magic or star import that cannot run remotely
    |   `-- EncodeError                a value that cannot be pickled, named with its path (a pickle.PicklingError)
    |       `-- UnsendableItemsError       some items of a chunk cannot be sent; each task gets its own error
    |-- TargetError                the target is not usable
    |   |-- LocalServerError           the embedded Lambda could not start or has died
    |   |-- CredentialsError           no credentials, or AWS refused them
    |   |-- FunctionMissingError       the function does not exist or cannot be used
    |   |-- UnreachableError           no connection could be made; nothing was sent
    |   |   `-- NotReadyError              the function was inactive or being updated until the deadline
    |   |-- BucketMissingError         the bucket does not exist or may not be used
    |   |-- PackageError               the function's package cannot be built
    |   |   `-- PackageTooLargeError       the package exceeds Lambda's limit
    |   `-- ImageError                 an image cannot be built, pushed or run
    |       `-- ImageMissingError          the image does not exist on this machine
    |-- ProtocolError              client and function do not understand each other
    |   |-- VersionMismatchError       protocol, Python or serializer versions differ
    |   |-- ParityError                the function lacks a package that the code imports, or has another version
    |   `-- IntegrityError             bytes do not match their digest or signature
    |-- InvocationError            AWS refused the invocation, or it failed outside the user's code
    |   |-- ThrottledError             still throttled after the retry deadline; nothing ran
    |   |-- PayloadTooLargeError       the event exceeds Lambda's payload limit; nothing ran
    |   |-- FunctionTimedOutError      the deadline passed; carries the stacks at that moment
    |   |-- OutOfMemoryError           the execution environment ran out of memory
    |   |-- EnvironmentDiedError       the process exited (os._exit, a signal, a crash)
    |   |-- AnswerLostError            the code ran, but its answer could not be stored; it is not run again
    |   `-- InvocationLostError        the connection broke; whether the code ran is unknown
    |       `-- AnswerNotTrustedError      its stored answer does not match its signature or digest; it was not read
    |-- DeployError                an AWS resource could not be created, changed or deleted
    |   |-- NotOursError               the resource was not created by lambdamagic; nothing was changed
    |   |-- DeploymentMissingError     the deployment does not exist
    |   |-- StackFailedError           CloudFormation failed; the message has the resource
    |   `-- AwsBusyError               AWS throttled us, or did not finish in time; run it again
    |-- CostLimitError             the job reached its cost limit; nothing more was launched
    |-- ResultError                the code ran, but its result cannot be returned
    |   `-- ResultEncodeError          the result cannot be pickled (a pickle.PicklingError)
    |-- BeforeFailedError          a background job was queued behind one that failed; it did not run
    |-- JobMissingError            the job is unknown here, or no longer in the bucket
    `-- JobCancelledError          the job was cancelled
"""

from __future__ import annotations

import pickle
from typing import Any


class LambdaMagicError(Exception):
    """Base of every error that lambdamagic raises.

    Args:
        message: What happened and with which value, without a period.
        hint: What the reader can do next, as one imperative sentence; shown on a separate line.
    """

    #: AWS's id of the invocation and the end of its log, where a function answered with this.
    request_id: str | None = None
    log_tail: str = ""
    #: For how long an invocation without a log is billed at least, in seconds; None where nothing ran.
    billed_s: float | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  -> {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))

    def _render_traceback_(self) -> list[str]:
        # IPython shows this instead of a stack of internal frames, which do not help the user.
        return [f"{type(self).__name__}: {self}"]


def _rebuild(cls: type[LambdaMagicError], message: str, state: dict[str, Any]) -> LambdaMagicError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigError(LambdaMagicError):
    """A setting is unknown, of the wrong kind or outside AWS's limits."""


class CaptureError(LambdaMagicError):
    """The cell cannot be captured; nothing was sent."""


class UnsupportedInCellError(CaptureError):
    """The cell holds a magic or a star import that cannot run remotely."""


class EncodeError(CaptureError, pickle.PicklingError):
    """A value cannot be pickled; the message has the path to the offending part."""


class UnsendableItemsError(EncodeError):
    """Some items of a chunk cannot be sent; the others can.

    Attributes:
        errors: The error to raise for each, by its position in the chunk.
    """

    def __init__(self, errors: dict[int, BaseException]) -> None:
        super().__init__(f"{len(errors):,} of a chunk's items cannot be sent to Lambda")
        self.errors = errors


class TargetError(LambdaMagicError):
    """The target, where jobs run, is not usable."""


class UnreachableError(TargetError):
    """No connection could be made: nothing was sent, so nothing ran."""


class NotReadyError(UnreachableError):
    """The function was inactive, or was being created or updated, until the deadline: nothing ran."""


class LocalServerError(TargetError):
    """The embedded Lambda could not start, or has died."""


class CredentialsError(TargetError):
    """There are no AWS credentials, or AWS refused them."""


class FunctionMissingError(TargetError):
    """The Lambda function does not exist or is not ready."""


class BucketMissingError(TargetError):
    """The bucket does not exist, or these credentials may not use it."""


class PackageError(TargetError):
    """The function's package cannot be built, or exceeds Lambda's limit; nothing was changed.

    Attributes:
        detail: The output of pip or uv, if one of them failed.
    """

    def __init__(self, message: str, *, hint: str | None = None, detail: str = "") -> None:
        super().__init__(message, hint=hint)
        self.detail = detail


class PackageTooLargeError(PackageError):
    """The function's package exceeds Lambda's limit; nothing was changed."""


class ImageError(TargetError):
    """An image cannot be built, pushed or run."""


class ImageMissingError(ImageError):
    """The image does not exist on this machine."""


class ProtocolError(LambdaMagicError):
    """Client and function do not understand each other."""


class VersionMismatchError(ProtocolError):
    """Protocol, Python or serializer versions differ between client and function."""


class ParityError(ProtocolError):
    """The function lacks a package that the code imports, or has another version of it; nothing was sent.

    Args:
        message: What happened.
        hint: What to do.
        deployment: The deployment that the packages can be added to; empty if the function is not part of one.
        requirements: The packages, as `name==version`.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, deployment: str = "", requirements: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.deployment, self.requirements = deployment, requirements


class IntegrityError(ProtocolError):
    """Bytes do not match their digest or signature; they were not unpickled."""


class InvocationError(LambdaMagicError):
    """The invocation failed for a reason outside the user's code.

    Attributes:
        request_id: AWS's id of the invocation, where one was given.
        log_tail: The end of the invocation's log (at most 4 KiB), where AWS returned it.
        may_have_run: Whether the user's code may have run, in part or completely.
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
    """Lambda still throttled the invocation (HTTP 429) after the retry deadline; nothing ran.

    Attributes:
        retry_after_s: How long Lambda asked to wait (the header Retry-After); 0 if it did not say.
    """

    may_have_run = False
    retry_after_s = 0.0


class PayloadTooLargeError(InvocationError):
    """The event exceeds Lambda's payload limit; nothing ran."""

    may_have_run = False


class FunctionTimedOutError(InvocationError):
    """The deadline passed while the user's code ran.

    Attributes:
        stacks: The stack of every remote thread just before the deadline, as text.
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
        return f"{text}\n\nStacks just before the timeout:\n{self.stacks.rstrip()}" if self.stacks else text


class OutOfMemoryError(InvocationError):
    """The execution environment ran out of memory and was killed.

    Attributes:
        peak_memory_mb: The highest memory use that was measured, in MB; None if unknown.
        memory_mb: The function's memory, in MB.
    """

    def __init__(self, message: str, *, peak_memory_mb: int | None = None, memory_mb: int | None = None, **kw: Any):
        super().__init__(message, **kw)
        self.peak_memory_mb = peak_memory_mb
        self.memory_mb = memory_mb


class EnvironmentDiedError(InvocationError):
    """The execution environment's process ended while the code ran (os._exit, a signal, a crash)."""


class InvocationLostError(InvocationError):
    """The connection broke after the request was sent; whether the code ran is unknown.

    Attributes:
        silent_s: How long after the request was sent a synchronous call was lost, in seconds; 0 for other modes.
    """

    silent_s = 0.0


class AnswerNotTrustedError(InvocationLostError, IntegrityError):
    """The object stored as an attempt's answer does not match its signature or digest; it was not read.

    It is that attempt's trouble, as a connection that broke: the tasks are sent again, under another name.
    """


class AnswerLostError(InvocationError):
    """The code ran, or may have completed, but its answer could not be stored. It is not run again."""


class DeployError(LambdaMagicError):
    """An AWS resource could not be created, changed or deleted."""


class NotOursError(DeployError):
    """The resource was not created by lambdamagic; nothing was changed."""


class DeploymentMissingError(DeployError):
    """The deployment does not exist in this account and region."""


class StackFailedError(DeployError):
    """CloudFormation failed to create or change the stack; the message names the resource."""


class AwsBusyError(DeployError):
    """AWS throttled us, or did not finish before the deadline; the same command continues where it stopped."""


class CostLimitError(LambdaMagicError):
    """The job reached its cost limit (the setting `max_cost_usd`); nothing more was launched."""


class ResultError(LambdaMagicError):
    """The code ran, but its result cannot be returned."""


class ResultEncodeError(ResultError, pickle.PicklingError):
    """The code ran, but its result cannot be pickled."""


class JobMissingError(LambdaMagicError):
    """The job is unknown here, or no longer in the bucket; nothing was sent."""


class BeforeFailedError(LambdaMagicError):
    """A background job was queued behind one that failed or was cancelled; it did not run. The cause says why."""


class JobCancelledError(LambdaMagicError):
    """The job was cancelled by the user."""
