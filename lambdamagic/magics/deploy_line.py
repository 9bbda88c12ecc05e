"""`%lambda deploy [NAME]`: a function with what this notebook has imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from lambdamagic.magics.session import Session
from lambdamagic.magics.tables import Table

if TYPE_CHECKING:
    from lambdamagic.aws.access import AwsAccess
    from lambdamagic.config import Settings
    from lambdamagic.deploy.deployment import Deployed
    from lambdamagic.deploy.notebooks import NotebookNeeds


def deploy(session: Session, words: list[str]) -> Table:
    """Make or change the function so that it holds what the session has imported, in the installed versions.

    What it is called is the setting `function`, or `lambdamagic`. The next cells with target `aws` use it.

    Raises:
        UsageError: The words are no name, or jobs are set to run here.
        TargetError: It cannot be deployed.
    """
    from lambdamagic.deploy.first_deployment import DEFAULT_NAME, provide

    if len(words) > 1 or (words and words[0].startswith("-")):
        raise UsageError("%lambda deploy takes only a name; for options use `lambdamagic deploy` in a terminal")
    settings = session.settings().settings
    if settings.target == "local":
        raise UsageError("nothing to deploy: jobs run on this machine (target local)")
    name = words[0] if words else _deployment(settings.function or DEFAULT_NAME)
    needs = needs_of_session(session)
    access = access_of(settings)
    done = provide(access, name, {"python": settings.python}, source=needs.source, on_note=_show)
    written = write_deployed(done, access.region, settings)
    session.forget_targets()
    rows = [(package, version, "imported here") for package, version in needs.packages.items()]
    rows += [(module, "", "your own: sent with each job") for module in needs.own]
    rows += [(module, "", "not installed here: left out") for module in needs.unknown]
    state = "deployed" if done.has_changed else "up to date"
    notes = [f"bucket {done.bucket}, region {access.region}; written to {written}", *overriding_notes()]
    return Table(f"{done.function} is {state}", ("package", "version", "why"), rows, notes)


def _deployment(function: str) -> str:
    """Return the deployment that a function is of: with SnapStart the settings name the alias of its version."""
    from lambdamagic.deploy.model import LIVE_ALIAS

    name, _, alias = function.rpartition(":")
    return name if alias == LIVE_ALIAS and ":" not in name else function


def needs_of_session(session: Session, imports: Iterable[str] = ()) -> NotebookNeeds:
    """Return the packages and modules that the session has imported so far.

    Args:
        session: The session.
        imports: Modules that it is about to import, full names.
    """
    from lambdamagic.deploy.notebooks import needs_of_cells

    shell = session.shell
    assert shell.history_manager is not None, "every shell has one"
    sources = [str(cell) for cell in shell.history_manager.input_hist_raw]
    modules = [value.__name__ for value in shell.user_ns.values() if isinstance(value, ModuleType)]
    return needs_of_cells(sources, [*modules, *imports], Path.cwd())


def access_of(settings: Settings) -> AwsAccess:
    """Return access to the account that the settings select."""
    from lambdamagic.aws.access import AwsAccess

    return AwsAccess(region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url)


def write_deployed(done: Deployed, region: str, settings: Settings) -> Path:
    """Write a deployment's function, bucket and region into the user's settings, and return the file.

    Raises:
        ConfigError: It cannot be written.
    """
    from lambdamagic.config.setting_files import user_file
    from lambdamagic.config.write import write_settings

    file = user_file(os.environ)
    values: dict[str, str | None] = {"function": done.function, "bucket": done.bucket, "region": region}
    write_settings(file, {**values, "profile": settings.profile, "endpoint_url": settings.endpoint_url})
    return file


def overriding_notes() -> list[str]:
    """Return the variables that override the user's settings, as lines for display."""
    names = [each for each in ("LAMBDAMAGIC_FUNCTION", "LAMBDAMAGIC_BUCKET") if os.environ.get(each)]
    return [f"Note: {each}={os.environ[each]} overrides the file." for each in names]


def _show(line: str) -> None:
    sys.stderr.write(f"lambdamagic: {line}\n")
