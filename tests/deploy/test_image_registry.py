"""ECR's side of a push, on the embedded Lambda: the repository, who may pull from it, and the login."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.container_tools import ContainerTool
from lambdamagic.deploy.image_registry import by_digest, ecr_login, ensure_repository, pushed_before, remove_unused
from lambdamagic.deploy.images import build_derived_image
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.deploy.wheels import WheelSource
from lambdamagic.errors import ImageError, ImageMissingError
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
    """It is for the account's registry, and its repr may be in a log."""
    login = ecr_login(access)
    assert login.user == "AWS" and login.password and login.password not in repr(login)
    assert "://" not in login.server and ".dkr.ecr." in login.server


def _put(access: AwsAccess, repository: str, number: int) -> str:
    """Put an image as a push does; return its digest."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"size": number}, "layers": []})
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    with closing(access.client("ecr")) as ecr:
        ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageManifestMediaType=kind,
            imageTag=f"py3.12-{number}",
            imageDigest=digest,
        )
    return digest


def test_images_that_no_function_uses_go(access: AwsAccess) -> None:
    """The latest stay, and what a function runs, however old; tags are found by their digest."""
    uri = ensure_repository(access, "pruned")
    digests = [_put(access, "pruned", number) for number in range(6)]
    with closing(access.client("lambda")) as lambda_, closing(access.client("iam")) as iam:
        role = iam.create_role(RoleName="pruned", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        lambda_.create_function(
            FunctionName="runs-the-oldest", Role=role, PackageType="Image", Code={"ImageUri": f"{uri}@{digests[0]}"}
        )
    removed = remove_unused(access, "pruned", keep=2)
    # All were pushed in one second: which of them are the latest is not defined.
    assert digests[0] not in removed and 3 <= len(removed) <= 4 and set(removed) < set(digests)
    gone, kept = digests.index(removed[0]), next(number for number in range(1, 6) if digests[number] not in removed)
    assert set(remove_unused(access, "pruned", keep=0)) == set(digests) - {digests[0], *removed}
    assert pushed_before(access, "pruned", f"py3.12-{kept}") is None
    assert pushed_before(access, "pruned", "py3.12-0") == digests[0]
    assert by_digest(access, f"{uri}:py3.12-0") == f"{uri}@{digests[0]}"
    assert by_digest(access, f"{uri}@{digests[0]}") == f"{uri}@{digests[0]}"
    assert by_digest(access, "public.example/lm:py3.12") == "public.example/lm:py3.12"
    with pytest.raises(ImageMissingError, match="there is no image"):
        by_digest(access, f"{uri}:py3.12-{gone}")


def test_repositories_of_others_are_left_alone(access: AwsAccess) -> None:
    """Without our tag nothing is deleted."""
    with closing(access.client("ecr")) as ecr:
        ecr.create_repository(repositoryName="others")
    digests = [_put(access, "others", number) for number in range(3)]
    assert remove_unused(access, "others", keep=0) == []
    assert pushed_before(access, "others", "py3.12-0") == digests[0]


def test_all_users_can_read_what_is_copied(tmp_path: Path) -> None:
    """COPY keeps modes, and a umask of 077 leaves none for Lambda's user."""
    seen = tmp_path / "seen"
    tool = tmp_path / "docker"
    tool.write_text(f'#!/bin/sh\nfor last; do :; done\nfind "$last" -printf "%m %P\\n" > {seen}\nexit 1\n')
    tool.chmod(0o755)
    before = os.umask(0o077)
    try:
        module = tmp_path / "mine"
        module.mkdir()
        (module / "code.py").write_text("")
        (module / "run.sh").write_text("")
        (module / "run.sh").chmod(0o700)
        engine = ContainerTool("docker", (str(tool),))
        with pytest.raises(ImageError):
            build_derived_image(engine, "x", LambdaPlatform("3.12"), WheelSource(), base="base", paths=[module])
    finally:
        os.umask(before)
    modes = {name: int(mode, 8) for mode, _, name in (line.partition(" ") for line in seen.read_text().splitlines())}
    assert modes["code/mine/code.py"] & 0o777 == 0o644
    assert modes["code/mine/run.sh"] & 0o777 == 0o755
    assert all(mode & 0o044 == 0o044 for mode in modes.values())
