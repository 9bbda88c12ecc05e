"""The invoker of a deployment, as CloudFormation resources: a second function with another entry point. Pure."""

from __future__ import annotations

from typing import Any

from lambdamagic.deploy.model import INVOKER_HANDLER, INVOKER_TAG, StackSpec
from lambdamagic.deploy.policies import variants_arn
from lambdamagic.deploy.resources import (
    layer_id,
    log_group,
    no_retries,
    policy_document,
    tags,
    trust_policy,
    writes_log,
)
from lambdamagic.protocol.batch import INVOKES_VARIABLE, TIMEOUT_S

Json = dict[str, Any]

#: It signs requests for some tenths of a second: its processor share grows with its memory ("Configure Lambda function
#: memory"), so that a smaller one costs as much and takes longer.
MEMORY_MB = 1024


def invoker_resources(spec: StackSpec) -> Json:
    """Return the resources."""
    return {
        "InvokerLogGroup": log_group(spec.invoker_name, spec.log_days),
        "InvokerRole": _role(spec),
        "InvokerFunction": _function(spec),
        "InvokerEvents": no_retries("InvokerFunction"),
    }


def _role(spec: StackSpec) -> Json:
    # By its name, since the function is made after its invoker; the pattern is that of its variants in other sizes.
    function = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + spec.name
    invokes = {
        "Sid": "InvokeItsFunction",
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": [{"Fn::Sub": function}, {"Fn::Sub": variants_arn(function)}],
    }
    properties: Json = {
        "Description": f"Permissions of the function {spec.invoker_name}: invoke {spec.name}, and log",
        "AssumeRolePolicyDocument": trust_policy(),
        "Policies": [
            {"PolicyName": "invoker", "PolicyDocument": policy_document(writes_log("InvokerLogGroup"), invokes)}
        ],
    }
    if spec.permissions_boundary:
        properties["PermissionsBoundary"] = spec.permissions_boundary
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _function(spec: StackSpec) -> Json:
    function = spec.function
    properties: Json = {
        "FunctionName": spec.invoker_name,
        "Description": f"Hands events to {spec.name} for lambdamagic",
        "Role": {"Fn::GetAtt": ["InvokerRole", "Arn"]},
        "Architectures": [function.arch],
        "MemorySize": MEMORY_MB,
        "Timeout": TIMEOUT_S,
        "EphemeralStorage": {"Size": 512},
        "Environment": {"Variables": {INVOKES_VARIABLE: spec.name}},
        "Tags": tags(INVOKER_TAG),
    }
    if function.image is None:
        properties |= {
            "PackageType": "Zip",
            "Runtime": function.runtime,
            "Handler": INVOKER_HANDLER,
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
        }
        own = [{"Ref": layer_id(kind)} for kind in function.own_layers if kind == "agent"]  # it needs no packages
        if own:
            properties["Layers"] = own
    else:
        properties |= {
            "PackageType": "Image",
            "Code": {"ImageUri": function.image},
            "ImageConfig": {"Command": [INVOKER_HANDLER]},
        }
    # No VPC: it calls Lambda only, which a VPC without internet access could not reach.
    return {"Type": "AWS::Lambda::Function", "DependsOn": ["InvokerLogGroup"], "Properties": properties}
