"""Authorization: the policies of IAM users and roles, enforced on each of their requests.

The owner's key is an account's root and may do everything: it does not come here. A user's key that was made by IAM
has the rights of the user's policies and groups, a session of STS and a function those of the role. What a policy says
is decided in `policy_language`, what a request needs in `needed_rights`; here the two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lambdamagic.local.rights.callers import Caller, acting
from lambdamagic.local.rights.needed_rights import CallPlace, Right, key_rights, object_arn, rights_of
from lambdamagic.local.rights.object_deletes import delete_allowed
from lambdamagic.local.rights.operations import Call, call_of
from lambdamagic.local.server import auth_errors
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

_READS = ("GetObject", "HeadObject")


class AccessControl:
    """Holds requests to the policies of who signed them. Blocking: moto's threads call it.

    Args:
        account_id: The account.
        role_of: Returns the role's name and the function's for a function's key; None for any other key.
    """

    def __init__(self, *, account_id: str, role_of: Callable[[str], tuple[str, str] | None]) -> None:
        self._account_id = account_id
        self._role_of = role_of

    @contextmanager
    def checked(self, access_key_id: str, region: str, service: str, request: HttpRequest) -> Iterator[Checked]:
        """Hold a request to its signer's policies; within, what is done is done in the signer's name.

        Raises:
            AwsError: A right is missing, or the key was taken away.
        """
        place = CallPlace(self._account_id, region)
        caller = self._caller(access_key_id, service)
        call = None if caller is None else call_of(service, request)
        if caller is not None and call is not None:  # what is no operation at all is moto's to refuse
            for right in rights_of(call, place):
                caller.require(right, place)
                for needed in key_rights(call, right, self._bucket_key):
                    caller.require(needed, place)
        with acting(caller, place):
            yield Checked(caller, call, place)

    def _bucket_key(self, bucket: str) -> str | None:
        """Return the ARN of the KMS key that a bucket is encrypted with, or None."""
        from moto.s3.models import s3_backends

        found = s3_backends[self._account_id]["aws"].buckets.get(bucket)
        rule = ((found.encryption if found else None) or {}).get("Rule") or {}
        rule = rule[0] if isinstance(rule, list) else rule
        return (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("KMSMasterKeyID")

    def _caller(self, key_id: str, service: str) -> Caller | None:
        """Return whose key it is; None for a function whose role IAM does not know, which may do everything."""
        from moto.iam.access_control import CreateAccessKeyFailure, IAMUserAccessKey
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        of_function = self._role_of(key_id)
        if of_function is not None:
            return self._role(*of_function)
        for session in list(sts_backends[self._account_id]["aws"].assumed_roles):
            if session.access_key_id == key_id:
                return self._role(session.role_arn.rpartition("/")[2], session.session_name)
        try:
            key = IAMUserAccessKey(self._account_id, "aws", key_id, {})
        except CreateAccessKeyFailure:
            raise auth_errors.unknown_key(service) from None  # it was deleted after it was first seen
        documents = tuple(_document(policy) for policy in key.collect_policies())
        user = iam_backends[self._account_id]["aws"].get_user(key.arn.rpartition("/")[2])
        return Caller(key.arn, user.name, documents, _boundary(self._account_id, user))

    def _role(self, name: str, session: str) -> Caller | None:
        from moto.iam.exceptions import NotFoundException
        from moto.iam.models import iam_backends

        backend = iam_backends[self._account_id]["aws"]
        try:
            role = backend.get_role(name)
        except NotFoundException:
            return None
        inline = [backend.get_role_policy(name, each)[1] for each in backend.list_role_policies(name)]
        attached, _ = backend.list_attached_role_policies(name)
        documents = tuple(_document(policy) for policy in [*inline, *attached])
        arn = f"arn:aws:sts::{self._account_id}:assumed-role/{name}/{session}"
        return Caller(arn, session, documents, _boundary(self._account_id, role))


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that may be answered."""

    caller: Caller | None
    call: Call | None
    place: CallPlace

    def answer(self, answer: Callable[[HttpRequest], HttpResponse], request: HttpRequest) -> HttpResponse:
        """Answer it as its signer may see it."""
        if self.caller is None or self.call is None or self.call.service != "s3":
            return answer(request)
        if self.call.operation == "DeleteObjects":
            return delete_allowed(self.caller, self.call, self.place, request=request, answer=answer)
        response = answer(request)
        if response.status == 404 and self.call.operation in _READS:
            # "GetObject": without the right to list the bucket, a missing object is not reported as missing.
            listing = Right("s3:ListBucket", object_arn(self.call.parameters["Bucket"]))
            self.caller.require(listing, self.place)
        return response


def _document(policy: Any) -> str:
    """Return the JSON of one of moto's kinds of policy."""
    if isinstance(policy, dict):
        return str(policy["policy_document"])
    if isinstance(policy, str):
        return policy
    return next(str(version.document) for version in policy.versions if version.is_default)


def _boundary(account_id: str, owner: Any) -> str | None:
    from moto.iam.models import iam_backends

    arn = (getattr(owner, "permissions_boundary", None) or {}).get("PermissionsBoundaryArn")
    policy = iam_backends[account_id]["aws"].managed_policies.get(arn) if arn else None
    return None if policy is None else _document(policy)
