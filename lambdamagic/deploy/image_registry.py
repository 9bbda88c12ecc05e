"""ECR: a repository that Lambda may pull from, and images pushed into it."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.container_tools import ContainerTool
from lambdamagic.deploy.model import FunctionSpec
from lambdamagic.errors import ImageError, ImageMissingError

TAGS = [{"Key": "lambdamagic", "Value": "repository"}]

#: The latest images of a repository, which stay without a function: one may be made of them.
KEPT_IMAGES = 5


@dataclass(frozen=True, slots=True)
class Login:
    """How to sign in to a registry."""

    server: str
    user: str
    password: str = field(repr=False)


def ensure_repository(access: AwsAccess, name: str) -> str:
    """Return the URI of an ECR repository, creating it if needed; Lambda of this account may pull from it.

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


def pushed_before(access: AwsAccess, repository: str, tag: str) -> str | None:
    """Return the digest of the image that has a tag in a repository of this account, or None.

    Raises:
        TargetError: These credentials may not look.
    """
    with explained(f"look for {repository}:{tag}"), closing(access.client("ecr")) as ecr:
        try:
            found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
        except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
            return None
    return str(found[0]["imageDigest"]) if found else None


def by_digest(access: AwsAccess, uri: str) -> str:
    """Return an image's URI by its digest, for a tag in ECR of this account and region, else the URI as it is.

    Lambda resolves a tag when a function is made or changed, and not again ("CreateFunction", `ImageUri`).

    Raises:
        ImageMissingError: The repository has no such tag.
        TargetError: These credentials may not look.
    """
    server, _, rest = uri.partition("/")
    repository, _, tag = rest.rpartition(":")
    if "@" in uri or not repository or f".dkr.ecr.{access.region}." not in server:
        return uri
    digest = pushed_before(access, repository, tag)
    if digest is None:
        raise ImageMissingError(f"there is no image {uri}", hint="Push it: `lambdamagic image push`")
    return f"{server}/{repository}@{digest}"


def image_by_digest(access: AwsAccess, spec: FunctionSpec) -> FunctionSpec:
    """Return a function's spec with its image, if it has one, by its digest; see `by_digest`."""
    return spec if spec.image is None else replace(spec, image=by_digest(access, spec.image))


def remove_unused(access: AwsAccess, repository: str, *, keep: int = KEPT_IMAGES) -> list[str]:
    """Delete the images of a repository that no function of this account and region uses; return their digests.

    A lifecycle policy cannot do it: it does not know which image a function runs.

    Args:
        access: The account.
        repository: A repository that `ensure_repository` or a deployment made; another one is left as it is.
        keep: So many of the latest images stay in any case.

    Raises:
        TargetError: These credentials may not.
    """
    with (
        explained(f"remove unused images from {repository}"),
        closing(access.client("ecr")) as ecr,
        closing(access.client("lambda")) as lambda_,
    ):
        found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
        if TAGS[0] not in ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]:
            return []
        pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
        images = [each for page in pages for each in page["imageDetails"]]
        versions = lambda_.get_paginator("list_functions").paginate(FunctionVersion="ALL")
        functions = [each for page in versions for each in page["Functions"] if each.get("PackageType") == "Image"]
        used = {digest for each in functions for digest in _digests_of(lambda_, each)}
        images.sort(key=lambda image: image["imagePushedAt"], reverse=True)
        unused = [image["imageDigest"] for image in images[keep:] if image["imageDigest"] not in used]
        for start in range(0, len(unused), 100):  # "BatchDeleteImage", ECR API reference
            ids = [{"imageDigest": digest} for digest in unused[start : start + 100]]
            ecr.batch_delete_image(repositoryName=repository, imageIds=ids)
    return unused


def _digests_of(lambda_: Any, function: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests by which a function from an image may be known."""
    # Of an image CodeSha256 is the digest ("FunctionConfiguration", Lambda API reference).
    yield f"sha256:{function.get('CodeSha256')}"
    with suppress(lambda_.exceptions.ClientError):  # a function that these credentials may not look at
        code = lambda_.get_function(FunctionName=function["FunctionArn"])["Code"]
        for uri in (code.get("ImageUri"), code.get("ResolvedImageUri")):
            if uri and "@" in uri:
                yield uri.rpartition("@")[2]


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
