"""What the tests of deploying share: one embedded Lambda, whose stacks are loaded once, and one package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lambdamagic.deploy.code import PackagedCode
from lambdamagic.deploy.destroy import Demolition
from lambdamagic.deploy.packages import LambdaPlatform, WheelSource, build_package
from lambdamagic.local.local_server import LocalServer
from lambdamagic.pythons import python_here
from tests.deploy.accounts import Account


@pytest.fixture(scope="package")
def account_of_all() -> Iterator[Account]:
    with LocalServer.start() as server:
        yield Account(server)


@pytest.fixture
def account(account_of_all: Account) -> Iterator[Account]:
    """The account of all tests here; each has its own names in it."""
    yield account_of_all
    account_of_all.faults.clear()


@pytest.fixture
def name(account: Account, request: pytest.FixtureRequest) -> Iterator[str]:
    """A deployment's name of this test's own, taken away in the end."""
    found = f"t{abs(hash(request.node.name)) % 10**8}"
    yield found
    account.faults.clear()
    Demolition(account.access, found).run(empty_bucket=True)


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> PackagedCode:
    folder = tmp_path_factory.mktemp("package")
    return PackagedCode(build_package(LambdaPlatform(python_here()), WheelSource(), folder=folder))
