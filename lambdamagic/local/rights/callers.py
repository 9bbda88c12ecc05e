"""A caller with policies, and the caller on whose behalf the current work is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from lambdamagic.local.rights.needed_rights import CallPlace, Right
from lambdamagic.local.rights.policy_language import Decision, decide
from lambdamagic.local.server.error_bodies import AwsError


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose rights are asked for.

    Attributes:
        arn: The identity.
        name: The user's name, or the session's.
        documents: The policies that it has, as JSON.
        boundary: The policy that bounds it, as JSON; None if none does.
    """

    arn: str
    name: str
    documents: tuple[str, ...]
    boundary: str | None = None

    def require(self, right: Right, place: CallPlace) -> None:
        """Return if this caller has a right.

        Raises:
            AwsError: It has not.
        """
        decision = self._decide(right, place)
        if decision is Decision.ALLOWED:
            return
        service, _, _ = right.action.partition(":")
        quote = '"' if service == "s3" else ""
        of = "resource: " + quote + right.resource + quote
        why = (
            "with an explicit deny in an identity-based policy"
            if decision is Decision.DENIED
            else f"because no identity-based policy allows the {right.action} action"
        )
        text = f"User: {self.arn} is not authorized to perform: {right.action} on {of} {why}"
        code = "AccessDenied" if service in ("s3", "iam", "sts", "cloudformation") else "AccessDeniedException"
        raise AwsError(400 if service in ("logs", "ecr", "sqs") else 403, code, text)

    def _decide(self, right: Right, place: CallPlace) -> Decision:
        context = {
            "aws:PrincipalAccount": place.account_id,
            "aws:PrincipalArn": self.arn,
            "aws:RequestedRegion": place.region,
            "aws:SecureTransport": "true",  # this endpoint stands for AWS's, which are asked by TLS
            "aws:SourceIp": "127.0.0.1",
            **({"aws:username": self.name} if ":user/" in self.arn else {}),
            **right.context,
        }
        decision = decide(self.documents, right.action, right.resource, context)
        if decision is Decision.ALLOWED and self.boundary is not None:
            return decide([self.boundary], right.action, right.resource, context)
        return decision


_acting: ContextVar[tuple[Caller, CallPlace] | None] = ContextVar("acting", default=None)


@contextmanager
def acting(caller: Caller | None, place: CallPlace) -> Iterator[None]:
    """Run the block on behalf of a caller; CloudFormation acts in its caller's. None may do everything."""
    token = _acting.set(None if caller is None else (caller, place))
    try:
        yield
    finally:
        _acting.reset(token)


def has_limited_rights() -> bool:
    """Return whether the work at hand is done on behalf of a caller with limited rights."""
    return _acting.get() is not None


def require_of_acting(rights: Iterable[Right]) -> None:
    """Return if whoever asked for the work at hand has all these rights.

    Raises:
        AwsError: One is missing.
    """
    in_name_of = _acting.get()
    if in_name_of is not None:
        caller, place = in_name_of
        for right in rights:
            caller.require(right, place)
