"""Permissions that a function's role needs to run graphs without their client. Pure."""

from __future__ import annotations

from typing import Any

from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.policies import graph_statements
from lambdamagic.deploy.resources import policy_document

Json = dict[str, Any]


def graphs_resource(spec: StackSpec) -> Json:
    """Return the policy, a resource by itself: the role is there before the function and the bucket are."""
    bucket: Any = {"Fn::GetAtt": ["Bucket", "Arn"]}
    objects: Any = "${Bucket.Arn}/"
    if spec.bucket is not None:
        objects = "arn:${AWS::Partition}:s3:::" + spec.bucket + "/"
        bucket = {"Fn::Sub": objects.rstrip("/")}
    # By its name, since variants in other sizes have the same role.
    function = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + spec.name
    statements = graph_statements(
        functions=[{"Fn::Sub": function}, {"Fn::Sub": f"{function}-py3*"}],
        bucket=bucket,
        objects=lambda prefix: {"Fn::Sub": f"{objects}{prefix}*"},
        kms_key=spec.kms_key,
    )
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "graphs",
            "PolicyDocument": policy_document(*statements),
            "Roles": [{"Ref": "FunctionRole"}],
        },
    }
