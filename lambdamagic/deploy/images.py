"""Images: the function's image, and derived ones with packages and modules of the user's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import lambdamagic
from lambdamagic.deploy.agent import PICKLERS, write_agent_wheel
from lambdamagic.deploy.container_tools import ContainerTool, certificate_file
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.deploy.wheels import WheelSource
from lambdamagic.errors import ImageError, ImageMissingError
from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.protocol.holdings import Holdings

HOLDINGS_FILE = "/var/task/lambdamagic-holdings.json"

#: How the tools say that there is no image of a name: buildah, podman, docker, finch.
_NO_IMAGE = re.compile(r"image not known|no such image|unable to find image|image .* not found", re.IGNORECASE)
_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """A built image.

    Attributes:
        name: Its name in the engine's store.
        engine: The tool that has it.
        holdings: What it holds, as read out of it.
        size_bytes: How large it is, uncompressed.
    """

    name: str
    engine: ContainerTool
    holdings: Holdings
    size_bytes: int


def recipe_folder() -> Path:
    """Return the folder with the Dockerfiles: in the installed package, or in the checkout.

    Raises:
        ImageError: It is in neither.
    """
    package = Path(lambdamagic.__file__).parent
    for folder in (package / "handler_image", package.parent / "handler_image"):
        if (folder / "Dockerfile").is_file():
            return folder
    raise ImageError("the Dockerfile of the function's image is not installed", hint="Install lambdamagic again")


def write_context(folder: Path) -> None:
    """Write the build context of the function's image: Dockerfile, entry point, requirements and our wheel."""
    for name in ("Dockerfile", "entrypoint.py"):
        shutil.copy(recipe_folder() / name, folder / name)
    lines = (recipe_folder() / "requirements.txt").read_text().splitlines()
    kept = [line for line in lines if line.strip() and not line.startswith(PICKLERS)]
    # Both sides read each other's pickles, so the picklers are the notebook's own versions.
    kept += [f"{name}=={metadata.version(name)}" for name in PICKLERS]
    (folder / "requirements.txt").write_text("\n".join(kept) + "\n")
    write_agent_wheel(folder)


def build_handler_image(
    engine: ContainerTool,
    name: str,
    platform: LambdaPlatform,
    *,
    base: str | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Image:
    """Build the function's image, without packages of the user's.

    Args:
        engine: What builds it.
        name: What it is to be called.
        platform: Its Python and architecture.
        base: What it is built from; AWS's public Python image by default.
        on_line: Called with each line of the engine's output.

    Raises:
        ImageError: It could not be built.
    """
    with tempfile.TemporaryDirectory(prefix="lambdamagic-image-") as folder:
        write_context(Path(folder))
        arguments = {"PYTHON": platform.python, **({"BASE": base} if base else {})}
        _build(engine, name, Path(folder), platform, arguments=arguments, on_line=on_line)
    return inspect_image(engine, name)


def build_derived_image(
    engine: ContainerTool,
    name: str,
    platform: LambdaPlatform,
    source: WheelSource,
    *,
    base: str,
    paths: Sequence[Path] = (),
    on_line: Callable[[str], None] | None = None,
) -> Image:
    """Build an image with packages and modules of the user's from the function's image.

    Args:
        engine: What builds it.
        name: What it is to be called.
        platform: Its architecture.
        source: The packages; here pip may compile, if the base has a compiler.
        base: The function's image.
        paths: The user's own modules and folders.
        on_line: Called with each line of the engine's output.

    Raises:
        ImageError: It could not be built.
    """
    with tempfile.TemporaryDirectory(prefix="lambdamagic-image-") as temporary:
        folder = Path(temporary)
        shutil.copy(recipe_folder() / "derived.Dockerfile", folder / "Dockerfile")
        files = [file.read_bytes() for file in source.files]
        lines = [*(each.encode() for each in source.requirements), *files]
        (folder / "requirements.txt").write_bytes(b"\n".join(lines) + b"\n")
        (folder / "constraints.txt").write_text("\n".join(source.constraints) + "\n")
        (folder / "code").mkdir()
        for path in paths:
            target = folder / "code" / path.resolve().name
            if path.is_dir():
                shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".git"))
            else:
                shutil.copy(path, target)
        _build(engine, name, folder, platform, arguments={"BASE": base}, on_line=on_line)
    return inspect_image(engine, name)


