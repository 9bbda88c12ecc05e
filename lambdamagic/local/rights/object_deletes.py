"""DeleteObjects for a caller who may not delete all keys: the answer is 200, with an error for each refused key."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from lambdamagic.local.rights.callers import Caller
from lambdamagic.local.rights.needed_rights import CallPlace, Right, object_arn
from lambdamagic.local.rights.operations import Call
from lambdamagic.local.server.error_bodies import AwsError
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

_END = b"</DeleteResult>"


def delete_allowed(
    caller: Caller, call: Call, place: CallPlace, *, request: HttpRequest, answer: Callable[[HttpRequest], HttpResponse]
) -> HttpResponse:
    """Delete what the caller may, and say what not ("DeleteObjects", S3 API reference)."""
    try:
        root = ElementTree.fromstring(request.body)  # noqa: S314 - a signed body; expat bounds what entities grow to
    except ElementTree.ParseError:
        return answer(request)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # the namespace would be written as a prefix, which moto mistakes
    refused: list[tuple[str, AwsError]] = []
    for each in root.findall("Object"):
        key = each.findtext("Key", "")
        try:
            caller.require(Right("s3:DeleteObject", object_arn(call.parameters["Bucket"], key)), place)
        except AwsError as error:
            refused.append((key, error))
            root.remove(each)
    if not refused:
        return answer(request)
    errors = "".join(
        f"<Error><Key>{escape(key)}</Key><Code>{error.code}</Code><Message>{escape(error.text)}</Message></Error>"
        for key, error in refused
    ).encode()
    body = b'<?xml version="1.0" encoding="UTF-8"?><DeleteResult>' + _END
    if root.find("Object") is not None:
        request.body = ElementTree.tostring(root)
        response = answer(request)
        if response.status != 200 or _END not in response.body:
            return response
        body = response.body
    return HttpResponse(200, (("content-type", "application/xml"),), body.replace(_END, errors + _END))
