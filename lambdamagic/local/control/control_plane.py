"""Parts of Lambda's control plane that moto lacks: limits of values, and the states of functions."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from typing import Any

from lambdamagic.limits import AWS_LAMBDA, environment_size, is_reserved
from lambdamagic.local.control import request_shapes, revisions, taken_names
from lambdamagic.local.server.error_bodies import AwsError, broken_constraint
from lambdamagic.local.server.http_server import HttpRequest, HttpResponse

FUNCTIONS_PATH = "/2015-03-31/functions"
ACCOUNT_PATH = "/2016-08-19/account-settings"
_CODE = re.compile(r"^/2015-03-31/functions/[^/]+/(code|configuration)/?$")
#: "Deprecated runtimes", Lambda Developer Guide: those whose functions can be neither created nor updated.
_ENDED = ("python2.7", "python3.6", "python3.7", "python3.8")


def changes_functions(service: str, request: HttpRequest) -> bool:
    """Return whether a request may change what functions are."""
    return service == "cloudformation" or (service == "lambda" and request.method != "GET")


def validate(request: HttpRequest, *, account_id: str, region: str) -> None:
    """Refuse what AWS refuses and moto would take, in AWS's words.

    Raises:
        AwsError: A value breaks Lambda's API model or a limit, or the package is none.
    """
    try:
        values = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return  # moto answers what is not JSON
    operation = request_shapes.check(request, values)
    revisions.check(operation, request, values, account_id=account_id, region=region)
    taken_names.check(operation, request, values, account_id=account_id, region=region)
    if any(key.lower().startswith("aws:") for key in values.get("Tags") or {}):
        text = "aws: prefixed tag key names are not allowed for external use."
        raise AwsError(400, "InvalidParameterValueException", text)
    if operation in ("CreateFunction", "UpdateFunctionConfiguration"):
        if operation == "CreateFunction":
            given = values["FunctionName"]
            _check_new(values, account_id=account_id, region=region)
            if values["FunctionName"] != given:  # the body holds the package, which may be large
                request.body = json.dumps(values).encode()
        if values.get("Runtime") is not None:
            _check_runtime(values["Runtime"])
        if len(values.get("Layers") or ()) > AWS_LAMBDA.layers.most:
            text = f"Cannot reference more than {AWS_LAMBDA.layers.most} layers."
            raise AwsError(400, "InvalidParameterValueException", text)
        _check_variables((values.get("Environment") or {}).get("Variables") or {})
    if operation == "UpdateFunctionCode":
        _check_code(values)
        if values.get("DryRun") and values.pop("Publish", False):  # moto would publish a version
            request.body = json.dumps(values).encode()
    elif operation == "CreateFunction" and values.get("PackageType", "Zip") == "Zip":
        _check_code(values["Code"])


def _check_runtime(runtime: str) -> None:
    known = {*request_shapes.choices("Runtime"), *(f"python{each}" for each in AWS_LAMBDA.pythons)}
    if runtime in _ENDED:
        text = (
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
        raise AwsError(400, "InvalidParameterValueException", text)
    if runtime not in known:
        text = (
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(sorted(known - set(_ENDED)))}] or be a valid ARN"
        )
        raise AwsError(400, "InvalidParameterValueException", text)


def _check_new(values: dict[str, Any], *, account_id: str, region: str) -> None:
    """Refuse a name that no function can have, and keep of an ARN the name; refuse a package without a handler."""
    prefix, _, name = values["FunctionName"].rpartition("function:")
    if prefix not in ("", f"{account_id}:", f"arn:aws:lambda:{region}:{account_id}:"):
        text = f"User: arn:aws:iam::{account_id}:root is not authorized to perform: lambda:CreateFunction on resource: "
        raise AwsError(403, "AccessDeniedException", text + values["FunctionName"])
    most = AWS_LAMBDA.function_name_chars.most
    if ":" in name or len(name) > most:
        constraint = f"Member must have length less than or equal to {most}"
        if ":" in name:
            constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        raise broken_constraint(name, "functionName", constraint)
    values["FunctionName"] = name
    if values.get("PackageType", "Zip") == "Zip" and not (values.get("Runtime") and values.get("Handler")):
        text = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        raise AwsError(400, "InvalidParameterValueException", text)


def _check_code(code: dict[str, Any]) -> None:
    """Refuse what is no package, or one that is too large once it is unpacked."""
    encoded = code.get("ZipFile")
    if encoded is None:
        if not code.get("S3Bucket") and not code.get("ImageUri"):
            raise AwsError(400, "InvalidParameterValueException", "Please provide a source for function code.")
        return
    if code.get("S3Bucket") or code.get("S3Key"):
        text = "Please do not provide other FunctionCode parameters when providing a ZipFile."
        raise AwsError(400, "InvalidParameterValueException", text)
    if not encoded:
        raise AwsError(400, "InvalidParameterValueException", "Uploaded file must be a non-empty zip")
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded, validate=True))) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (ValueError, zipfile.BadZipFile):
        text = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise AwsError(400, "InvalidParameterValueException", text) from None
    if size > AWS_LAMBDA.package_bytes.most:
        text = f"Unzipped size must be smaller than {AWS_LAMBDA.package_bytes.most} bytes"
        raise AwsError(400, "InvalidParameterValueException", text)


def _check_variables(variables: dict[str, Any]) -> None:
    cannot = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = [name for name in variables if is_reserved(name)]
    if reserved:
        text = (
            f"{cannot} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise AwsError(400, "InvalidParameterValueException", text)
    if environment_size(variables) > AWS_LAMBDA.environment_bytes.most:
        measured = json.dumps(variables, separators=(",", ":"))
        text = f"{cannot} exceeded the 4KB limit. String measured: {measured}"
        raise AwsError(400, "InvalidParameterValueException", text)


def with_states(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return moto's answer with the state that AWS reports right after a change.

    AWS answers a create with Pending and an update with InProgress, and is done some moments later. Here the
    change is complete when the answer arrives, so the next look at the function finds it Active.
    """
    if response.status not in (200, 201):
        return response
    if request.method == "POST" and request.path.rstrip("/") == FUNCTIONS_PATH:
        extra: dict[str, Any] = {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }
    elif request.method == "PUT" and _CODE.match(request.path):
        extra = {
            "LastUpdateStatus": "InProgress",
            "LastUpdateStatusReason": "The function is being created.",
            "LastUpdateStatusReasonCode": "Creating",
        }
    else:
        return response
    values = json.loads(response.body)
    if "FunctionArn" not in values:
        return response
    headers = [
        (name, value) for name, value in response.headers if name.lower() not in ("content-length", "x-amz-crc32")
    ]
    return HttpResponse(response.status, headers, json.dumps({**values, **extra}).encode())


def account_settings(concurrency: int, *, reserved: int) -> HttpResponse:
    """Return what GetAccountSettings answers: the instance's quota stands for the account's."""
    limits = {
        "TotalCodeSize": 75 * 1024**3,  # "Lambda quotas", like the other two
        "CodeSizeUnzipped": AWS_LAMBDA.package_bytes.most,
        "CodeSizeZipped": AWS_LAMBDA.direct_package_bytes.most,
        "ConcurrentExecutions": concurrency,
        "UnreservedConcurrentExecutions": max(0, concurrency - reserved),
    }
    document = {"AccountLimit": limits, "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": 0}}
    return HttpResponse(200, (("content-type", "application/json"),), json.dumps(document).encode())
