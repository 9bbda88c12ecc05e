"""The documentation of the settings, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lambdamagic.config import DEFAULTS, SPECS
from lambdamagic.config.table import markdown_table

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_documented_table_is_the_code() -> None:
    """docs/configuration.md holds the very table that the settings give."""
    assert DOCS.read_text(encoding="utf-8").endswith(markdown_table())


def test_defaults_keep_their_own_limits() -> None:
    """Every default is a value that its own setting takes."""
    for name, value in DEFAULTS.items():
        if value is not None:
            assert SPECS[name].read(name, value, origin="default", from_text=False) == value


def test_importing_settings_is_light() -> None:
    """Importing the configuration loads no AWS, no IPython, and no TOML parser before a file needs it."""
    code = "import sys, lambdamagic.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"boto3", "botocore", "IPython", "traitlets", "tomllib", "platformdirs", "difflib"} & {*loaded}
