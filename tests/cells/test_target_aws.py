"""The target `aws`, asked of the embedded Lambda as if it were AWS: same client path, standard AWS settings."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def deployed(notebook, monkeypatch):
    """Settings under which the embedded Lambda's function, bucket and credentials are those of an AWS account."""
    notebook.remote("1")  # makes the function
    connection = notebook.server.connection
    for name, value in connection.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", _function_name())
    monkeypatch.setenv("LAMBDAMAGIC_BUCKET", "lambdamagic-local")
    return notebook


def _function_name():
    import sys

    return f"lambdamagic-py3{sys.version_info.minor}-2048mb-300s"


def test_a_cell_runs_on_the_deployed_function(deployed):
    """Function and bucket set: the target is aws without a word."""
    ran = deployed.remote("import os\nos.environ['AWS_LAMBDA_FUNCTION_NAME']")
    assert ran.value == _function_name()
    assert deployed.session.history[-1].target == "aws"


def test_large_values_go_through_the_bucket(deployed):
    """There and back."""
    deployed.ok("import os\nblob = os.urandom(6_000_000)")
    ran = deployed.remote("back = blob[::-1]\nlen(back)")
    assert ran.value == 6_000_000
    assert deployed.names["back"] == deployed.names["blob"][::-1]


def test_a_function_that_is_missing(deployed, monkeypatch):
    """Its name and what to do."""
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "no-such-function")
    error = deployed.fails("1").error
    assert type(error).__name__ == "FunctionMissingError"
    assert "no function 'no-such-function' in this account and region" in str(error)


def test_a_bucket_that_is_missing(deployed, monkeypatch):
    """Small cells need none; a large one says which bucket."""
    monkeypatch.setenv("LAMBDAMAGIC_BUCKET", "no-such-bucket-here")
    assert deployed.remote("2").value == 2
    deployed.ok("blob = bytes(range(256)) * 40_000")
    error = deployed.fails("len(blob)").error
    assert type(error).__name__ == "BucketMissingError"
    assert "no-such-bucket-here" in str(error)


def test_wrong_credentials(deployed, monkeypatch):
    """Refused by the server; right ones work at once in the same session."""
    right = deployed.server.connection.secret_access_key
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    monkeypatch.setenv("LAMBDAMAGIC_REGION", deployed.server.connection.region)  # a separate target
    error = deployed.fails("1").error
    assert type(error).__name__ == "CredentialsError"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", right)
    assert deployed.remote("3").value == 3


def test_no_credentials_at_all(deployed, monkeypatch):
    """Said so, with how boto3 looks for them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("LAMBDAMAGIC_ENDPOINT_URL", deployed.server.connection.endpoint_url)  # a separate target
    assert type(deployed.fails("1").error).__name__ == "CredentialsError"


def test_an_endpoint_without_a_server_is_an_error(deployed, monkeypatch):
    """A TargetError that names it, soon."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("LAMBDAMAGIC_ENDPOINT_URL", url)
    error = deployed.fails("1").error
    assert type(error).__name__ == "TargetError"
    assert url in str(error)


def test_a_function_of_another_python(deployed, monkeypatch):
    """Both versions are named; nothing is unpickled."""
    import boto3

    connection = deployed.server.connection
    client = boto3.client("lambda")
    made = client.get_function_configuration(FunctionName=_function_name())
    from tests.local.conftest import package

    other = "python3.12" if sys.version_info[:2] != (3, 12) else "python3.13"
    client.create_function(
        FunctionName="other-python",
        Runtime=other,
        Role=made["Role"],
        Handler=made["Handler"],
        Code={"ZipFile": package({"x.py": ""})},
        MemorySize=2048,
        Timeout=300,
    )
    client.close()
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "other-python")
    error = deployed.fails("1").error
    assert type(error).__name__ == "VersionMismatchError"
    assert f"the function other-python runs {other}" in str(error)
    assert connection.endpoint_url


def test_a_function_that_is_not_lambdamagics(deployed, monkeypatch):
    """Its handler shows it: refused before anything is sent, for a cell of any mode, a map and an executor."""
    import boto3

    from lambdamagic import LambdaExecutor
    from lambdamagic.errors import NotOursError
    from tests.local.conftest import ECHO, package

    client = boto3.client("lambda")
    made = client.get_function_configuration(FunctionName=_function_name())
    client.create_function(
        FunctionName="not-ours",
        Runtime=made["Runtime"],
        Role=made["Role"],
        Handler="app.handler",
        Code={"ZipFile": package({"app.py": ECHO})},
        MemorySize=2048,
        Timeout=300,
    )
    client.close()
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "not-ours")
    before = deployed.invocations()
    for options in ("", "--mode event", "--memory 4096"):
        error = deployed.fails("import numpy\n1", options).error
        assert type(error).__name__ == "NotOursError"
        assert "the function not-ours is not lambdamagic's: its handler is app.handler" in str(error)
        assert "nothing was sent" in str(error) and "lambdamagic deploy" in error.hint
    assert type(deployed.run("%lambda_map abs range(3)").error).__name__ == "NotOursError"
    with pytest.raises(NotOursError, match=r"app\.handler"), LambdaExecutor() as executor:
        executor.submit(abs, -1).result()
    assert deployed.invocations() == before


def test_an_image_that_is_not_lambdamagics(deployed, monkeypatch, tmp_path):
    """Lambda does not say what an image calls: its answer of another shape is refused in words."""
    from contextlib import closing

    import boto3

    from tests.deploy.image_functions import make_image_function
    from tests.local.conftest import ECHO

    with closing(boto3.client("lambda")) as client, closing(boto3.client("ecr")) as ecr:
        role = client.get_function_configuration(FunctionName=_function_name())["Role"]
        make_image_function(
            client,
            ecr,
            "not-ours-image",
            role=role,
            handler="app.handler",
            files={"app.py": ECHO},
            folder=tmp_path / "image",
        )
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", "not-ours-image")
    error = deployed.fails("1").error
    assert type(error).__name__ == "ProtocolError"
    assert "the function's answer is not lambdamagic's" in str(error)


def test_a_function_that_is_too_small(deployed):
    """What it has and what was asked for, and how to allow a variant: no prompt is possible here, so nothing waits."""
    error = deployed.fails("1", "--memory 4096").error
    assert type(error).__name__ == "ConfigError"
    assert "LAMBDAMAGIC_VARIANTS=always" in error.hint
    assert "has 2,048 MB and 300 s; this job needs 4,096 MB and 300 s" in str(error)


def test_logs_of_a_job_of_another_session(deployed, monkeypatch):
    """Found in CloudWatch Logs by the job's id, when this session does not know it."""
    # Another function has a separate log: that of the function above has hundreds of jobs to look through.
    deployed.remote("1", "--target local --memory 512 --timeout 299")
    other = deployed.session.history[-1].function
    assert other != _function_name()
    monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", other)
    deployed.remote("print('for whoever looks later')")
    job_id = deployed.session.history[-1].progress.job_id
    deployed.session.history.clear()
    text = deployed.ok(f"%lambda logs {job_id}").stdout
    assert "for whoever looks later" in text
    assert "REPORT RequestId" in text
    assert deployed.ok("%lambda logs nosuchjobatall").stdout == "No log for this job.\n"
