"""The zip packages of a function and its layers, for the commands that create and update functions.

Three zip files, so that a change sends only what changed: the function's own code (small), the packages as a layer,
and the agent (lambdamagic with the picklers) as a layer that all functions of one Python share::

    with tempfile.TemporaryDirectory() as folder:
        package = build_package(LambdaPlatform("3.12"), WheelSource(("numpy==2.3.1",)), paths=[Path("mylib")],
                                folder=Path(folder), made_by="lambdamagic update NAME")
        layers = [publish_layer(access, layer, package.platform, bucket=bucket) for layer in package.layers]
        variables = publish_holdings(access, package.holdings, bucket=bucket)
        client.create_function(Code=code_argument(access, package.code, bucket=bucket), Layers=layers,
                               Environment={"Variables": variables}, Runtime=package.platform.runtime,
                               Architectures=[package.platform.arch], Handler=HANDLER, ...)

All of it is named by its digest: an existing part is not sent again, and the same input changes nothing.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import lambdamagic
from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.agent import compile_tree, lay_out_agent
from lambdamagic.deploy.aws_calls import explained
from lambdamagic.deploy.platforms import RUNTIME_DISTRIBUTIONS, LambdaPlatform
from lambdamagic.deploy.wheels import WheelSource, install_wheels
from lambdamagic.deploy.zips import ZipFacts, tree, write_zip
from lambdamagic.errors import ConfigError, PackageError, PackageTooLargeError
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol.holdings import KEY_PREFIX, VARIABLE, Holdings, normal_name, pack, stored_key

_MB = 1024 * 1024  # as Lambda counts
DIRECT_MAX_BYTES = AWS_LAMBDA.direct_package_bytes.most
UNZIPPED_MAX_BYTES = AWS_LAMBDA.package_bytes.most

# Of no use in Lambda, or different on every machine.
_DROPPED_FILES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", ".lock"})
_DROPPED_FOLDERS = frozenset({"__pycache__", ".git", ".ipynb_checkpoints", ".venv", "node_modules"})


@dataclass(frozen=True, slots=True)
class LayerZip:
    """One layer.

    Attributes:
        kind: `agent` or `packages`.
        name: What the layer is called in the account.
        zip: The zip file, with everything below `python/`.
    """

    kind: Literal["agent", "packages"]
    name: str
    zip: ZipFacts


@dataclass(frozen=True, slots=True)
class Package:
    """All zip files of a function, and their packages.

    Attributes:
        platform: Where it runs.
        code: The function's own code.
        layers: The agent first; packages win over it when names clash, as later layers do.
        holdings: What to publish with the function.
        is_compiled: Whether it holds `.pyc` files, so that a cold start need not compile.
    """

    platform: LambdaPlatform
    code: ZipFacts
    layers: tuple[LayerZip, ...]
    holdings: Holdings
    is_compiled: bool

    @property
    def unzipped_bytes(self) -> int:
        """The size that counts towards Lambda's package limit."""
        return self.code.unzipped_bytes + sum(layer.zip.unzipped_bytes for layer in self.layers)


