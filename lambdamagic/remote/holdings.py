"""What this environment holds, as JSON: run while an image is built, `python -m lambdamagic.remote.holdings`."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

from lambdamagic import __version__
from lambdamagic.protocol.holdings import Holdings, normal_name


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


if __name__ == "__main__":
    os.write(1, holdings_here().to_json() + b"\n")
