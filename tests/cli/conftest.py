"""An account for commands: an embedded Lambda, to which the environment leads as it would lead to AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.local.local_server import LocalServer
from tests.deploy.accounts import Account


@pytest.fixture(scope="module")
def account_of_module() -> Iterator[Account]:
    with LocalServer.start() as server:
        yield Account(server)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The person's home, with the settings that commands write."""
    return tmp_path_factory.mktemp("person")


@pytest.fixture
def account(account_of_module: Account, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The account; credentials, endpoint and a separate home in the environment."""
    for name, value in account_of_module.connection.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.chdir(home)
    yield account_of_module
    account_of_module.faults.clear()
