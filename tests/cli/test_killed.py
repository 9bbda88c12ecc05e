"""`lambdamagic deploy` and `destroy` killed by SIGKILL in the middle of a call, and run again: they converge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.local.local_server import LocalServer
from tests.cli.calling import run
from tests.deploy.accounts import Account


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with LocalServer.start() as server:
        yield Account(server)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person's home, so that what the package is made of is fetched once."""
    return tmp_path_factory.mktemp("home")


def killed(account: Account, home: Path, *words: str, at: tuple[str, str, int]) -> None:
    """Start a command; kill it when the server has carried out the call `at`, but has not answered it yet."""
    service, operation, skip = at
    account.faults.hold_api(service, operation=operation, skip=skip)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDAMAGIC_"))}
    own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, "-c", "from lambdamagic.cli import main; main()", *words],
        env={**inherited, **own, **account.connection.environment()},
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            account.faults.wait_until_held()
        finally:
            process.kill()
    account.faults.clear()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("at_deploy", "at_destroy"),
    [
        (("cloudformation", "CreateStack", 0), ("s3", "DeleteObjects", 0)),
        (("s3", "PutObject", 0), ("cloudformation", "DeleteStack", 0)),
        (("cloudformation", "UpdateStack", 0), ("cloudformation", "DescribeStackEvents", 1)),
    ],
    ids=["stack begun", "package put", "function begun"],
)
def test_killed_and_run_again(
    account: Account, home: Path, at_deploy: tuple[str, str, int], at_destroy: tuple[str, str, int]
) -> None:
    """The next run continues from the existing state, a cell runs on it, and a repeated destroy leaves nothing."""
    known, before = account.connection.environment(), account.inventory()
    killed(account, home, "deploy", at=at_deploy)
    done = run(home, "deploy", environment=known)
    assert done.status == 0, done.err
    cell = (
        "from lambdamagic import LambdaExecutor as E\nwith E(max_workers=1) as e: print(e.submit(pow, 6, 2).result())"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDAMAGIC_"))}
    ran = subprocess.run(
        [sys.executable, "-c", cell],
        env={**inherited, **known, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.stdout == "36\n", ran.stderr
    assert account.ask("logs", "describe_log_streams", logGroupName="/aws/lambda/lambdamagic")["logStreams"]
    killed(account, home, "destroy", "--yes", at=at_destroy)
    done = run(home, "destroy", "--yes", environment=known)
    assert done.status == 0, done.err
    assert account.inventory() == before
