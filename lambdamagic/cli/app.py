"""State of one command line: the common options, the settings and account that result, and the output."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.cli.output import Output

if TYPE_CHECKING:
    from lambdamagic.aws.access import AwsAccess
    from lambdamagic.config import ResolvedSettings


class App:
    """The common options of one command line; made once, filled as options are met.

    Attributes:
        out: Where results and messages go.
    """

    def __init__(self) -> None:
        self.out = Output()
        self._options: dict[str, str] = {}

    def take(self, name: str, value: Any) -> None:
        """Store a common option; one after the command overrides the same one before it."""
        if name == "as_json":
            self.out.as_json = self.out.as_json or bool(value)
        elif value is not None:
            self._options[name] = value

    @property
    def options(self) -> dict[str, str]:
        """The common options that were given, by the setting's name."""
        return dict(self._options)

    def settings(self, **overrides: object) -> ResolvedSettings:
        """Return the settings in force, with this command line's options.

        Raises:
            ConfigError: A setting is not valid, or a file of settings is broken.
        """
        from lambdamagic.config import load_settings

        return load_settings(overrides={**self._options, **overrides})

    def access(self) -> AwsAccess:
        """Return the account to work on: the one that boto3 finds, or with target `local` the shared embedded Lambda.

        Raises:
            ConfigError: A setting is not valid.
            LocalServerError: The target is `local`, and no shared embedded Lambda runs.
        """
        from lambdamagic.aws.access import AwsAccess

        settings = self.settings().settings
        if settings.target == "local":
            from lambdamagic.errors import LocalServerError
            from lambdamagic.local.shared_server import shared_status

            found = shared_status()
            if found.connection is None or not found.is_running:
                raise LocalServerError(
                    "no shared embedded Lambda is running",
                    hint="Start one with `lambdamagic local start`, or use --target aws",
                )
            connection = found.connection
            return AwsAccess(
                region=connection.region,
                endpoint_url=connection.endpoint_url,
                access_key_id=connection.access_key_id,
                secret_access_key=connection.secret_access_key,
            )
        return AwsAccess(region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url)


def _take(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    assert parameter.name is not None
    ctx.ensure_object(App).take(parameter.name, value)


def _common(*names: str, **options: Any) -> Callable[[Any], Any]:
    return click.option(*names, expose_value=False, callback=_take, **options)


_COMMON = (
    _common("--profile", metavar="NAME", help="The AWS profile; by default boto3's."),
    _common("--region", metavar="NAME", help="The AWS region; by default boto3's."),
    _common("--endpoint-url", metavar="URL", help="The endpoint of AWS's services, if not AWS's own."),
    _common(
        "--target",
        type=click.Choice(["auto", "local", "aws"]),
        help="aws, or local: the embedded Lambda that `lambdamagic local start` runs.",
    ),
    _common("--json", "as_json", is_flag=True, help="Print one JSON document."),
)


def examples(*lines: str) -> str:
    """Return the end of a command's help: command lines to copy, each on its own line."""
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


def with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options, and the `App` as its first argument.

    Put it next to the function, below its own options, so that `--help` shows the common ones last.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(click.get_current_context().ensure_object(App), *args, **kwargs)

    wrapped: Callable[..., Any] = call
    for option in reversed(_COMMON):
        wrapped = option(wrapped)
    return wrapped
