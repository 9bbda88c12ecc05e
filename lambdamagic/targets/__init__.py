"""The composition root: settings in, a place where jobs go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdamagic.config import Settings
    from lambdamagic.storage.s3 import AwsAccess
    from lambdamagic.targets.base import Target


def open_target(settings: Settings, access: AwsAccess | None = None) -> Target:
    """Open the target that the settings name. The heavy imports happen here.

    Args:
        settings: The settings.
        access: The AWS account, if it is not the one that boto3 finds by the settings.

    Raises:
        TargetError: It is not usable.
    """
    if settings.resolved_target() == "aws":
        from lambdamagic.targets.aws import AwsTarget

        return AwsTarget(settings, access)
    from lambdamagic.targets.local import LocalTarget

    return LocalTarget(settings)
