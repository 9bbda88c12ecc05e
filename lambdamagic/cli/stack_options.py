"""The options that say what a deployment is: of `deploy`, and of `template`, which prints the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from lambdamagic.cli.params import size_option, variables
from lambdamagic.limits import AWS_LAMBDA


def _repeatable(flag: str, name: str, metavar: str, what: str) -> Callable[..., Any]:
    return click.option(flag, name, multiple=True, metavar=metavar, help=f"{what} Repeatable.")


def _switch(name: str, what: str) -> Callable[..., Any]:
    return click.option(f"--{name}/--no-{name}", f"has_{name}", default=None, help=what)


_OPTIONS = [
    size_option("--memory", "memory_mb", "MB", f"The function's memory, {AWS_LAMBDA.memory_mb} (2048)."),
    size_option("--timeout", "timeout_s", "S", f"Its timeout, {AWS_LAMBDA.timeout_s} (300)."),
    size_option("--ephemeral", "ephemeral_mb", "MB", f"The size of /tmp, {AWS_LAMBDA.ephemeral_mb} (512)."),
    click.option("--python", metavar="3.x", help="Its Python version; by default this Python's."),
    click.option("--arch", type=click.Choice(["x86_64", "arm64"]), help="Its architecture (x86_64)."),
    _repeatable("--layer", "layers", "ARN", "The ARN of a layer version."),
    _repeatable("--env", "environment", "NAME=VALUE", "An environment variable."),
    click.option("--image", metavar="URI", help="An image in ECR instead of a package (`lambdamagic image push`)."),
    click.option(
        "--concurrency",
        "reserved_concurrency",
        type=int,
        metavar="N",
        help="Reserve N concurrent executions, which is also the maximum.",
    ),
    _repeatable("--subnet", "subnets", "ID", "Run in this subnet of a VPC."),
    _repeatable("--security-group", "security_groups", "ID", "Use this security group."),
    click.option("--bucket", metavar="NAME", help="Use this bucket instead of creating one."),
    _repeatable(
        "--data-bucket", "data_buckets", "NAME[:write]", "Let the function's role read this bucket, or write it too."
    ),
    click.option("--kms-key", metavar="ARN", help="Encrypt the bucket with this key."),
    click.option("--log-days", type=int, metavar="DAYS", help="Days to keep logs (14)."),
    click.option("--job-days", type=int, metavar="DAYS", help="Days to keep the objects of jobs in the bucket (7)."),
    click.option("--blob-days", type=int, metavar="DAYS", help="Days to keep reusable values in the bucket (30)."),
    _switch("trigger", "Run the requests that are uploaded to lambdamagic/trigger/ (mode trigger)."),
    _switch("repository", "Create an ECR repository for images."),
    _switch("invoker", "Create the invoker, a function that sends many events."),
    _switch(
        "graphs",
        "Run graphs in the function without their client: its role may invoke the function itself and use "
        "lambdamagic/graphs/ of the bucket.",
    ),
    _switch(
        "snapstart",
        "Start environments from a snapshot of an initialized one (Lambda SnapStart), which is billed while idle too.",
    ),
    click.option("--permissions-boundary", metavar="ARN", help="The permissions boundary of the roles."),
]


def stack_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; what was not given is None or empty."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def wanted_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given options as arguments of `StackSpec`.

    Raises:
        click.BadParameter: An environment variable is not of the form NAME=VALUE.
        ConfigError: One has a name that is lambdamagic's own.
    """
    wanted = {key: value for key, value in given.items() if value not in (None, ())}
    if "environment" in wanted:
        wanted["environment"] = variables(wanted["environment"])
    return wanted
