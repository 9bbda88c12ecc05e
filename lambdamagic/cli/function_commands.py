"""`lambdamagic create|list|update|delete|status`: single functions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import DECLINED
from lambdamagic.cli.package_options import package_options, wheel_source
from lambdamagic.cli.params import size_option, variables
from lambdamagic.limits import AWS_LAMBDA

if TYPE_CHECKING:
    from lambdamagic.deploy.managed import ManagedFunction
    from lambdamagic.deploy.model import FunctionSpec
    from lambdamagic.deploy.packages import Package
    from lambdamagic.deploy.wheels import WheelSource

_PATH = click.Path(path_type=Path)


def _size_options(function: Any) -> Any:
    """Add what create and update share; what is not given is left as it is, or as `FunctionSpec` has it."""
    options = (
        size_option("--memory", "memory_mb", "MB", f"Memory, {AWS_LAMBDA.memory_mb}; a new one: 2048."),
        size_option("--timeout", "timeout_s", "S", f"Timeout, {AWS_LAMBDA.timeout_s}; a new one: 300."),
        size_option("--ephemeral", "ephemeral_mb", "MB", f"/tmp, {AWS_LAMBDA.ephemeral_mb}; a new one: 512."),
        click.option(
            "--layers",
            multiple=True,
            metavar="ARN",
            help="The ARN of a layer version. Repeatable, or separated by commas.",
        ),
        click.option("--python", metavar="3.x", help="Python version; a new one: this Python's."),
        click.option("--arch", type=click.Choice(["x86_64", "arm64"]), help="Architecture; a new one: x86_64."),
        click.option(
            "--env", "environment", multiple=True, metavar="NAME=VALUE", help="An environment variable. Repeatable."
        ),
        click.option("--image", metavar="URI", help="The image in ECR, with --package image."),
        click.option("--bucket", metavar="NAME", help="The bucket for large packages; by default the deployment's."),
        click.option(
            "--stack",
            default="lambdamagic",
            show_default=True,
            help="The deployment whose role, bucket and log group it uses.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return package_options(function)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in values.items() if value not in (None, ())}
    if "layers" in found:
        found["layers"] = tuple(arn for text in found["layers"] for arn in text.split(","))
    if "environment" in found:
        found["environment"] = variables(found["environment"])
    return found


@click.command(epilog=examples("lambdamagic create experiment mymodule.py --memory 512 --timeout 60"))
@click.argument("name")
@click.argument("paths", nargs=-1, type=_PATH)
@_size_options
@click.option("--role", metavar="ARN", help="The execution role; by default the deployment's.")
@click.option(
    "--package",
    "kind",
    type=click.Choice(["zip", "image"]),
    default="zip",
    show_default=True,
    help="How its code is packaged.",
)
@with_common_options
def create(
    app: App,
    name: str,
    paths: tuple[Path, ...],
    notebooks: tuple[Path, ...],
    requirement_files: tuple[Path, ...],
    packages: tuple[str, ...],
    kind: str,
    role: str | None,
    bucket: str | None,
    stack: str,
    **values: Any,
) -> None:
    """Create a function in addition to the deployed one.

    PATHS are modules and folders of yours to put into it.
    """
    from lambdamagic.deploy.around import surroundings
    from lambdamagic.deploy.image_registry import image_by_digest
    from lambdamagic.deploy.managed import Functions
    from lambdamagic.deploy.model import FunctionSpec
    from lambdamagic.deploy.packages import check_paths
    from lambdamagic.pythons import python_here

    given = _given(values)
    if (kind == "image") != ("image" in given):
        raise click.UsageError("--package image requires --image URI, and the reverse")
    settings = app.settings().settings
    spec = FunctionSpec(**{"name": name, "python": settings.python or python_here(), **given})
    check_paths(paths)
    source = wheel_source(app, notebooks=notebooks, files=requirement_files, packages=packages)
    access = app.access()
    spec = image_by_digest(access, spec)
    around = surroundings(access, stack=stack, role=role, bucket=bucket or settings.bucket)
    with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
        package = None if spec.image else _package(app, spec, paths, source, folder=folder)
        facts = Functions(access).create(spec, package, around)
    if app.out.as_json:
        app.out.document({"name": name, "arn": facts.configuration["FunctionArn"], "state": facts.state})
        return
    app.out.text(
        f"created {name}: {facts.runtime or 'image'}, {facts.arch}, {facts.memory_mb:,} MB, {facts.timeout_s} s"
    )
    app.out.text(
        f"Use it: export LAMBDAMAGIC_FUNCTION={name}"
        + (f" LAMBDAMAGIC_BUCKET={around.bucket}" if around.bucket else "")
    )


def _package(app: App, spec: FunctionSpec, paths: tuple[Path, ...], source: WheelSource, *, folder: str) -> Package:
    from lambdamagic.deploy.packages import LambdaPlatform, build_package

    app.out.note(f"Building the package of {spec.name} ...")
    return build_package(
        LambdaPlatform(spec.python, spec.arch),
        source,
        paths=paths,
        folder=Path(folder),
        made_by=f"lambdamagic update {spec.name} -r requirements.txt",
        prefix=spec.name,
    )


@click.command("list", epilog=examples("lambdamagic list"))
@with_common_options
def list_functions(app: App) -> None:
    """List the functions that lambdamagic created."""
    from lambdamagic.deploy.managed import Functions

    access = app.access()
    found = Functions(access).all()
    if app.out.as_json:
        app.out.document({"region": access.region, "functions": [_document(each) for each in found]})
        return
    rows = [
        (
            f.facts.name,
            f.facts.runtime or "image",
            f.facts.arch,
            f"{f.facts.memory_mb:,} MB",
            f"{f.facts.timeout_s} s",
            f.made_by,
            f.facts.state,
        )
        for f in found
    ]
    columns = ("function", "runtime", "arch", "memory>", "timeout>", "created by", "state")
    app.out.table(
        columns, rows, empty=f"no functions of lambdamagic in {access.region}; `lambdamagic deploy` creates one"
    )


def _document(function: ManagedFunction) -> dict[str, Any]:
    facts = function.facts
    return {
        "name": facts.name,
        "arn": facts.configuration.get("FunctionArn"),
        "runtime": facts.runtime or None,
        "arch": facts.arch,
        "memory_mb": facts.memory_mb,
        "timeout_s": facts.timeout_s,
        "state": facts.state,
        "made_by": function.made_by,
    }


@click.command(epilog=examples("lambdamagic update experiment --memory 1024"))
@click.argument("name")
@click.argument("paths", nargs=-1, type=_PATH)
@_size_options
@with_common_options
def update(
    app: App,
    name: str,
    paths: tuple[Path, ...],
    notebooks: tuple[Path, ...],
    requirement_files: tuple[Path, ...],
    packages: tuple[str, ...],
    bucket: str | None,
    stack: str,
    **values: Any,
) -> None:
    """Update a function from `lambdamagic create`: only what differs.

    PATHS replace the modules and folders in it, -r its packages; without them they stay, and its lambdamagic is
    updated to this one.
    """
    from lambdamagic.deploy.image_registry import image_by_digest
    from lambdamagic.deploy.managed import Functions, Surroundings, spec_of
    from lambdamagic.deploy.packages import check_paths
    from lambdamagic.deploy.refresh import same_packages

    given = _given(values)
    check_paths(paths)
    wanted = wheel_source(app, notebooks=notebooks, files=requirement_files, packages=packages)
    access = app.access()
    functions = Functions(access)
    found = functions.find(name)
    spec = image_by_digest(access, spec_of(found, given))
    around = Surroundings(str(found.facts.configuration.get("Role", "")), bucket or app.settings().settings.bucket)
    with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
        source = wanted or same_packages(access, found, bucket=around.bucket)
        package = None if spec.image else _package(app, spec, paths, source, folder=folder)
        changed = functions.update(spec, package, around, with_code=bool(paths))
    if app.out.as_json:
        app.out.document({"name": name, "changed": list(changed)})
    else:
        app.out.text(f"{name}: {' and '.join(changed)} updated" if changed else f"{name} is up to date")


@click.command(epilog=examples("lambdamagic delete experiment"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_common_options
def delete(app: App, name: str, yes: bool) -> None:
    """Delete a function from `lambdamagic create`, with its variants and layers."""
    from lambdamagic.deploy.managed import Functions

    functions = Functions(app.access())
    functions.check_deletable(name)
    if not yes and not click.confirm(f"Delete {name}?", err=True):
        raise click.exceptions.Exit(DECLINED)
    deleted = functions.delete(name)
    if app.out.as_json:
        app.out.document({"name": name, "deleted": deleted})
    else:
        app.out.text(f"deleted: {', '.join(deleted)}")


@click.command(epilog=examples("lambdamagic status", "lambdamagic status ml-team --region eu-west-1"))
@click.argument("name", required=False)
@with_common_options
def status(app: App, name: str | None) -> None:
    """Show a deployment: stack, function, bucket, and its idle cost.

    NAME is the deployment's; by default that of the function in the settings.
    """
    from lambdamagic.deploy.destroy import Demolition
    from lambdamagic.deploy.functions import bare_name
    from lambdamagic.deploy.managed import Functions
    from lambdamagic.deploy.resting_cost import resting_cost
    from lambdamagic.deploy.stack import Stack
    from lambdamagic.errors import FunctionMissingError

    access = app.access()
    name = name or bare_name(app.settings().settings.function or "lambdamagic")
    state = Stack(access, name).state()
    if state is None:
        try:
            _show_function(app, Functions(access).find(name))
        except FunctionMissingError as error:
            raise FunctionMissingError(
                f"no deployment or function {name!r} in {access.region}",
                hint="Run `lambdamagic deploy` to create one, or `lambdamagic list` to see the existing functions",
            ) from error
        return
    inventory = Demolition(access, name).inventory()
    assert inventory is not None
    cost = resting_cost(inventory.size_bytes)
    try:
        function = _document(Functions(access).find(name))
    except FunctionMissingError:
        function = None
    if app.out.as_json:
        app.out.document(
            {
                "name": name,
                "stack": {"status": state.status, "reason": state.reason or None},
                "function": function,
                "outputs": dict(state.outputs),
                "objects": inventory.objects,
                "size_bytes": inventory.size_bytes,
                "month_usd_at_rest": round(cost.month_usd, 6),
            }
        )
        return
    app.out.text(f"{name} in {access.region}: stack {state.status}{f' ({state.reason})' if state.reason else ''}")
    if function:
        app.out.text(
            f"  function  {name}: {function['state']}, {function['runtime'] or 'image'}, {function['memory_mb']:,} MB"
        )
    else:
        app.out.text("  function  not created yet: run `lambdamagic deploy` again")
    if "InvokerName" in state.outputs:
        app.out.text(f"  invoker   {state.outputs['InvokerName']}")
    app.out.text(f"  bucket    {inventory.bucket or state.outputs.get('Bucket')}: {inventory.objects:,} objects")
    app.out.text(cost.explanation)


def _show_function(app: App, found: ManagedFunction) -> None:
    document = _document(found)
    if app.out.as_json:
        app.out.document({"name": found.facts.name, "stack": None, "function": document})
    else:
        for key, value in document.items():
            app.out.text(f"{key:<11} {value}")
