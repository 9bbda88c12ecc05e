"""A user's embedded Lambda loads what a user needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

#: Scripted faults, rights of keys that are not the owner's, CloudFormation, and the client.
ONLY_WHEN_ASKED_FOR = (
    "lambdamagic.local.testing",
    "lambdamagic.local.rights",
    "lambdamagic.local.stacks",
    "lambdamagic.jobs",
    "lambdamagic.targets",
    "lambdamagic.deploy",
    "moto.cloudformation",
    "IPython",
    # Of moto's extras, which are not installed with lambdamagic.
    "aws_xray_sdk",
    "cfnlint",
    "docker",
    "graphql",
    "joserfc",
    "openapi_spec_validator",
    "py_partiql_parser",
    "sympy",
)

#: A user's program: a small call, a large one by way of the bucket, a map, and a call that fails. It prints what the
#: server's process says that it has imported (Python writes that to standard error with PYTHONPROFILEIMPORTTIME).
PROGRAM = """
import json, pathlib, psutil
from lambdamagic import LambdaExecutor

def imported(pid):
    lines = pathlib.Path(f"/proc/{pid}/fd/2").read_text(errors="replace").splitlines()
    return sorted({line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")})

with LambdaExecutor(target="local") as executor:
    assert executor.submit(len, "x").result() == 1
    assert executor.submit(len, b"x" * 8_000_000).result() == 8_000_000
    assert [*executor.map(abs, [-1, 2])] == [1, 2]
    assert isinstance(executor.submit(int, "x").exception(), ValueError)
    [server] = [each for each in psutil.Process().children() if "lambdamagic.local" in each.cmdline()]
    print(json.dumps(imported(server.pid)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads another process's standard error in /proc")
def test_modules_for_tests_are_not_loaded(tmp_path):
    """The server's process has imported moto's S3 and Lambda, and nothing that a user's jobs do not ask for."""
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert {"lambdamagic.local.instance", "moto.s3.responses", "moto.awslambda.models"} <= set(found)
    assert [name for name in found if name.startswith(ONLY_WHEN_ASKED_FOR)] == []


WITHOUT_STACKS = """
import sys
sys.modules["openapi_spec_validator"] = None
from lambdamagic.local.control.moto_app import SERVICES, MotoApp
from lambdamagic.local.server.error_bodies import AwsError
app = MotoApp(account_id="123456789012")
for service in SERVICES:
    try:
        app.load(service)
    except AwsError as error:
        print(service, error.text)
del sys.modules["openapi_spec_validator"]
app.load("cloudformation")
print("lark" in sys.modules or "INSTANCE_TYPES" in vars(sys.modules["moto.ec2.models.instance_types"]))
"""


def test_only_stacks_need_an_extra() -> None:
    """Where moto's part for CloudFormation is not installed, its requests say what to install; the rest is there.

    Where it is, no grammar of an API without stacks is built for it, and no table of EC2's machines is read: these take
    ten times as long as all the rest.
    """
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_STACKS], capture_output=True, text=True, timeout=120, check=True
    )
    shown, has_read_much = done.stdout.splitlines()
    assert has_read_much == "False"
    assert shown.startswith("cloudformation ")
    assert shown.endswith("pip install 'lambdamagic[stacks]'")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (moto,) = [each for each in map(Requirement, project["dependencies"]) if each.name == "moto"]
    assert moto.extras == set()
