"""`lambdamagic policy` and `lambdamagic template`: what can be put into an account by other hands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.stack_options import stack_options, wanted_of

if TYPE_CHECKING:
    from lambdamagic.aws.access import AwsAccess


@click.command(epilog=examples("lambdamagic policy user", "lambdamagic policy deployer ml-team"))
@click.argument("who", type=click.Choice(["user", "role", "invoker", "deployer"]))
@click.argument("name", default="lambdamagic")
@click.option("--account", metavar="ID", help="The account; by default that of the credentials.")
@click.option("--bucket", metavar="NAME", help="The bucket; by default the deployment's.")
@click.option("--kms-key", metavar="ARN", help="The bucket's KMS key, if it has one.")
@click.option(
    "--invoker/--no-invoker",
    "has_invoker",
    default=None,
    help="Whether the function has an invoker; by default as deployed.",
)
@with_common_options
def policy(
    app: App,
    who: str,
    name: str,
    account: str | None,
    bucket: str | None,
    kms_key: str | None,
    has_invoker: bool | None,
) -> None:
    """Print an IAM policy: for users, for the person who deploys, for the function's role, or its invoker's.

    NAME is the deployment's. The output is the policy itself, with or without --json.
    """
    from lambdamagic.aws.partitions import partition_of
    from lambdamagic.deploy import policies
    from lambdamagic.deploy.aws_calls import identity

    access = app.access()
    partition, account = (partition_of(access.region).name, account) if account else identity(access)
    where = {"partition": partition, "region": access.region, "account_id": account}
    has_trigger = has_snapstart = False
    document: dict[str, Any]
    if who == "deployer":
        document = policies.deployer_policy(**where, name=name, kms_key=kms_key)
    elif who == "role":
        made_from, deployed = _deployed(access, name)
        graphs_bucket = (bucket or deployed) if made_from.get("has_graphs") else ""
        kms_key = kms_key or made_from.get("kms_key")
        document = policies.role_policy(**where, function=name, graphs_bucket=graphs_bucket, kms_key=kms_key)
    elif who == "invoker":
        document = policies.invoker_policy(**where, function=name)
    else:
        if bucket is None:
            from lambdamagic.deploy.stack import Stack

            stack = Stack(access, name)
            state = stack.state()
            bucket = state.outputs.get("Bucket") if state else None
            if state is not None and has_invoker is None:
                has_invoker = "InvokerName" in state.outputs
            if state is not None:
                made_from = stack.template().get("Metadata", {}).get("lambdamagic", {})
                kms_key = kms_key or made_from.get("kms_key")
                has_trigger = has_trigger or bool(made_from.get("has_trigger"))
                has_snapstart = bool(made_from.get("function", {}).get("has_snapstart"))
        bucket = bucket or app.settings().settings.bucket or f"{name}-*"
        document = policies.user_policy(
            partition=partition,
            region=access.region,
            account_id=account,
            function=name,
            bucket=bucket,
            kms_key=kms_key,
            has_invoker=bool(has_invoker),
            has_trigger=has_trigger,
            has_snapstart=has_snapstart,
        )
    app.out.document(document)


def _deployed(access: AwsAccess, name: str) -> tuple[dict[str, Any], str]:
    """Return the stored spec of a deployment and its bucket; empty if it does not exist or may not be read."""
    from lambdamagic.deploy.stack import Stack
    from lambdamagic.errors import LambdaMagicError

    stack = Stack(access, name)
    try:
        state = stack.state()
        if state is None:
            return {}, ""
        return stack.template().get("Metadata", {}).get("lambdamagic", {}), state.outputs.get("Bucket", "")
    except LambdaMagicError:
        return {}, ""


@click.command(epilog=examples("lambdamagic template terraform -o main.tf"))
@click.argument("form", type=click.Choice(["cloudformation", "sam", "terraform"]))
@click.argument("name", default="lambdamagic")
@stack_options
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file.")
@with_common_options
def template(app: App, form: str, name: str, output: Path | None, **given: Any) -> None:
    """Print the resources of `lambdamagic deploy` as a template for other tools.

    The location of the package is a parameter (variable); `lambdamagic deploy --plan` needs none of this.
    """
    from lambdamagic.deploy.forms import render
    from lambdamagic.deploy.model import StackSpec
    from lambdamagic.pythons import python_here

    wanted = wanted_of(given)
    wanted.setdefault("python", app.settings().settings.python or python_here())
    layers = () if wanted.get("image") else ("agent",)
    spec = StackSpec.changed({}, name=name, **wanted).with_code(layers, {})
    text = render(spec, form)
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise click.FileError(str(output), f"{error.strerror}; choose a file in an existing folder") from error
        if app.out.as_json:
            app.out.document({"form": form, "file": str(output)})
        else:
            app.out.text(f"written to {output}")
    elif app.out.as_json:
        app.out.document({"form": form, "template": text})
    else:
        click.echo(text, nl=False)
