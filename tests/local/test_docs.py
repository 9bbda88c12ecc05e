"""The programs in docs/embedded-lambda.md run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "embedded-lambda.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_documented_program_runs(number, tmp_path):
    """Each block ends with status 0, in a separate home."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAMS[number]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_the_documented_command_has_the_documented_options():
    """Every option in the document is one that the command knows."""
    usage = re.search(r"python -m lambdamagic.local (\[.*\])", DOCUMENT.read_text())[1]
    shown = subprocess.check_output([sys.executable, "-m", "lambdamagic.local", "--help"], text=True, timeout=60)
    for option in re.findall(r"--[a-z-]+", usage):
        assert option in shown
