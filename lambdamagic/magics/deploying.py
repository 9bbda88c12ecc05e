"""`%lambda deploy [NAME]`: a function with what this notebook has imported."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from IPython.core.error import UsageError

from lambdamagic.magics.session import Session
from lambdamagic.magics.tables import Table

DEFAULT_NAME = "lambdamagic"


def deploy(session: Session, words: list[str]) -> Table:
    """Make or change the function so that it holds what the session has imported, in the installed versions.

    What it is called is the setting `function`, or `lambdamagic`. The next cells with target `aws` use it.

    Raises:
        UsageError: The words are no name, or jobs are set to run here.
        TargetError: It cannot be deployed.
    """
    from lambdamagic.config.files import user_file
    from lambdamagic.config.write import write_settings
    from lambdamagic.deploy.assemble import assemble
    from lambdamagic.deploy.deployment import Deployment
    from lambdamagic.deploy.notebooks import needs_of_cells
    from lambdamagic.storage.s3 import AwsAccess

    if len(words) > 1 or (words and words[0].startswith("-")):
        raise UsageError("%lambda deploy takes a name; for options use `lambdamagic deploy` in a terminal")
    resolved = session.settings()
    settings = resolved.settings
    if settings.target == "local":
        raise UsageError("jobs are set to run on this machine (target local): there is nothing to deploy")
    name = words[0] if words else settings.function or DEFAULT_NAME
    shell = session.shell
    sources = [str(cell) for cell in shell.history_manager.input_hist_raw]
    modules = [value.__name__ for value in shell.user_ns.values() if isinstance(value, ModuleType)]
    needs = needs_of_cells(sources, modules, Path.cwd())
    access = AwsAccess(region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url)
    given = {"python": settings.python}
    with tempfile.TemporaryDirectory(prefix="lambdamagic-") as folder:
        spec, code = assemble(access, name, given, source=needs.source, folder=Path(folder))
        done = Deployment(access, spec, code=code, on_note=_tell).apply()
    values: dict[str, str | None] = {"function": done.function, "bucket": done.bucket, "region": access.region}
    write_settings(
        user_file(os.environ), {**values, "profile": settings.profile, "endpoint_url": settings.endpoint_url}
    )
    session.forget_targets()
    rows = [(package, version, "imported here") for package, version in needs.packages.items()]
    rows += [(module, "", "your own: travels with each job") for module in needs.own]
    rows += [(module, "", "not installed here: left out") for module in needs.unknown]
    state = "deployed" if done.has_changed else "as it was: nothing to change"
    notes = [f"bucket {done.bucket}, region {access.region}; written to {user_file(os.environ)}"]
    overriding = [each for each in ("LAMBDAMAGIC_FUNCTION", "LAMBDAMAGIC_BUCKET") if os.environ.get(each)]
    notes += [f"Mind {each}={os.environ[each]}: it goes before the file." for each in overriding]
    return Table(f"{done.function} is {state}", ("package", "version", "why"), rows, notes)


def _tell(line: str) -> None:
    sys.stderr.write(f"lambdamagic: {line}\n")
