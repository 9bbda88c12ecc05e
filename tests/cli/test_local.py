"""`lambdamagic local`, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDAMAGIC_"))}
    environment |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", "from lambdamagic.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=home,
        timeout=90,
        check=False,
    )


def test_start_status_stop(tmp_path: Path) -> None:
    """An instance started by the command runs on, is found again, answers boto3, and ends when told to."""
    assert run(tmp_path, "local", "status").returncode == 3
    started = run(tmp_path, "local", "start", "--json")
    try:
        assert started.returncode == 0, started.stderr
        facts = json.loads(started.stdout)
        again = run(tmp_path, "local", "start", "--json")
        assert json.loads(again.stdout)["pid"] == facts["pid"]
        import boto3

        s3 = boto3.client(
            "s3",
            endpoint_url=facts["AWS_ENDPOINT_URL"],
            aws_access_key_id=facts["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=facts["AWS_SECRET_ACCESS_KEY"],
            region_name=facts["AWS_DEFAULT_REGION"],
        )
        assert s3.list_buckets()["Buckets"] == []
        s3.close()
        shown = run(tmp_path, "local", "status")
        assert f"export AWS_ENDPOINT_URL={facts['AWS_ENDPOINT_URL']}" in shown.stdout
    finally:
        stopped = run(tmp_path, "local", "stop")
    assert stopped.stdout == "stopped\n"
    assert run(tmp_path, "local", "stop").stdout == "it was not running\n"
    # Nobody here is its parent: what init has not collected yet has ended all the same.
    assert not psutil.pid_exists(facts["pid"]) or psutil.Process(facts["pid"]).status() == psutil.STATUS_ZOMBIE


def test_config_names_origins(tmp_path: Path) -> None:
    """`lambdamagic config --json` tells each value with where it comes from."""
    (tmp_path / "pyproject.toml").write_text("[tool.lambdamagic]\nmemory_mb = 512\n")
    shown = json.loads(run(tmp_path, "config", "--json").stdout)
    assert shown["memory_mb"]["value"] == 512
    assert "pyproject.toml" in shown["memory_mb"]["origin"]
    assert shown["timeout_s"] == {"value": 300, "origin": "default"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("local", "start", "--port", "70000"), "70000"), (("lokal",), "No such command"), (("local", "begin"), "begin")],
)
def test_mistakes_are_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """A mistaken command line ends with status 2 and names the mistake."""
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_broken_configuration_is_one_line(tmp_path: Path) -> None:
    """A broken pyproject.toml is told with its place, without a traceback."""
    (tmp_path / "pyproject.toml").write_text("[tool.lambdamagic]\nmemory_mb = 50\n")
    done = run(tmp_path, "config")
    assert done.returncode == 1
    assert "memory_mb" in done.stderr
    assert "Traceback" not in done.stderr
