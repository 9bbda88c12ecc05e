"""ECR's side of a push, on the embedded Lambda: the repository, who may pull from it, and the login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.image_registry import ecr_login, ensure_repository
from lambdamagic.local.local_server import LocalServer


@pytest.fixture(scope="module")
def access() -> Iterator[AwsAccess]:
    with LocalServer.start() as server:
        connection = server.connection
        yield AwsAccess(
            region=connection.region,
            endpoint_url=connection.endpoint_url,
            access_key_id=connection.access_key_id,
            secret_access_key=connection.secret_access_key,
        )


def test_a_repository_is_made_once(access: AwsAccess) -> None:
    """With our tag, and a policy under which Lambda, for functions of this account only, may pull."""
    uri = ensure_repository(access, "team/lambdamagic")
    assert ensure_repository(access, "team/lambdamagic") == uri
    assert uri.endswith("/team/lambdamagic")
    with closing(access.client("ecr")) as ecr:
        found = ecr.describe_repositories(repositoryNames=["team/lambdamagic"])["repositories"][0]
        assert found["imageScanningConfiguration"] == {"scanOnPush": True}
        policy = json.loads(ecr.get_repository_policy(repositoryName="team/lambdamagic")["policyText"])
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert ":123456789012:function:*" in statement["Condition"]["StringLike"]["aws:sourceArn"]
        assert "*" not in "".join(statement["Action"])
        tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    assert {"Key": "lambdamagic", "Value": "repository"} in tags


def test_a_login_shows_no_password(access: AwsAccess) -> None:
    """It is for the account's registry, and its repr may stand in a log."""
    login = ecr_login(access)
    assert login.user == "AWS" and login.password and login.password not in repr(login)
    assert "://" not in login.server and ".dkr.ecr." in login.server
