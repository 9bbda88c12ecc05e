"""What a function finds in its execution environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdamagic.pythons import find_python, python_here
from tests.local.conftest import package

DUMP = """
import os, sys
def handler(event, context):
    return {"environ": dict(os.environ), "path": sys.path, "cwd": os.getcwd(), "pid": os.getpid(),
            "version": "%d.%d" % sys.version_info[:2], "session": os.getsid(0)}
"""


@pytest.fixture(scope="module")
def seen(account):
    os.environ["LAMBDAMAGIC_TEST_SECRET"] = "of the user"
    try:
        name = account.deploy(DUMP, Environment={"Variables": {"MODE": "test", "TZ": "Europe/Zurich"}})
        return {"name": name, **account.invoke(name)["Payload"]}
    finally:
        del os.environ["LAMBDAMAGIC_TEST_SECRET"]


def test_lambdas_own_variables_are_set(account, seen):
    """Every variable that "Defined runtime environment variables" lists for a Python function."""
    environ = seen["environ"]
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == seen["name"]
    assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{seen['name']}"
    assert "/[$LATEST]" in environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environ["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{python_here()}"
    assert environ["LAMBDA_TASK_ROOT"] == seen["cwd"]
    assert environ["_HANDLER"] == "app.handler"
    assert environ["AWS_LAMBDA_RUNTIME_API"].startswith("127.")
    assert environ["AWS_ENDPOINT_URL"] == account.connection.endpoint_url
    assert environ["AWS_SESSION_TOKEN"]
    assert environ["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_the_functions_own_variables_are_set(seen):
    """Environment adds to and overrides what may be overridden."""
    assert seen["environ"]["MODE"] == "test"
    assert seen["environ"]["TZ"] == "Europe/Zurich"


def test_the_users_environment_is_not(seen):
    """The server's and the owner's environment do not leak in."""
    assert "LAMBDAMAGIC_TEST_SECRET" not in seen["environ"]
    assert "USER" not in seen["environ"]
    assert seen["environ"]["HOME"] != str(Path.home())


def test_the_code_is_first_on_the_path(seen):
    """sys.path begins with the task root, as on Lambda."""
    assert seen["path"][0] == seen["environ"]["LAMBDA_TASK_ROOT"]


def test_each_environment_has_its_own_session(seen):
    """A signal to the owner's group does not reach it."""
    assert seen["session"] == seen["pid"] != os.getpid()


def test_its_credentials_work_against_the_instance(account):
    """boto3 in the function finds endpoint, region and credentials in the environment."""
    bucket = account.bucket()
    name = account.deploy(
        """
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            s3.put_object(Bucket=event, Key="k", Body=b"from inside")
            return s3.generate_presigned_url("get_object", Params={"Bucket": event, "Key": "k"})
        """
    )
    url = account.invoke(name, bucket)["Payload"]
    assert account.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"from inside"
    import urllib.request

    with urllib.request.urlopen(url, timeout=10) as response:  # boto3 presigns by SigV2 by default
        assert response.read() == b"from inside"


def test_a_function_has_what_the_notebook_has(account):
    """With the server's own Python version its packages and lambdamagic itself are importable."""
    name = account.deploy("import lambdamagic, boto3, sys\ndef handler(e, c):\n    return sys.prefix\n")
    import sys

    assert account.invoke(name)["Payload"] == sys.prefix


def test_layers_are_on_the_path_and_later_ones_win(account):
    """`python/` of every layer is importable; the last layer shadows the ones before."""
    arns = []
    for number, text in enumerate(("one", "two")):
        content = package({"python/layered.py": f"NAME = {text!r}\n", f"python/only_{text}.py": "HERE = True\n"})
        layer = account.functions.publish_layer_version(LayerName=f"layer{number}", Content={"ZipFile": content})
        arns.append(layer["LayerVersionArn"])
    name = account.deploy(
        "import layered, only_one, only_two\ndef handler(e, c):\n    return layered.NAME\n", Layers=arns
    )
    assert account.invoke(name)["Payload"] == "two"


def test_warm_starts_reuse_the_process_last_used(account):
    """Module state survives from one invocation to the next."""
    name = account.deploy("n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n\n")
    assert [account.invoke(name)["Payload"] for _ in range(3)] == [1, 2, 3]


def test_an_idle_environment_expires(own_account, mailbox):
    """After the idle time the process ends and the next start is cold."""
    account = own_account(idle_expiry_s=0.2)
    name = account.deploy(
        """
        import socket
        channel = None
        def handler(event, context):
            global channel
            channel = socket.create_connection(("127.0.0.1", event))
        """
    )
    account.invoke(name, mailbox.port)
    connection, _ = mailbox._listener.accept()
    with connection:
        connection.settimeout(60)
        assert connection.recv(1) == b""


def test_an_image_function_runs_its_command_here(account):
    """A function of package type Image runs its command's handler with this machine's own packages."""
    uri = f"{account.connection.account_id}.dkr.ecr.us-east-1.amazonaws.com/repository:latest"
    account.functions.create_function(
        FunctionName="image",
        Role=account.role_arn(),
        PackageType="Image",
        Code={"ImageUri": uri},
        ImageConfig={"Command": ["json.dumps"]},
    )
    response = account.invoke("image", {"a": 1})
    assert response["Payload"]["errorType"] == "TypeError"  # json.dumps(event, context): it was called


@pytest.mark.parametrize("minor", ["3.12", "3.13"])
def test_another_python_runs_its_own_interpreter(account, minor):
    """A runtime of another version runs in a prepared environment with dill, cloudpickle and lambdamagic."""
    if minor == python_here() or find_python(f"python{minor}") is None:
        pytest.skip(f"Python {minor} is not installed here, or is the server's own")
    name = account.deploy(
        "import sys, dill, cloudpickle, lambdamagic\ndef handler(e, c):\n    return '%d.%d' % sys.version_info[:2]\n",
        Runtime=f"python{minor}",
    )
    patient = account.client("lambda", read_timeout=240)
    assert patient.invoke(FunctionName=name)["Payload"].read().decode() == f'"{minor}"'
    patient.close()


def test_a_python_that_is_not_here_is_said_to_be(account):
    """InvalidRuntimeException names the runtime and what to do."""
    name = account.deploy(DUMP, Runtime="nodejs20.x")  # Lambda has it, and the embedded one only Pythons
    with pytest.raises(account.functions.exceptions.InvalidRuntimeException, match="is not available"):
        account.invoke(name)
