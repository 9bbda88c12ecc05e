"""Names that a request would give a second time: moto takes statements of one id, and has another code for aliases."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote

from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest


def check(operation: str | None, request: HttpRequest, values: dict[str, Any], *, account_id: str, region: str) -> None:
    """Refuse a statement or an alias that exists; the caller holds `revisions.CHANGES`.

    Raises:
        AwsError: There is one of this name.
    """
    if operation not in ("AddPermission", "CreateAlias"):
        return
    from moto.awslambda.utils import get_backend
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    name = unquote(request.path.split("/")[3])
    try:
        function = get_backend(account_id, region).get_function(name, dict(parse_qsl(request.query)).get("Qualifier"))
    except (ServiceException, HTTPException):
        return  # moto answers what is not there
    if operation == "AddPermission":
        wanted = values["StatementId"]
        if any(statement.get("Sid") == wanted for statement in function.policy.statements):
            text = (
                f"The statement id ({wanted}) provided already exists. Please provide a new statement id, or remove "
                "the existing statement."
            )
            raise AwsError(409, "ResourceConflictException", text)
    elif any(alias.name == values["Name"] for alias in get_backend(account_id, region).list_aliases(name)):
        arn = f"arn:aws:lambda:{region}:{account_id}:function:{function.function_name}:{values['Name']}"
        raise AwsError(409, "ResourceConflictException", f"Alias already exists: {arn}")
