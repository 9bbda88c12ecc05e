"""Sessions that end: whoever signs in again continues, without a new kernel."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.errors import CredentialsError, FunctionMissingError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.storage.s3 import S3ObjectStore
from lambdamagic.transports import InvokeCall
from lambdamagic.transports.lambda_api import LambdaTransport

_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def sign_in(access: AwsAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Write a new session of a role into the shared credentials file, as `aws sso` and other tools do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with closing(access.client("iam")) as iam, closing(access.client("sts")) as sts:
        try:
            role = iam.create_role(RoleName="session", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            iam.put_role_policy(RoleName="session", PolicyName="all", PolicyDocument=json.dumps(_ALL))
        except iam.exceptions.EntityAlreadyExistsException:
            role = iam.get_role(RoleName="session")["Role"]["Arn"]

        def write() -> None:
            found = sts.assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
            assert 1000 < len(found["SessionToken"]) < 2000, "as long as AWS's"
            file.write_text(
                f"[default]\naws_access_key_id = {found['AccessKeyId']}\n"
                f"aws_secret_access_key = {found['SecretAccessKey']}\naws_session_token = {found['SessionToken']}\n"
            )

        yield write


def test_a_new_session_in_the_credentials_file_is_used(
    local: LocalServer, bucket: str, faults: Faults, sign_in: Callable[[], None]
) -> None:
    """The old one ends in the middle: an error says to sign in, and after that all continues the same objects."""
    sign_in()
    access = AwsAccess(region="us-east-1", endpoint_url=local.connection.endpoint_url)
    store, transport = S3ObjectStore(bucket, access), LambdaTransport(access)

    def invoke() -> None:
        with pytest.raises(FunctionMissingError):  # the error shows that none was known
            transport.invoke(InvokeCall("none", b"{}"))

    def work() -> None:
        store.put("k", [b"x"])
        assert store.get("k") == b"x"
        assert store.exists("k")
        assert [info.key for info in store.list("")] == ["k"]
        store.delete(["k"])

    work()
    invoke()
    faults.expire_sessions()
    for do in (
        lambda: store.put("k", [b"x"]),
        lambda: [*store.list("")],
        lambda: transport.invoke(InvokeCall("n", b"")),
    ):
        with pytest.raises(CredentialsError, match="expired") as caught:
            do()
        assert "aws sso login" in str(caught.value)
    sign_in()
    work()
    invoke()
    store.close()
    transport.close()


def test_credentials_are_renewed_for_what_is_to_come(
    bucket: str, sign_in: Callable[[], None], tmp_path: Path, local: LocalServer
) -> None:
    """Some that end too soon are renewed before they sign; where that does not help, it is not tried each time."""
    counter, script = tmp_path / "count", tmp_path / "process.py"
    script.write_text(f"""
import datetime, json, pathlib
counter = pathlib.Path({str(counter)!r})
calls = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(calls))
ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=20 if calls == 1 else 60)
print(json.dumps({{"Version": 1, "AccessKeyId": f"ASIA{{calls}}", "SecretAccessKey": "x", "SessionToken": "t",
    "Expiration": ends.isoformat()}}))
""")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    access = AwsAccess(region="us-east-1", endpoint_url=local.connection.endpoint_url)
    store = S3ObjectStore(bucket, access)
    assert 1100 < store.links_last_s(60) < 1300
    assert store.signer() == "ASIA1"
    assert store.links_last_s(1800) > 3500
    assert "ASIA2" in store.presign_get("k", 60)
    assert store.links_last_s(7200) < 3700
    assert counter.read_text() == "2"
    store.close()


def test_a_process_that_gives_expired_credentials(
    bucket: str, sign_in: Callable[[], None], tmp_path: Path, local: LocalServer
) -> None:
    """botocore raises a bare RuntimeError; what the user sees is ours, from the store and the transport alike."""
    credentials = {"Version": 1, "AccessKeyId": "ASIAX", "SecretAccessKey": "x", "SessionToken": "t"}
    script = tmp_path / "process.py"
    script.write_text(f"print({json.dumps({**credentials, 'Expiration': '2020-01-01T00:00:00Z'})!r})")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    access = AwsAccess(region="us-east-1", endpoint_url=local.connection.endpoint_url)
    store, transport = S3ObjectStore(bucket, access), LambdaTransport(access)
    for do in (
        lambda: store.put("k", [b"x"]),
        lambda: [*store.list("")],
        lambda: transport.invoke(InvokeCall("n", b"")),
    ):
        with pytest.raises(CredentialsError, match="expired") as caught:
            do()
        assert "aws sso login" in str(caught.value)
    store.close()
    transport.close()
