"""Role, bucket and log group of a single function: a deployment's, or those given."""

from __future__ import annotations

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy import checks
from lambdamagic.deploy.managed import Surroundings
from lambdamagic.deploy.stack import Stack
from lambdamagic.errors import DeploymentMissingError


def surroundings(access: AwsAccess, *, stack: str, role: str | None, bucket: str | None) -> Surroundings:
    """Return role, bucket and log group for a function.

    Args:
        access: The account.
        stack: The deployment whose role, bucket and log group are used where none is given.
        role: The ARN of a role.
        bucket: A bucket's name.

    Raises:
        DeploymentMissingError: No role is given and there is no such deployment.
        ConfigError: The role's ARN is none.
    """
    if role is not None:
        checks.check_role(role)
        return Surroundings(role, bucket)
    state = Stack(access, stack).state()
    if state is None or "RoleArn" not in state.outputs:
        raise DeploymentMissingError(
            f"the function needs a role, but no deployment {stack!r} in {access.region} has one",
            hint="Run `lambdamagic deploy` first, or name one with --role ARN (see `lambdamagic policy role`)",
        )
    outputs = state.outputs
    return Surroundings(outputs["RoleArn"], bucket or outputs.get("Bucket"), outputs.get("LogGroupName"))
