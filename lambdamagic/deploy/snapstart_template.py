"""SnapStart in the template: the version that has a snapshot, and the alias that it is invoked by. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lambdamagic.deploy.model import CODE_PREFIX, LIVE_ALIAS
from lambdamagic.deploy.resources import no_retries

Json = dict[str, Any]


def snapstart_resources(function: Json, code_parameters: list[str]) -> Json:
    """Return the resources.

    Args:
        function: The function's resource.
        code_parameters: The parameters that hold keys of its code and layers.
    """
    of = {"FunctionName": {"Ref": "Function"}}
    events = no_retries("Function", LIVE_ALIAS)
    return {
        "LiveVersion": {
            "Type": "AWS::Lambda::Version",
            "Properties": {**of, "Description": _description(function, code_parameters)},
        },
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                **of,
                "Name": LIVE_ALIAS,
                "Description": "What lambdamagic invokes",
                "FunctionVersion": {"Fn::GetAtt": ["LiveVersion", "Version"]},
            },
        },
        "LiveEvents": {**events, "DependsOn": ["Live"]},
    }


def _description(function: Json, code_parameters: list[str]) -> Json:
    """Return what is different whenever the function is, since CloudFormation publishes no other version unless it is.

    It must be short (256 characters, "AWS::Lambda::Version"): of the keys it has the last part.
    """
    configuration = json.dumps(function["Properties"], sort_keys=True)
    digest = hashlib.sha256(configuration.encode()).hexdigest()[:16]
    last = CODE_PREFIX.count("/")
    names = [{"Fn::Select": [last, {"Fn::Split": ["/", {"Ref": name}]}]} for name in code_parameters]
    return {"Fn::Join": [" ", [digest, *names]]}
