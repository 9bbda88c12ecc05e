"""`lambdamagic deploy` and `lambdamagic destroy`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import DECLINED
from lambdamagic.cli.package_options import package_options, wheel_source
from lambdamagic.cli.stack_options import stack_options, wanted_of

if TYPE_CHECKING:
    from lambdamagic.deploy.deployment import Deployed, Deployment
    from lambdamagic.deploy.model import StackSpec

DEFAULT_NAME = "lambdamagic"
_DOES = {"add": "adds", "modify": "modifies", "remove": "removes"}
_FUNCTION_KEYS = ("name", "python", "arch", "memory_mb", "timeout_s", "ephemeral_mb", "image")


@click.command(
    epilog=examples("lambdamagic deploy --plan", "lambdamagic deploy --memory 4096 --from-notebook analysis.ipynb")
)
@click.argument("name", default=DEFAULT_NAME)
@click.option("--plan", "plan_only", is_flag=True, help="Show the changes without making them.")
@package_options
@click.option(
    "--add", "added", multiple=True, metavar="PACKAGE", help="A package in addition to the existing ones. Repeatable."
)
@stack_options
@click.option("--no-config", is_flag=True, help="Do not write function, bucket and region into your settings.")
@with_common_options
def deploy(
    app: App,
    name: str,
    plan_only: bool,
    no_config: bool,
    notebooks: tuple[Path, ...],
    requirement_files: tuple[Path, ...],
    packages: tuple[str, ...],
    added: tuple[str, ...],
    **given: Any,
) -> None:
    """Create or update everything that cells need on AWS, as one CloudFormation stack.

    NAME is what the stack and the function are called. What is not given stays as it was deployed before. Repeating
    the command changes nothing; a run that was interrupted is finished by the next.
    """
    import tempfile
    from functools import partial

    from lambdamagic.cli.deployment_output import EventLines
    from lambdamagic.deploy.assemble import assemble, check_wanted
    from lambdamagic.deploy.deployment import Deployment

    access = app.access()
    settings = app.settings()
    wanted = wanted_of(given)
    for key in ("memory_mb", "timeout_s"):
        if key not in wanted and settings.origin(key) != "default":
            wanted[key] = getattr(settings.settings, key)
    wanted.setdefault("python", settings.settings.python)
    check_wanted(name, wanted)
    source = wheel_source(app, notebooks=notebooks, files=requirement_files, packages=packages)
    with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
        spec, code = assemble(
            access, name, wanted, source=source, added=added, folder=Path(folder), on_note=partial(_say, app)
        )
        deployment = Deployment(access, spec, code=code, on_event=EventLines(app.out), on_note=app.out.note)
        if plan_only:
            _show_plan(app, deployment, spec)
            return
        _foretell(app, deployment, spec)
        done = deployment.apply()
    is_lasting = settings.settings.target != "local"  # the embedded Lambda's next instance does not know this one
    written = None if no_config or not is_lasting else _write_settings(app, done, access.region)
    _show(app, spec, done, written=written)


def _say(app: App, line: str) -> None:
    app.out.note(f"{line[:1].upper()}{line[1:]}")


def _show_plan(app: App, deployment: Deployment, spec: StackSpec) -> None:
    from lambdamagic.cli.deployment_output import changes_document, show_changes
    from lambdamagic.deploy.aws_calls import identity
    from lambdamagic.deploy.outline import at_rest, laid_out, listed, outline

    plan = deployment.plan()
    access = app.access()
    _, account = identity(access)
    if app.out.as_json:
        function = {key: getattr(spec.function, key) for key in _FUNCTION_KEYS}
        document = {"name": spec.name, "is_new": plan.is_new, "note": plan.note or None, "account": account}
        document |= {"region": access.region, "function": function, "packages": list(spec.requirements)}
        app.out.document(
            {**document, "at_rest": at_rest(_snapshot_usd(spec)), "changes": changes_document(plan.changes)}
        )
        return
    if plan.note:
        app.out.text(plan.note)
    if not plan.changes:
        app.out.text(f"{spec.name} is up to date: no changes.")
        return
    app.out.text(f"{spec.name}: {'would be created' if plan.is_new else 'would be updated'}")
    packages = listed(spec.requirements, otherwise="none except lambdamagic itself")
    app.out.text(
        laid_out(
            outline(
                spec,
                account=account,
                region=access.region,
                packages=packages,
                is_new=plan.is_new,
                snapshot_usd=_snapshot_usd(spec),
            )
        )
    )
    show_changes(app.out, plan.changes)


def _foretell(app: App, deployment: Deployment, spec: StackSpec) -> None:
    """Print one line about the changes before they are made."""
    from lambdamagic.deploy.outline import size_of
    from lambdamagic.errors import LambdaMagicError

    region = app.access().region
    try:
        plan = deployment.plan(with_replacements=False)
    except LambdaMagicError:
        app.out.note(f"Deploying {spec.name} in {region} ...")  # which meets the same error, and reports it
        return
    if plan.is_new:
        app.out.note(f"Creating {spec.name} in {region}: {size_of(spec.function)}; {len(plan.changes)} resources ...")
    elif plan.changes:
        named = ", ".join(f"{_DOES[change.action]} {change.resource}" for change in plan.changes)
        app.out.note(f"Updating {spec.name} in {region}: {named} ...")
    else:
        app.out.note(f"Checking whether {spec.name} in {region} is up to date ...")


def _write_settings(app: App, done: Deployed, region: str) -> dict[str, Any]:
    """Write function, bucket, region and the account's profile or endpoint into the user's settings."""
    from lambdamagic.config.setting_files import user_file
    from lambdamagic.config.write import write_settings

    values: dict[str, Any] = {"function": done.function, "bucket": done.bucket, "region": region}
    values |= {key: value for key, value in app.options.items() if key in ("profile", "endpoint_url")}
    path = user_file(os.environ)
    changed = write_settings(path, values)
    return {"file": str(path), "changed": changed}


def _show(app: App, spec: StackSpec, done: Deployed, *, written: dict[str, Any] | None) -> None:
    from lambdamagic.deploy.destroy import Demolition
    from lambdamagic.deploy.resting_cost import resting_cost

    access = app.access()
    inventory = Demolition(access, spec.name).inventory()
    cost = resting_cost(
        inventory.size_bytes if inventory else 0, has_repository=spec.has_repository, snapshot_usd=_snapshot_usd(spec)
    )
    policy = _user_policy(spec, done, access.region)
    overriding = [variable for variable in ("LAMBDAMAGIC_FUNCTION", "LAMBDAMAGIC_BUCKET") if os.environ.get(variable)]
    if app.out.as_json:
        app.out.document(
            {
                "name": spec.name,
                "changed": done.has_changed,
                "outputs": dict(done.outputs),
                "month_usd_at_rest": round(cost.month_usd, 6),
                "settings": written,
                "overridden_by": overriding,
                "user_policy": policy,
            }
        )
        return
    function = spec.function
    app.out.text(f"{spec.name} {'is deployed' if done.has_changed else 'is up to date'}")
    size = f"{function.runtime}, {function.arch}, {function.memory_mb:,} MB, {function.timeout_s} s"
    app.out.text(f"  function  {done.function} ({size})")
    if spec.has_invoker:
        app.out.text(f"  invoker   {done.outputs['InvokerName']} (used by mode event)")
    app.out.text(f"  bucket    {done.bucket}")
    if spec.has_graphs:
        app.out.text(
            f"  graphs    {done.function} may invoke itself and use lambdamagic/graphs/ (Dask with mode event)"
        )
    app.out.text(f"  region    {access.region}")
    if spec.function.image is None and spec.requirements:
        app.out.text(f"  packages  {', '.join(spec.requirements)}")
    app.out.text(cost.explanation)
    if written is not None:
        said = "Written to" if written["changed"] else "Already in"
        app.out.text(f"{said} {written['file']}.")
    else:
        app.out.text(f"Use it: export LAMBDAMAGIC_FUNCTION={done.function} LAMBDAMAGIC_BUCKET={done.bucket}")
    for variable in overriding:
        app.out.text(f"Note: {variable}={os.environ[variable]} overrides the file.")
    again = "lambdamagic policy user" if spec.name == DEFAULT_NAME else f"lambdamagic policy user {spec.name}"
    app.out.text("Next steps:")
    if written is not None:
        app.out.text("  in a notebook: %load_ext lambdamagic, then run a %%lambda cell")
    app.out.text("  lambdamagic doctor checks the deployment, lambdamagic demo runs 16 tasks")
    app.out.text(f"  other users need the policy that `{again}` prints")


def _snapshot_usd(spec: StackSpec) -> float:
    from lambdamagic.jobs.prices import snapshot_month_usd

    return snapshot_month_usd(spec.function.memory_mb) if spec.function.has_snapstart else 0.0


def _user_policy(spec: StackSpec, done: Deployed, region: str) -> dict[str, Any]:
    from lambdamagic.deploy.policies import user_policy

    _, partition, _, _, account, _ = done.outputs["RoleArn"].split(":", 5)
    return user_policy(
        partition=partition,
        region=region,
        account_id=account,
        function=spec.name,
        bucket=done.bucket,
        kms_key=spec.kms_key,
        has_invoker=spec.has_invoker,
        has_trigger=spec.has_trigger,
        has_snapstart=bool(spec.function.has_snapstart),
    )


@click.command(epilog=examples("lambdamagic destroy", "lambdamagic destroy ml-team --yes"))
@click.argument("name", default=DEFAULT_NAME)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--empty-bucket", is_flag=True, help="Also delete objects in the bucket that are not lambdamagic's.")
@with_common_options
def destroy(app: App, name: str, yes: bool, empty_bucket: bool) -> None:
    """Delete everything that `lambdamagic deploy` created, after asking."""
    from lambdamagic.cli.deployment_output import EventLines
    from lambdamagic.deploy.destroy import Demolition
    from lambdamagic.errors import NotOursError

    access = app.access()
    demolition = Demolition(access, name, on_event=EventLines(app.out))
    found = demolition.inventory()
    if found is None:
        if app.out.as_json:
            app.out.document({"name": name, "found": False, "deleted_objects": 0, "left": []})
        else:
            app.out.text(f"no deployment {name!r} in {access.region}: nothing to delete")
        return
    if found.foreign_objects and not empty_bucket:
        raise NotOursError(
            f"the bucket {found.bucket} holds {found.foreign_objects:,} objects that are not lambdamagic's; "
            "nothing was deleted",
            hint="Move them away, or delete them too with --empty-bucket",
        )
    if not yes:
        app.out.note(f"To be deleted in {access.region}:")
        for kind, physical in found.resources:
            app.out.note(f"  - {kind:<32} {physical}")
        if found.bucket:
            app.out.note(f"    with {found.objects:,} objects ({found.size_bytes / 1e6:.1f} MB)")
        if not click.confirm(f"Delete {name}?", err=True):
            raise click.exceptions.Exit(DECLINED)
    done = demolition.run(empty_bucket=True)
    forgotten = _forget_settings(name, found.bucket)
    if app.out.as_json:
        document = {"name": name, "found": True, "deleted_objects": done.deleted_objects, "left": list(done.left)}
        app.out.document({**document, "variants": demolition.variants, "settings": forgotten})
        return
    if demolition.variants:
        app.out.text(f"deleted its variants: {', '.join(demolition.variants)}")
    app.out.text(f"deleted {name} and {done.deleted_objects:,} objects of its bucket")
    for left in done.left:
        app.out.text(f"kept: {left}")
    if forgotten:
        app.out.text(f"Removed from your settings: {', '.join(forgotten)}. Cells run on the embedded Lambda again.")


def _forget_settings(name: str, bucket: str | None) -> list[str]:
    """Remove function and bucket from the user's settings, if they are those that were deleted."""
    from lambdamagic.config.setting_files import read_toml, user_file
    from lambdamagic.config.write import write_settings
    from lambdamagic.deploy.functions import bare_name

    path = user_file(os.environ)
    written = read_toml(path) or {}
    if bare_name(str(written.get("function"))) != name or (bucket and written.get("bucket") != bucket):
        return []
    return write_settings(path, {"function": None, "bucket": None})
