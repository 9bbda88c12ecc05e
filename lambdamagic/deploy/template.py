"""The CloudFormation template: the source of all forms. Pure: a spec in, a template out."""

from __future__ import annotations

import json
from typing import Any

from lambdamagic.deploy.graphs_template import graphs_resource
from lambdamagic.deploy.invoker_template import invoker_resources
from lambdamagic.deploy.model import FUNCTION_TAG, HANDLER, LIVE_ALIAS, TRIGGER_PREFIX, StackSpec
from lambdamagic.deploy.resources import (
    layer_id,
    log_group,
    no_retries,
    policy_document,
    tags,
    trust_policy,
    uses_data,
    writes_log,
)
from lambdamagic.deploy.snapstart_template import snapstart_resources
from lambdamagic.protocol.keys import PREFIX, graphs_prefix

Json = dict[str, Any]

VPC_POLICY = "service-role/AWSLambdaVPCAccessExecutionRole"


def template(spec: StackSpec, *, with_function: bool = True) -> Json:
    """Return the template.

    Its parameters `CodeBucket` and `CodeKey` say where the package is; a function from an image has none.

    Args:
        spec: The requested state.
        with_function: Without it the template holds the bucket only: that must be there before the package is.
    """
    resources: Json = {}
    if spec.bucket is None:
        resources |= {"Bucket": _bucket(spec, has_function=with_function), "BucketPolicy": _bucket_policy()}
    outputs: Json = {"Bucket": _output("The bucket", spec.bucket or {"Ref": "Bucket"})}
    if with_function:
        resources |= _function_resources(spec)
        outputs |= {
            "FunctionName": _output("The function", _invoked(spec)),
            "FunctionArn": _output("The function's ARN", {"Fn::GetAtt": ["Function", "Arn"]}),
            "RoleArn": _output("The role that the function runs with", {"Fn::GetAtt": ["FunctionRole", "Arn"]}),
            "LogGroupName": _output("Where the function logs", {"Ref": "LogGroup"}),
        }
        if spec.function.has_snapstart:
            keys = ["CodeKey", *map(layer_parameter, spec.function.own_layers)]
            resources |= snapstart_resources(resources["Function"], keys)
        if spec.has_trigger:
            resources |= _trigger_resources(spec)
        if spec.has_graphs:
            resources["GraphsPolicy"] = graphs_resource(spec)
        if spec.has_invoker:
            resources |= invoker_resources(spec)
            outputs["InvokerName"] = _output("Sends the function many events at once", {"Ref": "InvokerFunction"})
        if spec.has_repository:
            resources["Repository"] = _repository(spec)
            outputs["RepositoryArn"] = _output("The repository for images", {"Fn::GetAtt": ["Repository", "Arn"]})
    result: Json = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "lambdamagic: runs notebook cells on AWS Lambda",
        "Metadata": {"lambdamagic": spec.remembered()},
        "Resources": resources,
        "Outputs": outputs,
    }
    if with_function and spec.function.image is None:
        result["Parameters"] = {
            "CodeBucket": {"Type": "String", "Description": "The bucket that holds the function's package"},
            "CodeKey": {"Type": "String", "Description": "The package's key in it"},
        } | {
            layer_parameter(kind): {"Type": "String", "Description": f"The key of the layer with the {kind}"}
            for kind in spec.function.own_layers
        }
    return result


def _invoked(spec: StackSpec) -> Json:
    return {"Fn::Sub": "${Function}:" + LIVE_ALIAS} if spec.function.has_snapstart else {"Ref": "Function"}


def layer_parameter(kind: str) -> str:
    """Return the name of the parameter that holds the key of a layer's zip file."""
    return f"{kind.title()}LayerKey"


def to_text(document: Json) -> str:
    """Return a template as text; equal templates give equal texts."""
    return json.dumps(document, indent=2) + "\n"


def _output(description: str, value: Any) -> Json:
    return {"Description": description, "Value": value}


