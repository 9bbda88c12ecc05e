"""Whether JupyterLab has the extension."""

from __future__ import annotations

import sys
from pathlib import Path


def is_installed() -> bool:
    """Return whether the environment of the tests has a built extension."""
    return (Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "lambdamagic" / "package.json").exists()
