"""Revisions of functions, aliases and policies: a change that names an old one is refused."""

from __future__ import annotations

import threading
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote

from lambdamagic.local.control.moto_patches import put
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest

_FUNCTION = "moto.awslambda.models:LambdaFunction"
_OF_FUNCTIONS = ("UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion")
_OF_POLICIES = ("AddPermission", "RemovePermission")
_OF_LAYERS = ("AddLayerVersionPermission", "RemoveLayerVersionPermission")
#: Held from the look at a revision to the end of the change that names it.
CHANGES = threading.Lock()


def check(operation: str | None, request: HttpRequest, values: dict[str, Any], *, account_id: str, region: str) -> None:
    """Refuse a change of what has been changed since; the caller holds `CHANGES`.

    Args:
        operation: The request's operation.
        request: The request.
        values: What its body holds.
        account_id: The account.
        region: Its region.

    Raises:
        AwsError: The revision that it names is not the latest.
    """
    query = dict(parse_qsl(request.query))
    named = values.get("RevisionId") or query.get("RevisionId")
    if not named:
        return
    # /DATE/functions/NAME/..., /DATE/layers/NAME/versions/NUMBER/policy...
    parts = [unquote(part) for part in request.path.split("/")]
    from moto.awslambda.utils import get_backend
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    backend = get_backend(account_id, region)
    try:
        if operation in _OF_FUNCTIONS:
            latest, where = _of(backend.get_function(parts[3])), "GetFunction/GetAlias"
        elif operation == "UpdateAlias":
            latest, where = backend.get_alias(parts[5], parts[3]).revision_id, "GetFunction/GetAlias"
        elif operation in _OF_POLICIES:
            latest, where = backend.get_function(parts[3], query.get("Qualifier")).policy.revision, "GetPolicy"
        elif operation in _OF_LAYERS:
            latest, where = backend.get_layer_version(parts[3], parts[5]).policy.revision, "GetLayerVersionPolicy"
        else:
            return
    except (ServiceException, HTTPException):
        return  # moto answers what is not there
    if named != latest:
        text = f"The Revision Id provided does not match the latest Revision Id. Call the {where} API to retrieve "
        raise AwsError(412, "PreconditionFailedException", f"{text}the latest Revision Id")


def install() -> None:
    """Give moto's functions revisions, and what it changes a new one."""

    def update(self: Any, changes: dict[str, Any]) -> Any:
        return _renewed(self, updated(self, changes))

    def update_code(self: Any, changes: dict[str, Any]) -> Any:
        found = changed_code(self, changes)
        return found if changes.get("DryRun") else _renewed(self, found)

    def configuration(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**described(self, *args, **kwargs), "RevisionId": _of(self)}

    def publish(self: Any, name_or_arn: str, description: str = "") -> Any:
        version = published(self, name_or_arn, description)
        if _of(version) == _of(self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)):  # it is new, a copy
            version.revision_id = _new()
        return version

    def update_alias(self: Any, *args: Any) -> None:
        changed_alias(self, *args)
        self.revision_id = _new()

    def remove_statement(self: Any, sid: str, revision: Any = "") -> None:
        del revision  # compared before, and moto has it as a list here
        removed(self, sid)
        self.revision = _new()

    updated = put(f"{_FUNCTION}.update_configuration", update)
    changed_code = put(f"{_FUNCTION}.update_function_code", update_code)
    described = put(f"{_FUNCTION}.get_configuration", configuration)
    published = put("moto.awslambda.models:LambdaStorage.publish_version", publish)
    changed_alias = put("moto.awslambda.models:LambdaAlias.update", update_alias)
    removed = put("moto.awslambda.policy:Policy.del_statement", remove_statement)


def _new() -> str:
    return str(uuid.uuid4())


def _of(function: Any) -> str:
    """Return a function's revision; the first one is made when it is asked for."""
    found: str | None = getattr(function, "revision_id", None)
    if found is None:
        found = function.revision_id = _new()
    return found


def _renewed(function: Any, configuration: Any) -> Any:
    from moto.core.utils import iso_8601_datetime_with_nanoseconds

    function.revision_id, function.last_modified = _new(), iso_8601_datetime_with_nanoseconds()
    return {**configuration, "RevisionId": function.revision_id, "LastModified": function.last_modified}
