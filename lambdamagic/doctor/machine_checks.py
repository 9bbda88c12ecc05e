"""Checks of this machine: Python, packages, settings. Makes no requests."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from lambdamagic import __version__
from lambdamagic.config import ResolvedSettings
from lambdamagic.deploy.platforms import PYTHONS
from lambdamagic.doctor.findings import Finding
from lambdamagic.pythons import python_here
from lambdamagic.widgets import kernels

#: What jobs depend on here; the picklers' versions must be the function's too.
_PACKAGES = ("boto3", "botocore", "dill", "cloudpickle", "ipython", "ipywidgets")
_OPTIONAL = ("ipykernel", "jupyterlab", "awslambdaric")


def check_python() -> Finding:
    """Whether Lambda has this Python."""
    full = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    facts = {"version": platform.python_version(), "executable": sys.executable}
    if python_here() not in PYTHONS:
        fix = f"Use Python {PYTHONS[0]} to {PYTHONS[-1]} in the notebook, or an image with this Python"
        return Finding("Python", "warning", f"{full}: Lambda has no runtime for it", fix, facts)
    return Finding("Python", "ok", full, facts=facts)


def check_packages() -> Finding:
    """Whether what jobs need is installed, and nothing that is known to be broken."""
    versions = {name: _version(name) for name in (*_PACKAGES, *_OPTIONAL)}
    found = {name: version for name, version in versions.items() if version is not None}
    text = f"lambdamagic {__version__}, " + ", ".join(f"{name} {version}" for name, version in found.items())
    facts = {"lambdamagic": __version__, **found}
    missing = [name for name in _PACKAGES if name not in found]
    if missing:
        return Finding("packages", "failed", f"not installed: {', '.join(missing)}", "pip install lambdamagic", facts)
    if why := kernels.problem_of(found.get("ipykernel")):
        return Finding("packages", "warning", why, kernels.FIX, facts)
    return Finding("packages", "ok", text, facts=facts)


def check_settings(resolved: ResolvedSettings) -> Iterator[Finding]:
    """Where jobs go, and whether what that takes is set."""
    settings = resolved.settings
    target = settings.resolved_target()
    facts = {name: str(value) for name, value, origin in resolved.rows() if origin != "default" and value is not None}
    if target == "local":
        why = "the embedded Lambda on this machine"
        if settings.target == "auto":
            why += f" (not set: {', '.join(settings.missing_for_aws())})"
        yield Finding("settings", "ok", f"jobs go to {why}", facts=facts)
        return
    if settings.function is None:
        fix = "Run `lambdamagic deploy`, which creates a function and configures it, or set LAMBDAMAGIC_FUNCTION"
        yield Finding("settings", "failed", "the target is aws, but no function is set", fix, facts)
        return
    where = resolved.origin("function")
    yield Finding("settings", "ok", f"jobs go to the function {settings.function} ({where})", facts=facts)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
