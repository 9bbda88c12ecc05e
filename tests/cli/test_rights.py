"""The printed policies hold every call that the commands make: counted at the server, compared with the actions."""

from __future__ import annotations

import re
from pathlib import Path

from lambdamagic import LambdaExecutor
from tests.cli.calling import call
from tests.deploy.accounts import Account

# "Actions, resources, and condition keys for Amazon S3": which right an operation needs, where the names differ.
_S3 = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "UploadPart": "PutObject",
}
# Lambda's API by method and path, as "Actions" of the Lambda API reference has it.
_LAMBDA = [
    (r"GET /2015-03-31/functions/?", "ListFunctions"),
    (r"POST /2015-03-31/functions", "CreateFunction"),
    (r"GET /2015-03-31/functions/[^/]+", "GetFunction"),
    (r"DELETE /2015-03-31/functions/[^/]+", "DeleteFunction"),
    (r"GET /2015-03-31/functions/[^/]+/configuration", "GetFunctionConfiguration"),
    (r"PUT /2015-03-31/functions/[^/]+/configuration", "UpdateFunctionConfiguration"),
    (r"PUT /2015-03-31/functions/[^/]+/code", "UpdateFunctionCode"),
    (r"GET /2019-09-25/functions/[^/]+/event-invoke-config", "GetFunctionEventInvokeConfig"),
    (r"PUT /2019-09-25/functions/[^/]+/event-invoke-config", "PutFunctionEventInvokeConfig"),
    (r"GET /2017-03-31/tags/.+", "ListTags"),
    (r"GET /2018-10-31/layers/[^/]+/versions", "ListLayerVersions"),
    (r"POST /2018-10-31/layers/[^/]+/versions", "PublishLayerVersion"),
    (r"DELETE /2018-10-31/layers/.+/versions/\d+", "DeleteLayerVersion"),
    (r"Invoke", "InvokeFunction"),
]
_NEEDS_NO_RIGHT = {"sts:GetCallerIdentity"}


def actions_used(account: Account) -> set[str]:
    """Return the IAM actions that the calls since the last reset need."""
    used = set()
    for service, operations in account.faults.stats()["requests"].items():
        for operation in operations:
            if service == "s3":
                used.add(f"s3:{_S3.get(operation, operation)}")
            elif service == "lambda":
                action = next((name for pattern, name in _LAMBDA if re.fullmatch(pattern, operation)), operation)
                used.add(f"lambda:{action}")
            else:
                used.add(f"{service}:{operation}")
    return used - _NEEDS_NO_RIGHT


def actions_allowed(who: str) -> set[str]:
    """Return the actions of a printed policy."""
    allowed = set()
    for statement in call("policy", who).document["Statement"]:
        actions = statement["Action"]
        allowed |= set(actions if isinstance(actions, list) else [actions])
    return allowed


def test_the_printed_policies_suffice(account: Account, tmp_path: Path) -> None:
    """Deploying, functions of one's own and destroying need the deployer's; jobs in all modes and logs the user's."""
    module = tmp_path / "own_module.py"
    module.write_text("X = 1\n")
    account.faults.stats(reset=True)
    assert call("deploy").status == 0
    assert call("deploy", "--memory", "512", "--plan").status == 0
    assert call("deploy", "--memory", "512").status == 0
    assert call("status").status == 0
    assert call("create", "lambdamagic-own", str(module)).status == 0
    module.write_text("X = 2\n")
    assert call("update", "lambdamagic-own", str(module), "--memory", "256").status == 0
    assert call("list").status == 0
    assert call("delete", "lambdamagic-own", "--yes").status == 0
    deploying = actions_used(account)

    account.faults.stats(reset=True)
    large = bytes(9_000_000)
    with LambdaExecutor(max_workers=2) as executor:
        assert executor.submit(len, large).result() == 9_000_000
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]
    with LambdaExecutor(max_workers=2, mode="event") as executor:
        assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]
    assert call("logs").status == 0
    assert call("jobs", "--bucket").status == 0
    using = actions_used(account)
    account.faults.stats(reset=True)
    allowed_to_use = actions_allowed("user")

    account.faults.stats(reset=True)
    assert call("destroy", "--yes").status == 0
    deploying |= actions_used(account)

    assert using <= allowed_to_use, using - allowed_to_use
    allowed_to_deploy = actions_allowed("deployer")
    assert deploying <= allowed_to_deploy, deploying - allowed_to_deploy
    assert {"lambda:InvokeFunction", "s3:PutObject", "s3:ListBucket"} <= using, "the calls were counted"
    assert {"cloudformation:CreateStack", "lambda:CreateFunction"} <= deploying
