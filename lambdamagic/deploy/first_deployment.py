"""The deployment of a notebook's first cell on AWS: explained, then created; and packages that later cells add."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import ResolvedSettings
from lambdamagic.config.fields import OPTIONS
from lambdamagic.deploy.assemble import assemble
from lambdamagic.deploy.aws_calls import identity
from lambdamagic.deploy.deployment import Deployed, Deployment
from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.notebooks import NotebookNeeds
from lambdamagic.deploy.outline import laid_out, listed, outline
from lambdamagic.deploy.stack import OnEvent
from lambdamagic.deploy.wheels import WheelSource
from lambdamagic.errors import VersionMismatchError
from lambdamagic.pythons import python_here

DEFAULT_NAME = "lambdamagic"
_SIZES = ("memory_mb", "timeout_s")


@dataclass(frozen=True)
class FirstUse:
    """The deployment that a notebook without one is offered.

    Attributes:
        spec: What there will be; without the packages' own versions, which are resolved later.
        needs: What the notebook imports.
        account: The account's number.
        region: The region.
        is_new: Whether it is made; else a deployment of that name is there, is used, and gets what it lacks.
        given: What of the spec was asked for.
    """

    spec: StackSpec
    needs: NotebookNeeds
    account: str
    region: str
    is_new: bool
    given: Mapping[str, Any]

    @classmethod
    def plan(cls, access: AwsAccess, resolved: ResolvedSettings, needs: NotebookNeeds) -> FirstUse:
        """Read the account's state, and return the plan. Changes nothing.

        Args:
            access: The account.
            resolved: The settings in force. What was said for one cell only makes no function of that size.
            needs: What the notebook imports.

        Raises:
            ConfigError: The name cannot be that of a deployment.
            CredentialsError: There are none, or they may not look.
            NotOursError: There is a stack of this name that lambdamagic has not made.
            VersionMismatchError: There is a deployment of this name for another Python.
        """
        settings = resolved.settings
        name, python = settings.function or DEFAULT_NAME, settings.python or python_here()
        given: dict[str, Any] = {"name": name, "python": python}
        given |= {size: getattr(settings, size) for size in _SIZES if resolved.origin(size) not in ("default", OPTIONS)}
        StackSpec.changed({}, **given)  # invalid values are reported before AWS is called
        _, account = identity(access)
        remembered = Deployment.remembered(access, name)
        there = remembered.get("function", {}).get("python", python)
        if there != python:
            raise VersionMismatchError(
                f"the deployment {name} runs Python {there}, the notebook runs Python {python}",
                hint=f"Create one under another name: `%lambda deploy {name[:26]}-py{python.replace('.', '')}`",
            )
        if remembered:
            given = {key: value for key, value in given.items() if key not in _SIZES}
        spec = StackSpec.changed(remembered, **given)
        return cls(spec, needs, account, access.region, not remembered, given)

    @property
    def explanation(self) -> str:
        """The resources to create, the account, the idle cost and the packages, as lines of text."""
        so_far = "none" if self.is_new else "unchanged"
        packages = [f"{name} {version}" for name, version in self.needs.packages.items()]
        rows = outline(
            self.spec,
            account=self.account,
            region=self.region,
            packages=listed(packages, otherwise=f"{so_far}: the notebook imports none so far"),
            is_new=self.is_new,
        )
        if self.is_new:
            title = "No function is deployed yet. This CloudFormation stack will be created:"
        else:
            title = "A deployment of that name exists. It will be used:"
        if self.needs.own:
            rows.append(("with jobs", f"your own modules: {', '.join(self.needs.own)}"))
        if self.needs.unknown:
            rows.append(("left out", f"not installed here: {', '.join(self.needs.unknown)}"))
        return f"{title}\n{laid_out(rows)}"

    @property
    def question(self) -> str:
        """The yes-or-no question."""
        name = self.spec.name
        return f"Deploy {name} now?" if self.is_new else f"Use {name}, and add the missing packages?"

    def deploy(self, access: AwsAccess, *, on_note: Callable[[str], None], on_event: OnEvent) -> Deployed:
        """Do it; see `provide`."""
        requirements, constraints = self.needs.source.requirements, self.needs.source.constraints
        source = WheelSource(requirements, constraints=constraints) if self.is_new else WheelSource()
        added = () if self.is_new else requirements
        return provide(
            access, self.spec.name, self.given, source=source, added=added, on_note=on_note, on_event=on_event
        )


def provide(
    access: AwsAccess,
    name: str,
    given: Mapping[str, Any],
    *,
    source: WheelSource,
    added: Sequence[str] = (),
    on_note: Callable[[str], None],
    on_event: OnEvent | None = None,
) -> Deployed:
    """Build a package and deploy it; when repeated, it continues where it was interrupted.

    Args:
        access: The account.
        name: The deployment's name.
        given: Fields of `StackSpec` and `FunctionSpec` that were asked for.
        source: The packages; if it is empty those of the last time hold.
        added: More requirements.
        on_note: Called with the progress, as a line of text.
        on_event: Called with CloudFormation's events.

    Raises:
        PackageError: The package cannot be put together; nothing was changed.
        TargetError, DeployError: It cannot be deployed.
    """
    with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
        spec, code = assemble(access, name, given, source=source, added=added, folder=Path(folder), on_note=on_note)
        on_note(f"deploying {name} ...")
        return Deployment(access, spec, code=code, on_event=on_event, on_note=on_note).apply()
