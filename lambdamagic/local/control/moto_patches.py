"""All changes of moto: each entry says how moto differs from AWS, and can go when moto no longer does.

`tests/local/test_moto_patches.py` asks plain moto for each entry. A test that fails there after an update of moto
names the entry that has become superfluous.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Patch:
    """One thing that is put into moto.

    Attributes:
        target: Where: `module:name` or `module:Class.name`; a kind of resource that is added, by its name alone.
        moto: How moto behaves without it.
    """

    target: str
    moto: str


_STACK = "moto.cloudformation.models:Stack"
_STACKS = "moto.cloudformation.models:CloudFormationBackend"
_FUNCTION = "moto.awslambda.models:LambdaFunction"
_LAYER = "moto.awslambda.models:LayerVersion"
_BUCKET = "moto.s3.models:FakeBucket"
_ROLE = "moto.iam.models:Role"
_GROUP = "moto.logs.models:LogGroup"

PATCHES = (
    Patch("moto.s3.models:tempfile", "keeps bodies of up to 16 MB in memory"),
    Patch("moto.s3.notifications:_invoke_awslambda", "starts a Docker container for an event"),
    Patch(f"{_FUNCTION}.invoke", "starts a Docker container for what other services send to a function"),
    Patch("moto.sts.models:random_session_token", "gives session tokens of 356 characters; AWS's have 1,000 and more"),
    Patch(f"{_STACKS}.create_stack", "makes two stacks of one name when two clients ask at once"),
    Patch(f"{_STACKS}.delete_stack", "deletes a stack before it answers"),
    Patch(f"{_STACK}.create_resources", "makes a stack before it answers, and undoes nothing when a resource fails"),
    Patch(f"{_STACK}.update", "updates a stack before it answers"),
    Patch(f"{_STACK}.outputs", "makes resources when a client looks at a stack's outputs"),
    Patch(f"{_STACK}.stack_resources", "makes resources when a client looks at a stack's resources"),
    Patch(
        "moto.cloudformation.responses:CloudFormationResponse.continue_update_rollback",
        "has no ContinueUpdateRollback",
    ),
    Patch(f"{_FUNCTION}.create_from_cloudformation_json", "drops a function's tags, layers and the size of its /tmp"),
    Patch(f"{_FUNCTION}.update_from_cloudformation_json", "drops changes of a function's tags and reserved executions"),
    Patch(f"{_FUNCTION}.__init__", "takes SnapStart for a function that cannot have it"),
    Patch(f"{_FUNCTION}.update_configuration", "takes SnapStart for a function that cannot have it"),
    Patch(f"{_FUNCTION}.get_configuration", "forgets that a function has SnapStart, and gives it no revision"),
    Patch(f"{_FUNCTION}.update_function_code", "gives a function no revision"),
    Patch("moto.awslambda.models:LambdaAlias.update", "keeps the revision of an alias that is changed"),
    Patch("moto.awslambda.policy:Policy.del_statement", "keeps the revision of a policy that loses a statement"),
    Patch(
        "moto.awslambda.models:LambdaBackend.put_function_concurrency",
        "lets functions reserve more executions than the account has",
    ),
    Patch(
        "moto.awslambda.models:LambdaStorage.publish_version",
        "gives a version the number of another one after one was deleted, and knows no version that is Pending",
    ),
    Patch(f"{_GROUP}.update_from_cloudformation_json", "drops changes of a log group's retention"),
    Patch(f"{_BUCKET}.create_from_cloudformation_json", "drops a bucket's lifecycle, access block and notifications"),
    Patch(f"{_BUCKET}.update_from_cloudformation_json", "drops changes of a bucket's lifecycle"),
    Patch(f"{_BUCKET}.delete_from_cloudformation_json", "takes a bucket that is not empty for deleted"),
    Patch(f"{_LAYER}.create_from_cloudformation_json", "does not name a layer as its template does"),
    Patch(f"{_LAYER}.update_from_cloudformation_json", "makes no new version of a changed layer"),
    Patch(f"{_LAYER}.physical_resource_id", "knows a layer's version by the layer's name, and not by its ARN"),
    Patch(f"{_LAYER}.delete", "keeps a layer whose stack is deleted"),
    Patch(f"{_ROLE}.create_from_cloudformation_json", "attaches no managed policies to a role"),
    Patch(f"{_ROLE}.update_from_cloudformation_json", "drops changes of a role's managed policies"),
    Patch(f"{_ROLE}.delete_from_cloudformation_json", "cannot delete a role with managed policies"),
    Patch("AWS::Lambda::EventInvokeConfig", "has no such kind of resource"),
    Patch("AWS::Lambda::Alias", "has no such kind of resource"),
    Patch("AWS::Lambda::Version", "neither describes a version as its template does, nor publishes another one"),
    Patch("AWS::S3::BucketPolicy", "has no such kind of resource"),
)
_TARGETS = {patch.target for patch in PATCHES}


def put(target: str, value: Any) -> Any:
    """Put a value into moto, and return the one before; None where there was none.

    Raises:
        KeyError: The list does not have the target.
    """
    if target not in _TARGETS:
        raise KeyError(target)
    module, _, path = target.partition(":")
    *above, name = path.split(".")
    owner: Any = import_module(module)
    for part in above:
        owner = getattr(owner, part)
    before = getattr(owner, name, None)
    setattr(owner, name, value)
    return before
