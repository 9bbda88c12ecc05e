"""`lambdamagic deploy --graphs`: made by who may deploy, used by who may use; the role may do what walks need."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lambdamagic
from lambdamagic.api import process
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.errors import ConfigError
from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.walked import start_walks
from lambdamagic.local.local_server import LocalServer
from tests.cli.calling import Done, call
from tests.deploy.accounts import Account

NAME = "walked"
DEPLOY = ("deploy", NAME, "--concurrency", "8", "--memory", "256", "--timeout", "30", "--no-config")

_CODE = """
def start(values):
    return 3

def square(values):
    (value,) = values.values()
    return value * value

def add(values):
    return sum(values.values())

def look(values):
    import boto3
    from botocore.exceptions import ClientError
    try:
        boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lambdamagic/jobs/")
    except ClientError as error:
        return str(error)
    return "allowed"
"""


def well(*words: str) -> Done:
    done = call(*words)
    assert done.status == 0, done.err
    return done


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account in which a user with exactly the deployer's policy has deployed, and another process uses it."""
    home: Path = tmp_path_factory.mktemp("walked")
    with LocalServer.start(concurrency=116) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home))
        patch.chdir(home)
        account = Account(server)
        for variable, value in server.connection.environment().items():
            patch.setenv(variable, value)
        deployer = account.person("deployer", call("policy", "deployer", NAME).document)
        with pytest.MonkeyPatch.context() as as_deployer:
            for variable, value in deployer.items():
                as_deployer.setenv(variable, value)
            assert "graphs" in well(*DEPLOY, "--graphs").out
        bucket = account.inventory()["buckets"][0]
        for variable, value in {"TARGET": "aws", "FUNCTION": NAME, "BUCKET": bucket}.items():
            patch.setenv(f"LAMBDAMAGIC_{variable}", value)
        user = account.person("user", call("policy", "user", NAME).document)
        for variable, value in user.items():
            patch.setenv(variable, value)
        process.close()
        yield account
        process.close()
        for variable, value in deployer.items():
            patch.setenv(variable, value)
        well("destroy", NAME, "--yes")


def _graph() -> Graph:
    program: dict[str, Any] = {"__name__": "__main__"}
    exec(_CODE, program)
    nodes = [Node("start", [], program["start"])]
    nodes += [Node(("square", number), ["start"], program["square"]) for number in range(4)]
    nodes.append(Node("sum", [node.key for node in nodes[1:]], program["add"]))
    return Graph.of(nodes, ["sum"])


def _launcher() -> Launcher:
    return Launcher(read_options({"mode": "event"}))


def test_a_graph_by_who_may_only_use(deployed: Account) -> None:
    """Fan-out and fan-in with the role's own rights, as the strict server holds them."""
    job = start_walks(_launcher(), _graph(), "sum", label="graph")
    assert job.result(timeout=120) == 36
    writes, reads = job.requests
    assert job.invocations > 1 and writes and reads
    assert job.cost_usd > 0
    assert lambdamagic.attach(job.job_id).result(timeout=60) == 36


_PROGRAM = """
import sys
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.walked import start_walks

folder = sys.argv[1]

def step(number):
    def run(values):
        import time
        with open(f"{folder}/{number}", "a") as file:
            file.write("x")
        time.sleep(0.5)
        return number + sum(values.values())
    return run

nodes = [Node(0, [], step(0)), Node(1, [0], step(1)), Node(2, [0], step(2)), Node(3, [1, 2], step(3))]
nodes += [Node(4, [3], step(4)), Node(5, [3], step(5)), Node(6, [4, 5], step(6))]
job = start_walks(Launcher(read_options({"mode": "event"})), Graph.of(nodes, [6]), 6, label="long")
print(job.job_id, flush=True)
job.wait()
"""


def test_a_killed_clients_graph_continues(deployed: Account, tmp_path: Path) -> None:
    """After kill -9 the graph continues; who attaches has its result, and each task ran once."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        try:
            job_id = client.stdout.readline().strip()
            until = time.monotonic() + 60
            while not (tmp_path / "0").exists():  # its first walk runs
                assert time.monotonic() < until and client.poll() is None
                time.sleep(0.05)
        finally:
            client.send_signal(signal.SIGKILL)
    listed = {job.job_id: job for job in lambdamagic.list_jobs()}
    assert (listed[job_id].state, listed[job_id].is_attachable) == ("abandoned", True)
    job = lambdamagic.attach(job_id)
    assert job.result(timeout=120) == 27  # 0; 1, 2; 6; 10, 11; 27
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {str(number): "x" for number in range(7)}


def test_the_role_sees_no_other_prefix(deployed: Account) -> None:
    """What a graph's task may do with the role is what walks need, and no part of other jobs."""
    program: dict[str, Any] = {"__name__": "__main__", "BUCKET": deployed.inventory()["buckets"][0]}
    exec(_CODE, program)
    job = start_walks(_launcher(), Graph.of([Node("look", [], program["look"])], ["look"]), "look", label="look")
    assert "AccessDenied" in job.result(timeout=120)


def test_the_printed_role_is_the_deployed_one(deployed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lambdamagic policy role` prints what the role was given."""
    for variable, value in deployed.connection.environment().items():
        monkeypatch.setenv(variable, value)
    printed = {each["Sid"]: each for each in call("policy", "role", NAME).document["Statement"]}
    assert set(printed) == {"WriteItsLog", "InvokeItself", "UseGraphs", "FindEdges"}
    assert printed["UseGraphs"]["Resource"].endswith("/lambdamagic/graphs/*")


def test_without_it_nothing_is_sent(deployed: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to deploy, and the way that needs no right."""
    arn = deployed.ask("lambda", "get_function_configuration", FunctionName=NAME)
    variables = {**arn["Environment"]["Variables"]}
    assert variables.pop("LAMBDAMAGIC_GRAPHS") == "1"
    deployed.ask("lambda", "update_function_configuration", FunctionName=NAME, Environment={"Variables": variables})
    process.close()
    with pytest.raises(ConfigError, match="not deployed to run graphs") as raised:
        start_walks(_launcher(), _graph(), "sum", label="graph")
    assert "--graphs" in str(raised.value)
