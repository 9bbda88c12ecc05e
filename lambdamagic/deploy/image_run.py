"""An image as an execution environment of the embedded Lambda: its entry point, against the Runtime API."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.container_tools import ContainerTool

_PROGRAM = Path(__file__).with_name("image_process.py")
_REPOSITORY = "lambdamagic-image-test"
_VARIABLES = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINERS_STORAGE_CONF")

# Moto wants an image in its registry; the engine's own image is run.
_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": 2,
        "digest": "sha256:" + 64 * "0",
    },
    "layers": [],
}


@contextmanager
def image_command(engine: ContainerTool, name: str) -> Iterator[tuple[str, ...]]:
    """Give what the embedded Lambda's `image_command` takes, so that functions of package type Image run this image.

    The image shares this machine's network, where the Runtime API is. With docker, podman and finch it runs as this
    user, with buildah as root of the built root.

    Raises:
        ImageError: The image is not there.
    """
    if engine.name == "buildah":
        doing = f"run the image {name}"
        # Without the limit, buildah asks for more open files than a container may have.
        container = engine.run(["from", "--pull-never", "--ulimit", "nofile=20000:20000", name], doing=doing)
        container = container.strip().splitlines()[-1]
        try:
            config = json.loads(engine.run(["inspect", container], doing=doing))["OCIv1"]["config"]
            entry, handler = config.get("Entrypoint") or [], config.get("Cmd") or []
            yield _command([*engine.command, "run", *engine.isolation], [container, "--", *entry], handler)
        finally:
            engine.run(["rm", container], doing=f"remove the container {container}")
        return
    before = [*engine.command, "run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"]
    yield _command(before, [name], [])


def create_image_function(
    access: AwsAccess, name: str, *, role: str, memory_mb: int = 1024, timeout_s: int = 60
) -> None:
    """Make a function of package type Image on the embedded Lambda.

    Raises:
        botocore.exceptions.ClientError: The embedded Lambda refused it.
    """
    with closing(access.client("ecr")) as ecr, closing(access.client("lambda")) as client:
        try:
            repository = ecr.create_repository(repositoryName=_REPOSITORY)["repository"]
        except ecr.exceptions.RepositoryAlreadyExistsException:
            repository = ecr.describe_repositories(repositoryNames=[_REPOSITORY])["repositories"][0]
        else:
            ecr.put_image(repositoryName=_REPOSITORY, imageTag="test", imageManifest=json.dumps(_MANIFEST))
        client.create_function(
            FunctionName=name,
            PackageType="Image",
            Role=role,
            Code={"ImageUri": f"{repository['repositoryUri']}:test"},
            MemorySize=memory_mb,
            Timeout=timeout_s,
        )


def _command(before: list[str], after: list[str], handler: list[str]) -> tuple[str, ...]:
    variables = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    plan = {"before": before, "after": after, "handler": handler, "variables": variables}
    return (sys.executable, "-P", str(_PROGRAM), json.dumps(plan))