def build_package(
    platform: LambdaPlatform,
    source: WheelSource,
    *,
    folder: Path,
    paths: Sequence[Path] = (),
    made_by: str = "",
    prefix: str = "lambdamagic",
) -> Package:
    """Put together the zip files of a function.

    Args:
        platform: Where it runs.
        source: The packages; wheels for the platform, whatever this machine is.
        folder: An empty folder for the zip files; the caller removes it.
        paths: The user's own modules and folders, put at the function's import root.
        made_by: The command that changes what the function holds, for error messages.
        prefix: What layers' names begin with.

    Raises:
        ConfigError: A path or requirements file is not there, or a requirement cannot be read.
        PackageError: Something has no wheel.
        PackageTooLargeError: The package exceeds Lambda's limit; the hint says what to do.
    """
    check_paths(paths)
    agent, wheels, code = folder / "agent", folder / "packages", folder / "code"
    versions = lay_out_agent(agent)
    install_wheels(source, platform, wheels)
    _clean(wheels)
    code.mkdir()
    _collect(paths, code)
    versions.update(distributions_in(wheels))
    holdings = Holdings(
        python=platform.python,
        packages=versions,
        arch=platform.arch,
        requested=_requested(source),
        made_by=made_by,
        lambdamagic=lambdamagic.__version__,
    )
    is_compiled = compile_tree(agent, platform, "/opt/python") and compile_tree(wheels, platform, "/opt/python")
    compile_tree(code, platform, "/var/task")
    if sum(path.stat().st_size for part in (agent, wheels, code) for _, path in tree(part)) > UNZIPPED_MAX_BYTES:
        _clean(wheels)  # a slower cold start is better than no function
        is_compiled = False
    note = b"What this function holds is in its layers; see the variable LAMBDAMAGIC_HOLDS.\n"
    suffix = f"py{platform.python.replace('.', '')}-{platform.arch.replace('_', '-')}"
    layers = [LayerZip("agent", f"{prefix}-agent-{suffix}", write_zip(folder / "agent.zip", tree(agent, "python/")))]
    if source:
        packed = write_zip(folder / "packages.zip", tree(wheels, "python/"))
        layers.append(LayerZip("packages", f"{prefix}-packages-{suffix}", packed))
    own = write_zip(folder / "code.zip", [("lambdamagic.txt", note), *tree(code)])
    package = Package(platform, own, tuple(layers), holdings, is_compiled)
    _check_size(package, [wheels, code])
    return package


def distributions_in(folder: Path) -> dict[str, str]:
    """Return the distributions installed in a folder: normal name to version."""
    found = metadata.distributions(path=[str(folder)])
    return dict(sorted((normal_name(each.name), each.version) for each in found))


def package_key(facts: ZipFacts) -> str:
    """Return the key under which a zip file is kept in the bucket.

    A function's `CodeSha256` leads back to it, which is how a variant is made from the same code; so the bucket's
    lifecycle must not expire `lambdamagic/packages/`.
    """
    return f"{KEY_PREFIX}{facts.sha256}.zip"


def key_of_code(code_sha256: str) -> str:
    """Return the same key from a function's `CodeSha256`, which is in Base64."""
    return f"{KEY_PREFIX}{base64.b64decode(code_sha256).hex()}.zip"


def upload(access: AwsAccess, facts: ZipFacts, *, bucket: str) -> str:
    """Upload a zip file unless the bucket has it; return its key.

    Raises:
        BucketMissingError, CredentialsError, TargetError: It cannot be put there.
    """
    key = package_key(facts)
    with explained(f"put a package into {bucket}", bucket=bucket), closing(access.client("s3")) as s3:
        if not _is_there(s3, bucket, key):
            s3.upload_file(str(facts.path), bucket, key)
    return key


def code_argument(access: AwsAccess, facts: ZipFacts, *, bucket: str | None) -> dict[str, Any]:
    """Return what CreateFunction's `Code`, UpdateFunctionCode and PublishLayerVersion's `Content` take.

    With a bucket it goes through the bucket, where a variant can find it; without one it is sent directly.

    Raises:
        PackageError: It is too large to be sent directly.
    """
    if bucket is not None:
        return {"S3Bucket": bucket, "S3Key": upload(access, facts, bucket=bucket)}
    if facts.size_bytes > DIRECT_MAX_BYTES:
        raise PackageError(
            f"the package is {facts.size_bytes / _MB:,.0f} MB zipped; the limit of Lambda's API is "
            f"{DIRECT_MAX_BYTES / _MB:.0f} MB",
            hint="Name a bucket to send it through (--bucket or LAMBDAMAGIC_BUCKET)",
        )
    return {"ZipFile": facts.path.read_bytes()}


def publish_layer(access: AwsAccess, layer: LayerZip, platform: LambdaPlatform, *, bucket: str | None) -> str:
    """Return the ARN of a layer version with this content, published if there is none yet.

    Raises:
        PackageError, TargetError: It cannot be published.
    """
    with explained(f"publish the layer {layer.name}"), closing(access.client("lambda")) as client:
        mark = f"sha256 {layer.zip.sha256}"
        for page in client.get_paginator("list_layer_versions").paginate(LayerName=layer.name):
            for version in page["LayerVersions"]:
                if version.get("Description") == mark:
                    return str(version["LayerVersionArn"])
        published = client.publish_layer_version(
            LayerName=layer.name,
            Description=mark,
            Content=code_argument(access, layer.zip, bucket=bucket),
            CompatibleRuntimes=[platform.runtime],
            CompatibleArchitectures=[platform.arch],
        )
    return str(published["LayerVersionArn"])


