"""ECR: a repository that Lambda may pull from, and images pushed into it."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.container_tools import ContainerTool
from lambdamagic.errors import ImageError

TAGS = [{"Key": "lambdamagic", "Value": "repository"}]


@dataclass(frozen=True, slots=True)
class Login:
    """How to sign in to a registry."""

    server: str
    user: str
    password: str = field(repr=False)


def ensure_repository(access: AwsAccess, name: str) -> str:
    """Return the URI of an ECR repository, made if it is not there; Lambda of this account may pull from it.

    Raises:
        TargetError: These credentials may not.
    """
    with explained(f"create the repository {name}"), closing(access.client("ecr")) as ecr:
        try:
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
        except ecr.exceptions.RepositoryNotFoundException:
            found = ecr.create_repository(
                repositoryName=name,
                tags=TAGS,
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
            )["repository"]
            policy = json.dumps(pull_policy(found["repositoryArn"]))
            ecr.set_repository_policy(repositoryName=name, policyText=policy)
    return str(found["repositoryUri"])


def pull_policy(repository_arn: str) -> dict[str, object]:
    """Return the policy that lets Lambda pull, for functions of its account ("Amazon ECR permissions", Lambda)."""
    _, partition, _, region, account, _ = repository_arn.split(":", 5)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "LambdaECRImageRetrievalPolicy",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Condition": {"StringLike": {"aws:sourceArn": f"arn:{partition}:lambda:{region}:{account}:function:*"}},
            }
        ],
    }


def ecr_login(access: AwsAccess) -> Login:
    """Return a login for the account's registry; it is valid for 12 hours.

    Raises:
        TargetError: These credentials may not.
    """
    with explained("sign in to the registry"), closing(access.client("ecr")) as ecr:
        given = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    return Login(given["proxyEndpoint"].partition("://")[2], user, password)


def push_image(
    engine: ContainerTool,
    image: str,
    target: str,
    *,
    login: Login | None,
    is_plain_http: bool = False,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Push an image and return its URI with the digest, which is what a function should be made of.

    Args:
        engine: The tool that has the image.
        image: Its name there.
        target: Registry, repository and tag, such as `123456789012.dkr.ecr.eu-central-1.amazonaws.com/lm:py3.12`.
        login: How to sign in; None where that was done before.
        is_plain_http: Whether the registry has no TLS, as one on 127.0.0.1 (podman and buildah only; docker knows
            that by itself).
        on_line: Called with each line of the engine's output.

    Raises:
        ImageError: The registry refused it or cannot be reached.
    """
    insecure = ["--tls-verify=false"] if is_plain_http and engine.name in ("podman", "buildah") else []
    if login is not None:
        # The password goes through standard input: arguments can be seen by others.
        engine.run(
            ["login", *insecure, "--username", login.user, "--password-stdin", login.server],
            doing=f"sign in to {login.server}",
            stdin=login.password,
        )
    engine.run(["tag", image, target], doing=f"tag the image {image}")
    repository, doing = target.rpartition(":")[0], f"push the image to {target}"
    if engine.name in ("podman", "buildah"):
        # Layers are compressed on their way: only what is pushed has the digest that the registry knows.
        with tempfile.TemporaryDirectory(prefix="lambdamagic-push-") as folder:
            note = Path(folder) / "digest"
            engine.run(["push", *insecure, "--digestfile", str(note), target], doing=doing, on_line=on_line)
            return f"{repository}@{note.read_text().strip()}"
    engine.run(["push", target], doing=doing, on_line=on_line)
    return f"{repository}@{_pushed_digest(engine, target)}"


def _pushed_digest(engine: ContainerTool, target: str) -> str:
    repository = target.rpartition(":")[0]
    text = engine.run(["image", "inspect", "--format", "{{json .RepoDigests}}", target], doing="read the digest")
    for each in json.loads(text):
        name, _, digest = each.partition("@")
        if name == repository:
            return str(digest)
    raise ImageError(f"the digest of {target} is unknown after the push", hint="Push again")
