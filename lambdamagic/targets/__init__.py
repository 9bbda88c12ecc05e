"""The composition root: settings in, a place where jobs go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdamagic.config import Settings
    from lambdamagic.targets.base import Target


def open_target(settings: Settings) -> Target:
    """Open the target that the settings name. The heavy imports happen here.

    Raises:
        TargetError: It is not usable.
    """
    if settings.resolved_target() == "aws":
        from lambdamagic.targets.aws import AwsTarget

        return AwsTarget(settings)
    from lambdamagic.targets.local import LocalTarget

    return LocalTarget(settings)
