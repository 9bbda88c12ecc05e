"""`lambdamagic local`, as a process."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import psutil
import pytest

from tests.cli.calling import run


def test_start_status_stop(tmp_path: Path) -> None:
    """An instance started by the command runs on, is found again, answers boto3, and ends on request."""
    nothing = run(tmp_path, "local", "status")
    assert (nothing.status, nothing.out) == (3, "it is not running\n")
    assert "`lambdamagic local start` starts it" in nothing.err
    started = run(tmp_path, "local", "start", "--json")
    try:
        assert started.status == 0, started.err
        facts = json.loads(started.out)
        again = run(tmp_path, "local", "start", "--json")
        assert json.loads(again.out)["pid"] == facts["pid"]
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
        assert f"export AWS_ENDPOINT_URL={facts['AWS_ENDPOINT_URL']}" in shown.out
        assert re.search(r"it uses \d+ MB of disk .* and [1-9]\d+ MB of memory", shown.out)
        assert json.loads(run(tmp_path, "local", "status", "--json").out)["memory_bytes"] > 10_000_000
    finally:
        stopped = run(tmp_path, "local", "stop")
    assert stopped.out == "stopped\n"
    assert run(tmp_path, "local", "stop").out == "it was not running\n"
    # It has no parent here: what init has not collected yet has ended all the same.
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(facts["pid"]).status() == psutil.STATUS_ZOMBIE


def test_config_names_origins(tmp_path: Path) -> None:
    """`lambdamagic config --json` has each value with its origin."""
    (tmp_path / "pyproject.toml").write_text("[tool.lambdamagic]\nmemory_mb = 512\n")
    shown = json.loads(run(tmp_path, "config", "--json").out)
    assert shown["memory_mb"]["value"] == 512
    assert "pyproject.toml" in shown["memory_mb"]["origin"]
    assert shown["timeout_s"] == {"value": 300, "origin": "default"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("local", "start", "--port", "70000"), "70000"), (("lokal",), "No such command"), (("local", "begin"), "begin")],
)
def test_mistakes_are_reported(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """A mistaken command line ends with status 2 and names the mistake."""
    done = run(tmp_path, *arguments)
    assert done.status == 2
    assert said in done.err


def test_broken_configuration_is_one_line(tmp_path: Path) -> None:
    """A broken pyproject.toml is reported with its place, without a traceback."""
    (tmp_path / "pyproject.toml").write_text("[tool.lambdamagic]\nmemory_mb = 50\n")
    done = run(tmp_path, "config")
    assert done.status == 4
    assert "memory_mb" in done.err
    assert "Traceback" not in done.err
