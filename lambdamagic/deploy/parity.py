"""Whether a function has the packages that captured code imports, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lambdamagic.deploy.installed import distributions_of, pinned
from lambdamagic.deploy.platforms import RUNTIME_DISTRIBUTIONS
from lambdamagic.errors import ParityError, VersionMismatchError
from lambdamagic.protocol import PROTOCOL_VERSION
from lambdamagic.protocol.holdings import Holdings

Strictness = Literal["versions", "missing", "off"]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One distribution that differs.

    Attributes:
        name: Its normal name.
        here: The notebook's version.
        there: The function's; None where it is missing.
    """

    name: str
    here: str
    there: str | None

    def __str__(self) -> str:
        if self.there is None:
            return f"{self.name} (here {self.here}) is missing"
        return f"{self.name} is {self.here} here and {self.there} there"


def differences(modules: Iterable[str], holdings: Holdings) -> list[Mismatch]:
    """Compare what modules need with what a function holds.

    A distribution differs when it is missing, or its major or minor version is another one: a patch release is taken
    to read what the other wrote.

    Args:
        modules: Full names of the modules that the code imports.
        holdings: What the function holds.
    """
    found, wanted = [], frozenset(modules)
    for name, here in distributions_of(wanted).items():
        there = holdings.packages.get(name)
        if there is None:
            if holdings.kind == "zip" and name in RUNTIME_DISTRIBUTIONS:
                continue  # AWS's runtime brings it
            if holdings.modules and _modules_of(name, wanted) <= {*holdings.modules}:
                continue  # its metadata was left out of the package
            found.append(Mismatch(name, here, None))
        elif _minor(here) != _minor(there):
            found.append(Mismatch(name, here, there))
    return found


def check_parity(
    modules: Iterable[str], holdings: Holdings | None, *, function: str, strictness: Strictness = "versions"
) -> None:
    """Raise if a function lacks packages that the code imports. Nothing has been sent then.

    Args:
        modules: Full names of the modules that the code imports.
        holdings: What the function publishes; None where it publishes nothing, and nothing is compared.
        function: Its name.
        strictness: `versions` compares versions, `missing` only whether a package is there, `off` nothing.

    Raises:
        ParityError: A package is missing, or has another major or minor version.
    """
    if holdings is None or strictness == "off":
        return
    found = [each for each in differences(modules, holdings) if each.there is None or strictness == "versions"]
    if not found:
        return
    wanted = pinned({each.name: each.here for each in found})
    raise ParityError(
        f"the function {function} lacks packages that this code imports: {'; '.join(map(str, found))} "
        "(nothing was sent)",
        hint=_fix(holdings, wanted, has_all=all(each.there is not None for each in found)),
        deployment=_deployment_of(holdings),
        requirements=wanted,
    )


def check_base(holdings: Holdings, *, function: str, python: str) -> None:
    """Compare what every job depends on: Python and protocol.

    Raises:
        VersionMismatchError: They differ.
    """
    again = f"`{holdings.made_by}`" if holdings.made_by else "create it again with this version of lambdamagic"
    if holdings.python != python:
        raise VersionMismatchError(
            f"the function {function} runs Python {holdings.python}, the notebook runs Python {python}",
            hint=f"Deploy one for Python {python} (`lambdamagic deploy` from this environment), or use --target local",
        )
    if holdings.protocol != PROTOCOL_VERSION:
        raise VersionMismatchError(
            f"the function {function} has lambdamagic {holdings.lambdamagic} (protocol {holdings.protocol}); "
            f"this lambdamagic uses protocol {PROTOCOL_VERSION}",
            hint=f"Update the function: {again}",
        )


def fix_of(holdings: Holdings, wanted: tuple[str, ...]) -> str:
    """Return the sentence that says how to add requirements to a function."""
    if not holdings.made_by:
        return f"Put {' '.join(wanted)} into the function's package or image"
    if holdings.kind == "image":
        what = " ".join(f"--with '{each}'" for each in wanted)
        return f"Build an image that has it (`lambdamagic image build {what}`), push it, and run `{holdings.made_by}`"
    if " -r " in holdings.made_by:  # a command that replaces all requirements
        return f"Add {' '.join(wanted)} to the requirements and run `{holdings.made_by}`"
    return "Run `" + " ".join([holdings.made_by, *(f"--add '{each}'" for each in wanted)]) + "`"


def _fix(holdings: Holdings, wanted: tuple[str, ...], *, has_all: bool) -> str:
    also = '; or set parity = "missing" if the versions are close enough' if has_all else ""
    return fix_of(holdings, wanted) + also


def _modules_of(distribution: str, modules: Iterable[str]) -> set[str]:
    """Return the top-level modules of a distribution."""
    return {module.partition(".")[0] for module in modules if distribution in distributions_of([module])}


def _deployment_of(holdings: Holdings) -> str:
    """Return the name of the deployment whose packages can be added to; empty if what is held is changed otherwise."""
    found = re.fullmatch(r"lambdamagic deploy (\S+)", holdings.made_by)
    return found[1] if found and holdings.kind == "zip" else ""


def _minor(version: str) -> tuple[str, ...]:
    return tuple(re.split(r"[.+]|(?=[a-z])", version)[:2])
