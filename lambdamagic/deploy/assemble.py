"""Build spec and package from the user's options; options that are not given keep their deployed values."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.code import PackagedCode
from lambdamagic.deploy.deployment import Deployment
from lambdamagic.deploy.image_registry import image_by_digest
from lambdamagic.deploy.model import StackSpec
from lambdamagic.deploy.packages import LambdaPlatform, WheelSource, build_package
from lambdamagic.deploy.pushed import image_variables
from lambdamagic.deploy.triggers import VARIABLE
from lambdamagic.pythons import python_here


def assemble(
    access: AwsAccess,
    name: str,
    given: Mapping[str, Any],
    *,
    source: WheelSource,
    folder: Path,
    added: Sequence[str] = (),
    on_note: Callable[[str], None] = lambda line: None,
) -> tuple[StackSpec, PackagedCode | None]:
    """Return the spec of a deployment and its package; None as package if it is made from an image.

    Args:
        access: The account.
        name: The deployment's name.
        given: Fields of `StackSpec` and `FunctionSpec` that were asked for.
        source: The packages; if it is empty those of the last time hold.
        folder: An empty folder for the package.
        added: More requirements.
        on_note: Called with a line of text before a package is built; invalid values are reported earlier.

    Raises:
        ConfigError: Something is not as AWS takes it; AWS was asked for the last deployment at most.
        PackageError: The package cannot be put together.
        NotOursError: There is a stack of this name that lambdamagic has not made.
    """
    given = check_wanted(name, given)
    remembered = Deployment.remembered(access, name)
    spec = _with_trigger_key(StackSpec.changed(remembered, **given), remembered)
    if spec.function.image is not None:
        spec = replace(spec, function=image_by_digest(access, spec.function))
        return _with_image_holdings(spec, name), None
    if not source:
        source = WheelSource(requirements=spec.requirements, constraints=spec.versions if spec.requirements else ())
    if added:
        source = source.with_added(added)
    on_note(f"building the package of {name} ...")
    package = build_package(
        LambdaPlatform(spec.function.python, spec.function.arch),
        source,
        folder=folder,
        made_by=f"lambdamagic deploy {name}",
        prefix=name,
    )
    code = PackagedCode(package)
    versions = code.versions if source else ()
    return replace(spec, requirements=package.holdings.requested, versions=versions), code


def check_wanted(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the requested spec with its name and Python: invalid values are reported before AWS is called.

    Raises:
        ConfigError: Something is not as AWS takes it.
    """
    wanted = {**given, "name": name, "python": given.get("python") or python_here()}
    StackSpec.changed({}, **wanted)
    return wanted


def _with_image_holdings(spec: StackSpec, name: str) -> StackSpec:
    assert spec.function.image is not None
    variables = image_variables(spec.function.image, made_by=f"lambdamagic deploy {name} --image URI")
    return replace(spec, function=replace(spec.function, own_environment=variables))


def _with_trigger_key(spec: StackSpec, remembered: Mapping[str, Any]) -> StackSpec:
    """Give a function with a trigger the secret that seals requests; an existing secret is kept.

    It is in the stack's template as it is in the function's configuration: whoever may read those may start it.
    """
    if not spec.has_trigger or VARIABLE in spec.function.environment:
        return spec
    known = remembered.get("function", {}).get("environment", {}).get(VARIABLE)
    environment = {**spec.function.environment, VARIABLE: known or secrets.token_hex(32)}
    return replace(spec, function=replace(spec.function, environment=environment))