def _bucket(spec: StackSpec, *, has_function: bool) -> Json:
    encryption: Json = {"SSEAlgorithm": "AES256"}
    rule: Json = {"ServerSideEncryptionByDefault": encryption}
    if spec.kms_key:
        encryption |= {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": spec.kms_key}
        rule["BucketKeyEnabled"] = True  # one request to KMS a session instead of one an object
    properties: Json = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {
            "Rules": [
                _expiry("jobs", f"{PREFIX}/jobs/", spec.job_days),
                _expiry("graphs", graphs_prefix(), spec.job_days),
                _expiry("blobs", f"{PREFIX}/blobs/", spec.blob_days),
                _expiry("cache", f"{PREFIX}/cache/", spec.blob_days),
                _expiry("trigger", TRIGGER_PREFIX, spec.job_days),
                {
                    "Id": "uploads",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
            ]
        },
        "Tags": tags({"lambdamagic": "bucket"}),
    }
    resource: Json = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
    if spec.has_trigger and has_function:
        event = {
            "Event": "s3:ObjectCreated:*",
            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": TRIGGER_PREFIX}]}},
            "Function": {"Fn::GetAtt": ["Function", "Arn"]},
        }
        properties["NotificationConfiguration"] = {"LambdaConfigurations": [event]}
        resource["DependsOn"] = ["TriggerPermission"]  # S3 asks at once whether it may invoke the function
    return {**resource, "Properties": properties}


def _expiry(name: str, prefix: str, days: int) -> Json:
    return {"Id": name, "Status": "Enabled", "Prefix": prefix, "ExpirationInDays": days}


def _bucket_policy() -> Json:
    arn = {"Fn::GetAtt": ["Bucket", "Arn"]}
    statement = {
        "Sid": "OnlyByTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, {"Fn::Sub": "${Bucket.Arn}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Bucket"},
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }


def _function_resources(spec: StackSpec) -> Json:
    return {
        "LogGroup": log_group(spec.name, spec.log_days),
        "FunctionRole": _role(spec),
        **{layer_id(kind): _layer(spec, kind) for kind in spec.function.own_layers},
        "Function": _function(spec),
        "FunctionEvents": no_retries("Function"),
    }


def _role(spec: StackSpec) -> Json:
    may = ["log", *(["run graphs"] if spec.has_graphs else []), *(["use data"] if spec.data_buckets else [])]
    data = [{"PolicyName": "data", "PolicyDocument": policy_document(*uses_data(spec.data_buckets))}]
    properties: Json = {
        "Description": f"Permissions of the function {spec.name}: {', '.join(may)}",
        "AssumeRolePolicyDocument": trust_policy(),
        "Policies": [
            {"PolicyName": "logs", "PolicyDocument": policy_document(writes_log("LogGroup"))},
            *(data if spec.data_buckets else []),
        ],
    }
    if spec.function.subnets:
        properties["ManagedPolicyArns"] = [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/" + VPC_POLICY}]
    if spec.permissions_boundary:
        properties["PermissionsBoundary"] = spec.permissions_boundary
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _function(spec: StackSpec) -> Json:
    function = spec.function
    properties: Json = {
        "FunctionName": function.name,
        "Description": "Runs notebook code sent by lambdamagic",
        "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
        "Architectures": [function.arch],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_s,
        "EphemeralStorage": {"Size": function.ephemeral_mb},
        "Tags": tags(FUNCTION_TAG),
    }
    if function.image is None:
        properties |= {
            "PackageType": "Zip",
            "Runtime": function.runtime,
            "Handler": HANDLER,
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
        }
    else:
        properties |= {"PackageType": "Image", "Code": {"ImageUri": function.image}}
    own_layers = [{"Ref": layer_id(kind)} for kind in function.own_layers]
    if function.layers or own_layers:
        properties["Layers"] = [*own_layers, *function.layers]
    if spec.variables:
        properties["Environment"] = {"Variables": dict(sorted(spec.variables.items()))}
    if function.subnets:
        properties["VpcConfig"] = {
            "SubnetIds": [*function.subnets],
            "SecurityGroupIds": [*function.security_groups],
        }
    if function.has_snapstart:
        properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    if function.reserved_concurrency is not None:
        properties["ReservedConcurrentExecutions"] = function.reserved_concurrency
    # Without the group an early invocation would want to make it, which the role may not. The invoker is there before
    # the function says so, and until it no longer does.
    needs = ["LogGroup", "InvokerFunction"] if spec.has_invoker else ["LogGroup"]
    return {"Type": "AWS::Lambda::Function", "DependsOn": needs, "Properties": properties}


def _layer(spec: StackSpec, kind: str) -> Json:
    return {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {
            "LayerName": f"{spec.name}-{kind}",
            "Description": f"{kind} of the function {spec.name}",
            "CompatibleArchitectures": [spec.function.arch],
            "CompatibleRuntimes": [spec.function.runtime],
            "Content": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": layer_parameter(kind)}},
        },
    }


def _trigger_resources(spec: StackSpec) -> Json:
    statements: list[Json] = [
        {
            "Sid": "ReadWhatTriggersIt",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": {"Fn::Sub": "${Bucket.Arn}/" + TRIGGER_PREFIX + "*"},
        }
    ]
    if spec.kms_key:
        statements.append(
            {"Sid": "UseTheBucketsKey", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": spec.kms_key}
        )
    return {
        "TriggerPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "s3.amazonaws.com",
                "SourceAccount": {"Ref": "AWS::AccountId"},
                # Not the bucket's ARN itself: the bucket needs this permission before it can be made. Lambda compares
                # by StringLike (API reference, AddPermission), and CloudFormation begins the name with the stack's.
                "SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:::" + spec.name + "-*"},
            },
        },
        "TriggerPolicy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "trigger",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                "Roles": [{"Ref": "FunctionRole"}],
            },
        },
    }


def _repository(spec: StackSpec) -> Json:
    rules = [
        {
            "rulePriority": 1,
            # Not by number: it does not know which image a function runs. `image push` removes what no function uses.
            "description": "Remove images without a tag, which interrupted pushes leave",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
    return {
        "Type": "AWS::ECR::Repository",
        "Properties": {
            "RepositoryName": spec.name,
            "EmptyOnDelete": True,
            "ImageScanningConfiguration": {"ScanOnPush": True},
            "ImageTagMutability": "IMMUTABLE",
            "LifecyclePolicy": {"LifecyclePolicyText": json.dumps({"rules": rules}, sort_keys=True)},
            "Tags": tags({"lambdamagic": "repository"}),
        },
    }
