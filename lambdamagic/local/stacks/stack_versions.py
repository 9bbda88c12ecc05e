"""Versions and aliases of functions as resources of a stack: moto has the one in part and the other not at all.

A version is never changed. A template that says something else about it makes another one, and the one before goes
after all else was updated, when no alias points at it ("Update requires: Replacement", AWS::Lambda::Version).
"""

from __future__ import annotations

import time
from typing import Any

from moto.awslambda.utils import get_backend
from moto.core.common_models import CloudFormationModel

from lambdamagic.local.stacks.stack_resources import ResourceFailed, Setting

_POLL_S = 0.02


class PublishedVersion(Setting, CloudFormationModel):  # type: ignore[misc]  # moto is untyped
    """AWS::Lambda::Version.

    Attributes:
        physical_resource_id: Its ARN.
        number: Its number.
        description: What the template says about it.
        before: The version that it replaced in an update that is not over.
        replaced: The version that took its place in an update that is rolled back.
    """

    KIND = "AWS::Lambda::Version"

    def __init__(self, function: str, arn: str, number: str, description: str) -> None:
        self.physical_resource_id, self.number, self.description = arn, number, description
        self.before: PublishedVersion | None = None
        self.replaced: PublishedVersion | None = None
        self._function = function

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """It has its number and its ARN."""
        return attr in ("Version", "FunctionArn")

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Return one."""
        return self.number if attribute_name == "Version" else self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> PublishedVersion:
        """Publish it, and wait for its snapshot if it has one."""
        properties = cloudformation_json["Properties"]
        backend = get_backend(account_id, region_name)
        function, description = properties["FunctionName"], properties.get("Description", "")
        before = len(backend.list_versions_by_function(function))
        version = backend.publish_version(function, description)
        if len(backend.list_versions_by_function(function)) == before:
            raise ResourceFailed(
                f"A version for this Lambda function exists ( {version.version} ). Modify the function to create a "
                "new version."
            )
        while version.state == "Pending":
            time.sleep(_POLL_S)  # as CloudFormation looks again and again; INIT's own timeout bounds it
        if version.state == "Failed":
            backend.delete_function(function, str(version.version))
            raise ResourceFailed(f"Resource failed to stabilize: {version.state_reason}")
        return cls(function, version.function_arn, str(version.version), description)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        """Replace it; in a rollback, go back to the one before, or stay where no other one could be made."""
        before, description = original_resource.before, cloudformation_json["Properties"].get("Description", "")
        if original_resource.description == description:
            return original_resource
        if before is not None and before.description == description:
            before.before = None
            before.replaced = original_resource
            return before
        made = cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        made.before = original_resource
        return made

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete it, if its function is still there."""
        backend = get_backend(account_id, region_name)
        if self._function in backend._lambdas._functions:
            backend.delete_function(self._function, self.number)


class FunctionAlias(Setting, CloudFormationModel):  # type: ignore[misc]  # as above
    """AWS::Lambda::Alias.

    Attributes:
        physical_resource_id: Its ARN.
    """

    KIND = "AWS::Lambda::Alias"

    def __init__(self, function: str, name: str, arn: str) -> None:
        self.physical_resource_id = arn
        self._function, self._name = function, name

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> FunctionAlias:
        """Make it."""
        properties = cloudformation_json["Properties"]
        function, name, version = properties["FunctionName"], properties["Name"], properties["FunctionVersion"]
        backend = get_backend(account_id, region_name)
        alias = backend.create_alias(name, function, version, properties.get("Description", ""), None)
        return cls(function, name, alias.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        """Point it at another version."""
        properties = cloudformation_json["Properties"]
        get_backend(account_id, region_name).update_alias(
            properties["Name"], properties["FunctionName"], properties["FunctionVersion"], None, None
        )
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete it, if its function is still there."""
        backend = get_backend(account_id, region_name)
        if self._function in backend._lambdas._functions:
            backend.delete_alias(self._name, self._function)


def remove_replaced(resources: Any, account_id: str, region_name: str) -> None:
    """Delete the versions that an update, or its rollback, has left behind."""
    for made in list(resources._parsed_resources.values()):
        if isinstance(made, PublishedVersion):
            for attribute in ("before", "replaced"):
                left = getattr(made, attribute)
                if left is not None:
                    setattr(made, attribute, None)
                    left.delete(account_id, region_name)
