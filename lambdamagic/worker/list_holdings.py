"""The packages of this environment: asked of a function, or, as JSON, of an image while it is built.

The latter is `python -m lambdamagic.worker.list_holdings`.
"""

from __future__ import annotations

import os
import pkgutil
import platform
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from lambdamagic import __version__
from lambdamagic.protocol.holdings import Holdings, holdings_answer, normal_name


def holdings_here() -> Holdings:
    """Return what can be imported here, the first on the path winning."""
    packages: dict[str, str] = {}
    for found in metadata.distributions():
        name = found.metadata["Name"]
        if name:
            packages.setdefault(normal_name(name), found.version)
    return Holdings(
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        packages=dict(sorted(packages.items())),
        arch="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        kind="image",
        lambdamagic=__version__,
    )


def list_holdings() -> dict[str, Any]:
    """Return the answer of this function to the question what it holds."""
    # Only AWS's own runtimes have the variable ("Defined runtime environment variables", Lambda Developer Guide).
    is_zip = os.environ.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_python")
    return holdings_answer(replace(holdings_here(), kind="zip" if is_zip else "image", modules=_modules_here()))


def _modules_here() -> tuple[str, ...]:
    """Return the top-level modules on the path, those of the standard library left out."""
    found = {module.name for module in pkgutil.iter_modules()}
    for entry in map(Path, sys.path):
        with suppress(OSError):
            # Namespace packages, such as `google`: folders without a file that would make them ordinary ones.
            found |= {each.name for each in entry.iterdir() if each.name.isidentifier() and each.is_dir()}
    return tuple(sorted(found - sys.stdlib_module_names))


if __name__ == "__main__":
    os.write(1, holdings_here().to_json() + b"\n")
