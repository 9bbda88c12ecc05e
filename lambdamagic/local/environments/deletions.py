"""What DeleteFunction refuses of a version or an alias; moto deletes a version that an alias names."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from lambdamagic.local.environments.function_versions import FunctionCatalog
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

_FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/?")


def answer(request: HttpRequest, *, account_id: str, region: str) -> HttpResponse | None:
    """Refuse to delete a version that must stay; the caller holds `revisions.CHANGES`.

    Returns:
        AWS's answer for a version that the function does not have, which is no error; None where moto answers.

    Raises:
        AwsError: It is `$LATEST`, an alias, or a version that an alias names or sends a share of requests to.
    """
    path = _FUNCTION.fullmatch(request.path)
    if request.method != "DELETE" or path is None:
        return None
    qualifier = dict(parse_qsl(request.query)).get("Qualifier")
    catalog = FunctionCatalog(account_id=account_id, region=region)
    name, qualifier = catalog.parse(unquote(path[1]), qualifier, action="DeleteFunction")
    if qualifier is None:
        return None
    if qualifier == "$LATEST":
        text = "$LATEST version cannot be deleted without deleting the function."
        raise AwsError(400, "InvalidParameterValueException", text)
    if not qualifier.isdecimal():
        raise AwsError(400, "InvalidParameterValueException", "Deletion of aliases is not currently supported.")
    from moto.awslambda.utils import get_backend

    backend = get_backend(account_id, region)
    versions = {str(each.version) for each in backend.list_versions_by_function(name)}
    if not versions:
        return None  # there is no such function
    if qualifier not in versions:
        return HttpResponse(204)
    holding = [
        alias.name
        for alias in backend.list_aliases(name)
        if qualifier == alias.function_version
        or qualifier in (alias.routing_config or {}).get("AdditionalVersionWeights", {})
    ]
    if holding:
        text = f"Unable to delete version because the following aliases reference it: [{', '.join(sorted(holding))}]"
        raise AwsError(409, "ResourceConflictException", text)
    return None
