"""What code does beyond its execution environment is noted, so that a cell is not run again after it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_WATCHED = """
import os, sys, pathlib
from lambdamagic.worker.outside import Outside
os.chdir(sys.argv[1])
here, there = map(pathlib.Path, sys.argv[1:])
code = sys.stdin.read()
with Outside() as found:
    exec(code)
print(sorted(found.noted))
"""


@pytest.mark.parametrize(
    ("code", "noted"),
    [
        ("(there / 'new.txt').write_text('a')", ["wrote {there}/new.txt"]),
        ("open(there / 'old.txt', 'r+').close()", ["wrote {there}/old.txt"]),
        ("(there / 'old.txt').unlink()", ["changed {there}/old.txt"]),
        ("(there / 'sub').mkdir()", ["changed {there}/sub"]),
        ("(here / 'a').touch(); (here / 'a').rename(there / 'b')", ["changed {there}/b"]),
        ("(there / 'old.txt').read_text(); (here / 'x').write_text('y')", []),
        ("try: open('/proc/version', 'w')\nexcept OSError: pass", []),
        ("try: open('/no/such/folder/x', 'w')\nexcept OSError: pass", []),
    ],
)
def test_files_that_are_written_elsewhere(tmp_path, code, noted):
    """They are named; what is read, what is below the folders that end with the job, and what fails, is not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as there:  # a place that is no temporary folder of ours
        (Path(there) / "old.txt").write_text("old")
        ran = subprocess.run(
            [sys.executable, "-c", _WATCHED, str(tmp_path), there],
            input=code, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ran.stdout.strip() == str([each.format(there=there) for each in noted])
