"""A function made by hand from a package, as in docs/aws.md, and used as target `aws`."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from lambdamagic.capture import plan_cell
from lambdamagic.codec.answer import read_answer
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.codec.home import Home
from lambdamagic.config import Settings
from lambdamagic.errors import BucketMissingError, ConfigError, FunctionMissingError, VersionMismatchError
from lambdamagic.events import Listeners
from lambdamagic.jobs.encoding import encode_program
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import JobSpec, Unit
from lambdamagic.local.local_server import LocalServer
from lambdamagic.runs.sources import Units
from lambdamagic.targets.aws_target import AwsTarget
from lambdamagic.targets.target import FunctionWish

ROOT = Path(__file__).parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer.start() as started:
        yield started


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("package")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=170)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def function(server: LocalServer, package: bytes) -> str:
    access = _access(server)
    iam = boto3.client("iam", **access)
    role = iam.create_role(RoleName="by-hand", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    s3 = boto3.client("s3", **access)
    s3.create_bucket(Bucket="by-hand")
    client = boto3.client("lambda", **access)
    client.create_function(
        FunctionName="by-hand",
        Runtime=f"python{HERE}",
        Role=role,
        Handler="lambdamagic.worker.handler.handler",
        Code={"ZipFile": package},
        MemorySize=512,
        Timeout=60,
    )
    for opened in (iam, s3, client):
        opened.close()
    return "by-hand"


def _access(server: LocalServer) -> dict[str, str]:
    connection = server.connection
    return {
        "endpoint_url": connection.endpoint_url,
        "aws_access_key_id": connection.access_key_id,
        "aws_secret_access_key": connection.secret_access_key,
        "region_name": connection.region,
    }


@pytest.fixture
def account(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in server.connection.environment().items():
        monkeypatch.setenv(name, value)
    return Settings(endpoint_url=server.connection.endpoint_url, region=server.connection.region)


def _settings(account: Settings, **changes: object) -> Settings:
    from dataclasses import replace

    return replace(account, target="aws", **changes)  # type: ignore[arg-type]


def _run(target: AwsTarget, source: str) -> dict[str, object]:
    namespace: dict[str, object] = {"large": bytes(9_000_000)}
    home = Home(namespace)
    plan = plan_cell(source, namespace)
    program = encode_program(home, plan)
    engine = Engine()
    spec = JobSpec(
        kind="cell",
        label="test",
        function=target.function_for(FunctionWish(512, 60, HERE)),
        transport=target.transport,
        stager=target.stager,
        program=target.stager.place(program.frames, limit_bytes=4_000_000),
        versions=program.versions,
        units=Units([Unit((0,))]),
        task_count=1,
        inline_limit_bytes=4_000_000,
    )
    try:
        arrivals = list(engine.start(spec, Listeners()).arrivals())
    finally:
        engine.close()
    assert arrivals[0].response is not None
    numbers = unpack_numbers(arrivals[0].response.numbers)
    return read_answer(home, program.encoder, numbers, arrivals[0].frames).bound


def test_a_cell_runs_from_the_package(account: Settings, function: str) -> None:
    """The handler that runs is the one in the package, and payloads larger than an event go through the bucket."""
    target = AwsTarget(_settings(account, function=function, bucket="by-hand"))
    try:
        bound = _run(
            target, "import lambdamagic.worker as r, os\nsize = len(large)\nback = large[:-1]\nwhere = r.__file__"
        )
    finally:
        target.close()
    assert bound["size"] == 9_000_000
    assert bound["back"] == bytes(8_999_999)
    assert "site-packages" not in str(bound["where"])
    assert not str(bound["where"]).startswith(str(ROOT))


def test_a_function_that_is_too_small_is_reported(account: Settings, function: str) -> None:
    """More memory than the function has is refused before anything is sent."""
    target = AwsTarget(_settings(account, function=function, bucket="by-hand"))
    try:
        with pytest.raises(ConfigError, match="512 MB"):
            target.function_for(FunctionWish(4096, 60, HERE, least_memory_mb=4096))
    finally:
        target.close()


def test_defaults_ask_for_nothing(account: Settings, function: str) -> None:
    """A function smaller than the defaults is taken as it is, since the user has not asked for more."""
    target = AwsTarget(_settings(account, function=function, bucket="by-hand"))
    try:
        assert target.function_for(FunctionWish(2048, 300, HERE)).memory_mb == 512
    finally:
        target.close()


def test_another_python_is_reported(account: Settings, function: str) -> None:
    """A function for another Python minor is refused before anything is sent."""
    target = AwsTarget(_settings(account, function=function, bucket="by-hand"))
    try:
        with pytest.raises(VersionMismatchError, match=f"python{HERE}"):
            target.function_for(FunctionWish(512, 60, "3.99"))
    finally:
        target.close()


def test_a_missing_function_is_reported(account: Settings) -> None:
    """A function that does not exist is named."""
    target = AwsTarget(_settings(account, function="nobody", bucket="by-hand"))
    try:
        with pytest.raises(FunctionMissingError, match="nobody"):
            target.function_for(FunctionWish(512, 60, HERE))
    finally:
        target.close()


def test_a_missing_bucket_is_reported(account: Settings, function: str) -> None:
    """A bucket that does not exist is named as soon as something must be staged."""
    target = AwsTarget(_settings(account, function=function, bucket="no-such-bucket"))
    try:
        with pytest.raises(BucketMissingError, match="no-such-bucket"):
            _run(target, "len(large)")
    finally:
        target.close()
