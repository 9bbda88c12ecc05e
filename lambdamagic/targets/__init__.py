"""The composition root: settings in, a place where jobs go out.

Decisions
---------

The local target makes a function for each memory and timeout
    That costs nothing there, and `--memory 128` really kills at 128 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdamagic.aws.access import AwsAccess
    from lambdamagic.config import Settings
    from lambdamagic.targets.aws_target import Ask
    from lambdamagic.targets.target import Target


def open_target(settings: Settings, access: AwsAccess | None = None, *, ask: Ask | None = None) -> Target:
    """Open the target that the settings name. The heavy imports happen here.

    Args:
        settings: The settings.
        access: The AWS account, if it is not the one that boto3 finds by the settings.
        ask: Asks the user a question that is answered by yes or no; without it there is no prompt.

    Raises:
        TargetError: It is not usable.
    """
    if settings.resolved_target() == "aws":
        from lambdamagic.targets.aws_target import AwsTarget

        return AwsTarget(settings, access, ask=ask)
    from lambdamagic.targets.local_target import LocalTarget

    return LocalTarget(settings)
