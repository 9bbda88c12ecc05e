"""`lambdamagic deploy --trigger`: the whole way of a job that an upload starts."""

from __future__ import annotations

from pathlib import Path

from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.deploy.triggers import VARIABLE
from tests.cli.calling import call
from tests.deploy.accounts import Account


def _secret(account: Account) -> str:
    found = account.ask("lambda", "get_function_configuration", FunctionName="uploads")
    return str(found["Environment"]["Variables"][VARIABLE])


def test_a_deployed_function_takes_uploads(account: Account, tmp_path: Path) -> None:
    """It has a secret that another deployment leaves as it is, and a map runs by uploads alone."""
    done = call("--json", "deploy", "uploads", "--trigger", "--no-config")
    assert done.status == 0, done.err
    secret = _secret(account)
    assert len(bytes.fromhex(secret)) == 32
    again = call("--json", "deploy", "uploads", "--env", "AA=b", "--no-config")
    assert again.status == 0, again.err
    assert _secret(account) == secret
    assert call("--json", "deploy", "uploads", "--no-config").document["changed"] is False
    bucket = done.document["outputs"]["Bucket"]
    try:
        with LambdaExecutor(2, mode="trigger", target="aws", function="uploads", bucket=bucket) as executor:
            assert list(executor.map(pow, range(4), [2] * 4)) == [0, 1, 4, 9]
    finally:
        process.close()
    assert call("destroy", "uploads", "--yes").status == 0
