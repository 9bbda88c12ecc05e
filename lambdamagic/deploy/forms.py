"""The template's forms: CloudFormation is the source, SAM and Terraform are made from it. Pure."""

from __future__ import annotations

import copy
from typing import Any

from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.template import template, to_text

Json = dict[str, Any]

# What AWS::Serverless::Function names as AWS::Lambda::Function does ("AWS SAM resources and properties").
_SAME = (
    "Architectures",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "Layers",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "VpcConfig",
)


def render(spec: StackSpec, form: str) -> str:
    """Return a template as text.

    Args:
        spec: The requested state.
        form: `cloudformation`, `sam` or `terraform`.
    """
    if form == "terraform":
        from lambdamagic.deploy.terraform import terraform

        return terraform(spec)
    return to_text(template(spec) if form == "cloudformation" else sam(template(spec)))


def sam(source: Json) -> Json:
    """Return a CloudFormation template as a SAM template: each function and its events become one resource."""
    document = copy.deepcopy(source)
    resources = document["Resources"]
    for function, events in (("Function", "FunctionEvents"), ("InvokerFunction", "InvokerEvents")):
        if function in resources:
            resources[function] = _serverless(resources[function], resources.pop(events))
    first = {"AWSTemplateFormatVersion": document.pop("AWSTemplateFormatVersion")}
    return {**first, "Transform": "AWS::Serverless-2016-10-31", **document}


def _serverless(function: Json, events: Json) -> Json:
    properties = {key: value for key, value in function["Properties"].items() if key in _SAME}
    code = function["Properties"]["Code"]
    if "ImageUri" in code:
        properties["ImageUri"] = code["ImageUri"]
    else:
        properties["CodeUri"] = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    properties["Tags"] = {tag["Key"]: tag["Value"] for tag in function["Properties"]["Tags"]}
    properties["EventInvokeConfig"] = {
        key: events["Properties"][key] for key in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts")
    }
    return {**function, "Type": "AWS::Serverless::Function", "Properties": properties}
