"""The embedded Lambda with a few functions, and servers that play a script."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.local.local_server import LocalConnection, LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.pythons import python_here
from lambdamagic.transports.lambda_api import LambdaTransport

CODE = """
import os, time

def handler(event, context):
    print("hällo", event)
    if event == "raise":
        raise ValueError("as asked")
    if event == "exit":
        os._exit(3)
    if event == "hang":
        time.sleep(60)
    if event == "large":
        return "x" * 7_000_000
    return {"got": event, "id": context.aws_request_id}
"""


def access_to(connection: LocalConnection, **changes: str) -> AwsAccess:
    """Return the way into an embedded Lambda."""
    values = {
        "region": connection.region,
        "endpoint_url": connection.endpoint_url,
        "access_key_id": connection.access_key_id,
        "secret_access_key": connection.secret_access_key,
    }
    return AwsAccess(**{**values, **changes})


@dataclass(frozen=True)
class Account:
    """An embedded Lambda with the function `f`, of which `f:prod` is an alias."""

    connection: LocalConnection
    arn: str


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    with LocalServer.start() as server:
        access = access_to(server.connection)
        iam, functions = access.client("iam"), access.client("lambda")
        role = iam.create_role(RoleName="runner", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("app.py", CODE)
        made = functions.create_function(
            FunctionName="f",
            Runtime=f"python{python_here()}",
            Handler="app.handler",
            Role=role,
            Timeout=5,
            MemorySize=256,
            Code={"ZipFile": content.getvalue()},
        )
        version = functions.publish_version(FunctionName="f")["Version"]
        functions.create_alias(FunctionName="f", Name="prod", FunctionVersion=version)
        iam.close()
        functions.close()
        yield Account(server.connection, made["FunctionArn"])


@pytest.fixture
def faults(account: Account) -> Iterator[Faults]:
    found = Faults(account.connection)
    found.clear()
    yield found
    found.clear()


@pytest.fixture
def transport(account: Account) -> Iterator[LambdaTransport]:
    made = LambdaTransport(access_to(account.connection))
    yield made
    made.close()


@pytest.fixture
def transport_to() -> Iterator[Callable[[str], LambdaTransport]]:
    """Make transports to any endpoint, closed at the end."""
    made: list[LambdaTransport] = []

    def make(endpoint_url: str) -> LambdaTransport:
        access = AwsAccess(
            region="us-east-1", endpoint_url=endpoint_url, access_key_id="AKIA", secret_access_key="secret"
        )
        made.append(LambdaTransport(access))
        return made[-1]

    yield make
    for each in made:
        each.close()
