"""`lambdamagic image build|push|test`: the function as a container image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.package_options import package_options, wheel_source
from lambdamagic.errors import LambdaMagicError

if TYPE_CHECKING:
    from lambdamagic.deploy.container_tools import ContainerTool
    from lambdamagic.deploy.images import Image

_engine = click.option(
    "--engine",
    type=click.Choice(["docker", "podman", "finch", "buildah"]),
    help="The tool that builds; by default the first of these that works here.",
)
_storage = click.option(
    "--engine-option",
    "engine_options",
    multiple=True,
    metavar="OPTION",
    help="An option for the engine, before its subcommand.",
)


@click.group()
def image() -> None:
    """The function as a container image: build it, push it to ECR, test it here."""


@image.command(epilog=examples("lambdamagic image build --tag analysis --with torch"))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--tag", "name", metavar="NAME", help="The image's name; by default lambdamagic:py3.X[-packages].")
@click.option("--base", metavar="IMAGE", help="The base image; by default AWS's public Python image.")
@click.option("--python", metavar="3.X", help="Its Python version; by default this Python's.")
@click.option("--arch", type=click.Choice(["x86_64", "arm64"]), default="x86_64", help="Its architecture.")
@package_options
@_engine
@_storage
@with_common_options
def build(
    app: App,
    paths: tuple[Path, ...],
    name: str | None,
    base: str | None,
    python: str | None,
    arch: str,
    engine: str | None,
    engine_options: tuple[str, ...],
    notebooks: tuple[Path, ...],
    requirement_files: tuple[Path, ...],
    packages: tuple[str, ...],
) -> None:
    """Build the function's image, with optional packages and your own modules (PATHS)."""
    from lambdamagic.deploy.images import build_derived_image, build_handler_image
    from lambdamagic.deploy.platforms import LambdaPlatform
    from lambdamagic.pythons import python_here

    if base is not None and not base.strip():
        raise click.BadParameter("no image given", param_hint="--base")
    platform = LambdaPlatform(python or python_here(), arch)  # type: ignore[arg-type]  # click checked the choice
    source = wheel_source(app, notebooks=notebooks, files=requirement_files, packages=packages)
    tool = _found(engine, engine_options)
    say = app.out.note
    plain = f"lambdamagic:py{platform.python}" + ("" if arch == "x86_64" else f"-{arch}")
    if tool.name in ("buildah", "podman"):
        plain = f"localhost/{plain}"  # else they look for it in a registry
    is_derived = bool(source or paths)
    handler_name = plain if is_derived or name is None else name
    say(f"building {handler_name} with {tool.name}")
    built = build_handler_image(tool, handler_name, platform, base=base, on_line=_steps(app))
    if is_derived:
        name = name or f"{plain}-packages"
        say(f"building {name} from it")
        built = build_derived_image(tool, name, platform, source, base=handler_name, paths=paths, on_line=_steps(app))
    _show(app, built)
    app.out.note(f"test it: lambdamagic image test {built.name}; push it: lambdamagic image push {built.name}")


@image.command(epilog=examples("lambdamagic image push analysis"))
@click.argument("name")
@click.option("--repository", default="lambdamagic", show_default=True, help="The ECR repository; created if missing.")
@click.option("--as", "tag", metavar="TAG", help="The tag in ECR; by default the image's own and its content's digest.")
@_engine
@_storage
@with_common_options
def push(
    app: App, name: str, repository: str, tag: str | None, engine: str | None, engine_options: tuple[str, ...]
) -> None:
    """Push an image to ECR: make the repository, sign in, tag, push; print the URI that a function is made of."""
    from lambdamagic.deploy.image_registry import (
        ecr_login,
        ensure_repository,
        push_image,
        pushed_before,
        remove_unused,
    )
    from lambdamagic.deploy.images import image_id, inspect_image
    from lambdamagic.deploy.pushed import note_pushed

    tool = _found(engine, engine_options)
    holdings = inspect_image(tool, name).holdings  # what is pushed must be one of ours
    access = app.access()
    uri = ensure_repository(access, repository)
    if tag is None:
        # Named for its content: tags of a repository may be immutable, and a function is made of the digest anyway.
        own_tag = name.rpartition("/")[2].partition(":")[2] or "latest"
        tag = f"{own_tag[:100]}-{image_id(tool, name)[:12]}"
        digest = pushed_before(access, repository, tag)
    else:
        digest = None
    if digest is not None:
        pushed = f"{uri}@{digest}"
        app.out.note(f"{repository}:{tag} was pushed before")
    else:
        pushed = push_image(
            tool, name, f"{uri}:{tag}", login=ecr_login(access), on_line=lambda line: app.out.note(f"  {line}")
        )
    try:
        note_pushed(pushed, holdings)
    except OSError as error:  # the image is pushed, and its URI must be shown
        app.out.note(f"could not record the image's packages, so functions do not publish them: {error}")
    try:
        removed = remove_unused(access, repository)
    except LambdaMagicError as error:
        app.out.note(f"unused images stay in {repository}: {error.message}")
    else:
        if removed:
            app.out.note(f"removed {len(removed)} images that no function uses from {repository}")
    if app.out.as_json:
        app.out.document({"image": name, "uri": pushed})
    else:
        app.out.text(pushed)


@image.command("test", epilog=examples("lambdamagic image test analysis"))
@click.argument("name")
@_engine
@_storage
@with_common_options
def try_(app: App, name: str, engine: str | None, engine_options: tuple[str, ...]) -> None:
    """Run a real cell in an image: its entry point against the embedded Lambda's Runtime API."""
    from lambdamagic.doctor.image_checks import try_image

    tool = _found(engine, engine_options)
    seen = try_image(tool, name)
    if app.out.as_json:
        facts = {"python": seen.python, "system": seen.system, "lambdamagic": seen.where}
        app.out.document({"image": name, **facts, "init_ms": seen.init_ms, "elapsed_s": seen.elapsed_s})
        return
    app.out.text(f"{name} runs cells: Python {seen.python} on {seen.system}")
    app.out.text(
        f"INIT {seen.init_ms:,.0f} ms (including {tool.name}'s start), the cell {seen.elapsed_s * 1000:,.0f} ms"
    )


def _found(engine: str | None, options: tuple[str, ...]) -> ContainerTool:
    from lambdamagic.deploy.container_tools import find_engine

    return find_engine(engine, options=options)  # type: ignore[arg-type]  # click checked the choice


def _steps(app: App) -> Callable[[str], None]:
    def write_line(line: str) -> None:
        if line.upper().startswith("STEP ") or line.startswith(("#", "Collecting ")):
            app.out.note(f"  {line[:110]}")

    return write_line


def _show(app: App, built: Image) -> None:
    holdings = built.holdings
    if app.out.as_json:
        app.out.document(
            {
                "image": built.name,
                "engine": built.engine.name,
                "size_bytes": built.size_bytes,
                "python": holdings.python,
                "arch": holdings.arch,
                "packages": dict(holdings.packages),
            }
        )
        return
    app.out.table(("package", "version"), [*holdings.packages.items()])
    app.out.text(
        f"{built.name}: {built.size_bytes / 1e6:,.0f} MB, Python {holdings.python}, {holdings.arch}, built with "
        f"{built.engine.name}"
    )
