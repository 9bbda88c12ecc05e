"""An account to deploy into: an embedded Lambda, with what is in it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.deployment import Deployment
from lambdamagic.deploy.model import StackSpec
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.pythons import python_here


class Account:
    """An embedded Lambda as an account."""

    def __init__(self, server: LocalServer) -> None:
        self.server, self.connection = server, server.connection
        self.faults = Faults(self.connection)
        self.access = AwsAccess(
            region=self.connection.region,
            endpoint_url=self.connection.endpoint_url,
            access_key_id=self.connection.access_key_id,
            secret_access_key=self.connection.secret_access_key,
        )

    def ask(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call an operation of boto3's client."""
        with closing(self.access.client(service)) as client:
            return getattr(client, operation)(**arguments)

    def inventory(self) -> dict[str, list[str]]:
        """Return the names of all resources."""
        return {
            "buckets": [each["Name"] for each in self.ask("s3", "list_buckets")["Buckets"]],
            "functions": [each["FunctionName"] for each in self.ask("lambda", "list_functions")["Functions"]],
            "layers": [each["LayerName"] for each in self.ask("lambda", "list_layers")["Layers"]],
            "roles": [each["RoleName"] for each in self.ask("iam", "list_roles")["Roles"]],
            "log groups": [each["logGroupName"] for each in self.ask("logs", "describe_log_groups")["logGroups"]],
            "repositories": [
                each["repositoryName"] for each in self.ask("ecr", "describe_repositories")["repositories"]
            ],
        }

    def person(self, name: str, *policies: Any) -> dict[str, str]:
        """Make an IAM user with these policies, or give it these instead; return its credentials as an environment."""
        with closing(self.access.client("iam")) as iam:
            try:
                iam.create_user(UserName=name)
            except iam.exceptions.EntityAlreadyExistsException:
                for old in iam.list_user_policies(UserName=name)["PolicyNames"]:
                    iam.delete_user_policy(UserName=name, PolicyName=old)
                for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
            for number, policy in enumerate(policies):
                iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
            key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def stack_status(self, name: str) -> str:
        """Return a stack's status."""
        return str(self.ask("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]["StackStatus"])

    def deployment(self, name: str, code: Any, **given: Any) -> Deployment:
        """Return a deployment of a name into this account."""
        on_event, on_note = given.pop("on_event", None), given.pop("on_note", None)
        spec = StackSpec.changed({}, name=name, **{"python": python_here(), **given})
        return Deployment(self.access, spec, code=code, on_event=on_event, on_note=on_note)
