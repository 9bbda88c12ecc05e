"""Functions from images in the embedded Lambda, whose environments run this Python: their code is in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = (
    '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"mediaType": '
    '"application/vnd.docker.container.image.v1+json", "size": 2, "digest": '
    '"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, "layers": []}'
)


def make_image_function(
    lambda_: Any, ecr: Any, name: str, *, role: str, handler: str, files: Mapping[str, str], folder: Path
) -> str:
    """Make a function of package type Image, and return its name.

    Args:
        lambda_: boto3's client for Lambda.
        ecr: That for ECR.
        name: The function's name, and its repository's.
        role: The ARN of its role.
        handler: Its command.
        files: Modules that it holds, by file name.
        folder: Where to put them; its environments are led there by PYTHONPATH.
    """
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    ecr.put_image(repositoryName=name, imageTag="one", imageManifest=MANIFEST)
    lambda_.create_function(
        FunctionName=name,
        Role=role,
        PackageType="Image",
        Code={"ImageUri": f"{uri}:one"},
        ImageConfig={"Command": [handler]},
        Environment={"Variables": {"PYTHONPATH": str(folder)}},
        MemorySize=2048,
        Timeout=300,
    )
    return name
