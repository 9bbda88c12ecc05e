"""One embedded Lambda for all tests of the APIs, and the standard library's counterparts next to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import pytest

from lambdamagic import LambdaExecutor, LambdaPool
from lambdamagic.api import process
from lambdamagic.api.options import Access
from lambdamagic.config import load_settings
from lambdamagic.local.testing.faults import Faults
from tests.ending import end_apis

_SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads is deprecated


@pytest.fixture(scope="session", autouse=True)
def one_process_of_apis(own_home: Path) -> Iterator[None]:
    """After all tests no part of the APIs still runs."""
    yield
    end_apis()


@pytest.fixture
def lambda_executor() -> Iterator[LambdaExecutor]:
    """A separate executor."""
    with LambdaExecutor(max_workers=2) as executor:
        yield executor


@pytest.fixture(scope="session")
def processes() -> Iterator[Executor]:
    """The standard library's executor that ours is measured by."""
    with ProcessPoolExecutor(2, mp_context=_SPAWN) as executor:
        yield executor


@pytest.fixture(params=["processes", "lambda"])
def executor(request: pytest.FixtureRequest) -> Executor:
    """Both executors, one after the other."""
    found: Executor = request.getfixturevalue("processes" if request.param == "processes" else "lambda_executor")
    return found


@pytest.fixture(params=["processes", "lambda"])
def make_executor(request: pytest.FixtureRequest) -> Iterator[Callable[[], Executor]]:
    """Makes executors with one worker, for tests that shut them down."""
    made: list[Executor] = []

    def make() -> Executor:
        made.append(
            ProcessPoolExecutor(1, mp_context=_SPAWN) if request.param == "processes" else LambdaExecutor(max_workers=1)
        )
        return made[-1]

    yield make
    for each in made:
        each.shutdown()


@pytest.fixture(scope="session")
def process_pool() -> Iterator[Pool]:
    """The standard library's pool that ours is measured by."""
    with _SPAWN.Pool(2) as pool:
        yield pool
        pool.close()
        pool.join()


@pytest.fixture
def lambda_pool() -> Iterator[LambdaPool]:
    """A separate pool."""
    with LambdaPool(2) as pool:
        yield pool
        pool.close()
        pool.join()


@pytest.fixture(params=["processes", "lambda"])
def pool(request: pytest.FixtureRequest) -> Any:
    """Both pools, one after the other."""
    return request.getfixturevalue("process_pool" if request.param == "processes" else "lambda_pool")


@pytest.fixture
def define() -> Iterator[Callable[[str], Any]]:
    """Runs source in `__main__`, as a program's own file would, and returns what it defines last."""
    namespace = sys.modules["__main__"].__dict__
    before = dict(namespace)

    def run(source: str) -> Any:
        known = set(namespace)
        exec(source, namespace)
        return namespace[[name for name in namespace if name not in known][-1]]

    yield run
    namespace.clear()
    namespace.update(before)


@pytest.fixture
def local_server() -> Any:
    """The embedded Lambda behind all executors."""
    return process.target(load_settings().settings, Access()).server


@pytest.fixture(scope="session")
def programs_environment(one_process_of_apis: None) -> dict[str, str]:
    """The environment in which a test's programs share this process's embedded Lambda, as if it were an account."""
    with LambdaExecutor(2) as executor:
        name = executor.submit(os.environ.get, "AWS_LAMBDA_FUNCTION_NAME").result()  # makes the function
    server: Any = process.target(load_settings().settings, Access()).server
    own = {"LAMBDAMAGIC_FUNCTION": str(name), "LAMBDAMAGIC_BUCKET": "lambdamagic-local"}
    environment = {**os.environ, **server.connection.environment(), **own}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@pytest.fixture(scope="session")
def run(programs_environment: dict[str, str]) -> Callable[..., str]:
    """Runs Python and returns what it prints."""

    def run(*command: object, cwd: Path) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=cwd,
            env=programs_environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="session")
def results(run: Callable[..., str]) -> Callable[..., Any]:
    """Runs a program and returns the results that it prints last."""
    return lambda *command, cwd: json.loads(run(*command, cwd=cwd).splitlines()[-1])


@pytest.fixture
def faults(local_server: Any) -> Iterator[Faults]:
    """Faults of that Lambda; none are left."""
    found = Faults(local_server.connection)
    yield found
    found.clear()


class Gate:
    """Holds calls until it is opened: they read a pipe that has no writer yet."""

    def __init__(self, path: Path) -> None:
        import os

        self.path = path
        os.mkfifo(path)

    def open(self) -> None:
        """Let one call continue, once it has come to the gate."""
        with self.path.open("w") as stream:
            stream.write("opened")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A closed gate; `executor.submit(Path.read_text, gate.path)` waits before it."""
    return Gate(tmp_path / "gate")