def publish_holdings(access: AwsAccess, holdings: Holdings, *, bucket: str | None) -> dict[str, str]:
    """Return the environment variables that publish a function's packages; a long list goes into the bucket.

    Without a bucket a long list is left out: nothing can be compared then before a job is sent.
    """
    value, document = pack(holdings)
    if document is not None:
        if bucket is None:
            return {}
        key = stored_key(value)
        assert key is not None
        with explained(f"put a package into {bucket}", bucket=bucket), closing(access.client("s3")) as s3:
            if not _is_there(s3, bucket, key):
                s3.put_object(Bucket=bucket, Key=key, Body=document)
    return {VARIABLE: value}


def _requested(source: WheelSource) -> tuple[str, ...]:
    lines = [line.split("#")[0].strip() for file in source.files for line in _text(file)]
    return tuple(dict.fromkeys([*source.requirements, *(line for line in lines if line and line[0] != "-")]))


def _text(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines()  # comments are in any encoding


def check_paths(paths: Iterable[Path]) -> None:
    """Check the user's modules and folders that are to be put in.

    Raises:
        ConfigError: One is not there, or two have the same name.
    """
    names: set[str] = set()
    for path in paths:
        if not path.exists():
            raise ConfigError(f"no file or folder {path}", hint="Give modules, packages or folders to include")
        name = path.resolve().name
        if name in names:
            raise ConfigError(f"two paths have the name {name!r}", hint="Rename one of them")
        names.add(name)


def _collect(paths: Iterable[Path], target: Path) -> None:
    for path in paths:
        place = target / path.resolve().name
        try:
            if path.is_dir():
                dropped = shutil.ignore_patterns(*_DROPPED_FOLDERS, "*.pyc")
                shutil.copytree(path, place, symlinks=True, ignore=dropped)
            else:
                shutil.copy(path, place)
        except OSError as error:  # of a folder it has a list: of each file that could not be copied, and why
            listed = error.args[0] if isinstance(error, shutil.Error) and isinstance(error.args[0], list) else []
            reason = listed[0][2] if listed else error
            raise PackageError(f"cannot include {path}: {reason}", hint="Leave it out, or make it readable") from error


def _clean(folder: Path) -> None:
    """Delete files that Lambda does not need or that differ between machines: scripts, records, bytecode."""
    for path in list(folder.rglob("*")):
        if path.is_dir() and path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.name in _DROPPED_FILES and path.parent in (folder, *folder.glob("*.dist-info")):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _check_size(package: Package, parts: Sequence[Path]) -> None:
    if package.unzipped_bytes <= UNZIPPED_MAX_BYTES:
        return
    sizes: dict[str, int] = {}
    for name, path in (each for part in parts for each in tree(part)):
        top = name.split("/")[0]
        sizes[top] = sizes.get(top, 0) + path.lstat().st_size
    largest = sorted(sizes, key=lambda top: -sizes[top])[:4]
    shown = ", ".join(f"{top} {sizes[top] / _MB:,.0f} MB" for top in largest)
    raise PackageTooLargeError(
        f"the function's code is {package.unzipped_bytes / _MB:,.0f} MB unzipped with its layers; Lambda's limit is "
        f"{UNZIPPED_MAX_BYTES / _MB:.0f} MB (largest: {shown})",
        hint=f"Build an image of up to {AWS_LAMBDA.image_bytes.most / 1e9:.0f} GB: `lambdamagic image build` "
        "with the same PATHS, -r, --with or --from-notebook",
    )


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # 403 is what S3 says of a missing key to who may not list.
        if error.response["Error"]["Code"] in ("404", "403", "NoSuchKey"):
            return False
        raise
    return True


__all__ = [
    "DIRECT_MAX_BYTES",
    "RUNTIME_DISTRIBUTIONS",
    "UNZIPPED_MAX_BYTES",
    "LambdaPlatform",
    "LayerZip",
    "Package",
    "WheelSource",
    "build_package",
    "code_argument",
    "key_of_code",
    "package_key",
    "publish_holdings",
    "publish_layer",
    "upload",
]
