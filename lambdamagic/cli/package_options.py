"""The options that say which packages a function or image holds, the same for every command that makes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdamagic.cli.app import App

if TYPE_CHECKING:
    from lambdamagic.deploy.wheels import WheelSource

_OPTIONS = (
    click.option(
        "--from-notebook",
        "notebooks",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Include the packages that this notebook imports, in the versions installed here. Repeatable.",
    ),
    click.option(
        "-r",
        "--requirement",
        "requirement_files",
        multiple=True,
        type=click.Path(path_type=Path),
        help="A requirements.txt with packages to include. Repeatable.",
    ),
    click.option(
        "--with", "packages", multiple=True, metavar="PACKAGE", help="A package to include, as for pip. Repeatable."
    ),
)


def package_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `notebooks`, `requirement_files` and `packages`, each a tuple."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def wheel_source(
    app: App, *, notebooks: tuple[Path, ...], files: tuple[Path, ...], packages: tuple[str, ...]
) -> WheelSource:
    """Return the packages that the options ask for; print which imports of a notebook are left out and why.

    Raises:
        ConfigError: A notebook cannot be read, or a requirements file is not there.
    """
    from lambdamagic.deploy.notebooks import needs_of_notebooks
    from lambdamagic.deploy.wheels import WheelSource
    from lambdamagic.errors import ConfigError

    for file in files:
        if not file.is_file():
            raise ConfigError(f"no requirements file {file}", hint="Give an existing file with -r FILE")
    if not notebooks:
        return WheelSource(packages, files)
    needs = needs_of_notebooks(notebooks)
    if needs.packages:
        app.out.note("imported: " + ", ".join(f"{name} {version}" for name, version in needs.packages.items()))
    if needs.own:
        app.out.note(f"your own modules are sent with each job: {', '.join(needs.own)}")
    if needs.unknown:
        app.out.note(f"not installed here, so left out: {', '.join(needs.unknown)} (add them with --with)")
    if needs.python:
        app.out.note(f"the notebook was last run with Python {needs.python}; the packages are those of this Python")
    return WheelSource((*needs.source.requirements, *packages), files, needs.source.constraints)
