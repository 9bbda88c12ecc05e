"""The newcomer's path: from credentials and nothing else to a cell that ran, and back to nothing. All as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambdamagic.local.local_server import LocalServer
from tests.cli.calling import run
from tests.deploy.accounts import Account

CELL = """\
%load_ext lambdamagic
n = 6
%%lambda
import os
where = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
answer = 7 * n
print("it ran on", where, "and n is", n, "so:", answer)


answer + 1
"""  # blank lines end a cell in this kind of prompt


@pytest.mark.timeout(900)
def test_from_credentials_to_a_cell_and_back(tmp_path: Path) -> None:
    """Three commands and a cell; known beforehand: the credentials. Not a role, bucket, image, layer or setting."""
    commands = []
    with LocalServer.start() as server:
        account = Account(server)
        before = account.inventory()
        known = server.connection.environment()  # stands for what `aws configure` or SSO would give

        def command(*words: str) -> str:
            commands.append("lambdamagic " + " ".join(words))
            done = run(tmp_path, *words, environment=known)
            assert done.status == 0, done.err
            return done.out

        shown = command("deploy")
        assert "then run a %%lambda cell" in shown

        out = _ipython(tmp_path, known)
        assert "it ran on lambdamagic and n is 6 so: 42" in out, out
        assert "43" in out, "what the cell bound is here afterwards"

        assert "it ran on lambdamagic and n is 6 so: 42" in command("logs")
        command("destroy", "--yes")
        assert account.inventory() == before
    print(f"{len(commands)} commands ({', '.join(commands)}); known beforehand: {', '.join(sorted(known))}")
    assert len(commands) == 3
    assert set(known) == {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}


def _ipython(home: Path, known: dict[str, str]) -> str:
    """Type the cell into a separate IPython, with nothing but the credentials in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDAMAGIC_"))}
    own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home), "IPYTHONDIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        input=CELL,
        capture_output=True,
        text=True,
        env={**inherited, **own, **known},
        cwd=home,
        timeout=120,
        check=True,
    )
    return done.stdout + done.stderr