def _build(
    engine: ContainerTool,
    name: str,
    folder: Path,
    platform: LambdaPlatform,
    *,
    arguments: dict[str, str],
    on_line: Callable[[str], None] | None,
) -> None:
    _let_all_read(folder)
    command = ["build", *engine.isolation, "--platform", _PLATFORMS[platform.arch], "-t", name]
    if engine.name in ("buildah", "podman"):
        command += ["--layers", "--format", "docker"]
    for key, value in arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    secrets = {"ca": certificate_file(), "pip": _pip_configuration()}
    for key, file in secrets.items():
        if file is not None:
            command += ["--secret", f"id={key},src={file}"]
    engine.run([*command, str(folder)], doing=f"build the image {name}", on_line=on_line)


def _let_all_read(folder: Path) -> None:
    """Make files for the image readable for all users: COPY keeps modes, and Lambda's user is not their owner."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            is_run = path.is_dir() or mode & 0o100
            path.chmod(mode | (0o555 if is_run else 0o444))


def image_id(engine: ContainerTool, name: str) -> str:
    """Return an image's identity: the digest of its configuration, as hexadecimal text.

    Raises:
        ImageError: It is not there.
    """
    what = (
        ["inspect", "--type", "image", "--format", "{{.FromImageID}}"]
        if engine.name == "buildah"
        else ["image", "inspect", "--format", "{{.Id}}"]
    )
    return engine.run([*what, name], doing=f"identify the image {name}").strip().rpartition(":")[2]


def _pip_configuration() -> Path | None:
    """Return the pip configuration that PIP_CONFIG_FILE names: its index may need credentials, which do not stay."""
    value = os.environ.get("PIP_CONFIG_FILE")
    return Path(value) if value and value != os.devnull and Path(value).is_file() else None


def inspect_image(engine: ContainerTool, name: str) -> Image:
    """Look into an existing image.

    Raises:
        ImageError: It is not there, or not one of lambdamagic's.
    """
    with _container(engine, name) as container:
        text = _read_file(engine, container)
    size = _size(engine, name)
    if size > AWS_LAMBDA.image_bytes.most:
        raise ImageError(
            f"the image {name} is {size / 1e9:.1f} GB; Lambda's limit is {AWS_LAMBDA.image_bytes.most / 1e9:.0f} GB",
            hint="Leave packages out, or put large data into S3",
        )
    return Image(name, engine, Holdings.from_json(text), size)


@contextmanager
def _container(engine: ContainerTool, name: str) -> Iterator[str]:
    """A container of an image that does not run."""
    command = ["from", "--pull-never"] if engine.name == "buildah" else ["create", "--pull", "never"]
    try:
        made = engine.run([*command, name], doing=f"look into the image {name}")
    except ImageError as error:
        if not _NO_IMAGE.search(error.message):
            raise
        raise ImageMissingError(
            f"{engine.name} has no image {name!r} on this machine",
            hint=f"Build it: `lambdamagic image build --tag {name}`; `{engine.name} images` lists the existing ones",
        ) from error
    container = made.strip().splitlines()[-1]
    try:
        yield container
    finally:
        engine.run(["rm", container], doing=f"remove the container {container}")


def _read_file(engine: ContainerTool, container: str) -> str:
    if engine.name == "buildah":
        root = engine.run(["mount", container], doing="look into the image").strip()
        try:
            path = Path(root + HOLDINGS_FILE)
            if not path.is_file():
                raise _not_ours(container)
            return path.read_text()
        finally:
            engine.run(["umount", container], doing="leave the image")
    with tempfile.TemporaryDirectory(prefix="lambdamagic-image-") as folder:
        target = Path(folder) / "holdings.json"
        try:
            engine.run(["cp", f"{container}:{HOLDINGS_FILE}", str(target)], doing="look into the image")
        except ImageError as error:
            raise _not_ours(container) from error
        return target.read_text()


def _not_ours(name: str) -> ImageError:
    return ImageError(
        f"the image {name} holds no {HOLDINGS_FILE}: it was not built by lambdamagic",
        hint="Build it with `lambdamagic image build`, or FROM an image that was",
    )


def _size(engine: ContainerTool, name: str) -> int:
    if engine.name == "buildah":
        found = json.loads(engine.run(["images", "--json", name], doing=f"measure the image {name}"))
        text = str(found[0]["size"])
        number, _, unit = text.partition(" ")
        return int(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper() or "B"])
    return int(engine.run(["image", "inspect", "--format", "{{.Size}}", name], doing=f"measure the image {name}"))


__all__ = [
    "Image",
    "build_derived_image",
    "build_handler_image",
    "image_id",
    "inspect_image",
    "recipe_folder",
    "write_context",
]
