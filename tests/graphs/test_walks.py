"""Graphs that run in walks on the embedded Lambda: values, failures, and what is left in the bucket."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lambdamagic
from lambdamagic.api import process
from lambdamagic.api.attach import attachable
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.errors import CostLimitError, JobMissingError
from lambdamagic.graphs.fusing import fused
from lambdamagic.graphs.graph import Graph, Node
from lambdamagic.graphs.walked import start_walks
from lambdamagic.runs.walks_work import roots_of
from lambdamagic.walks.sharing import DEPTH_MOST, Allowance
from lambdamagic.walks.structure import Structure
from lambdamagic.walks.walk_event import WalkEvent

_CODE = """
def leaf(number):
    def run(values):
        return number
    return run

def add(values):
    return sum(values.values())

def broken(values):
    raise ValueError("broken here")

def nothing(values):
    return None

def slow(values):
    import time
    time.sleep(30)

def noted(path, number):
    def run(values):
        import io
        with io.open(path, "a") as file:
            file.write(f"{number} ")
        return number
    return run

def fails_until(path):
    def run(values):
        import os
        if not os.path.exists(path):
            raise LookupError("no gate")
        return 11
    return run

def times(values):
    return {key: value * 2 for key, value in values.items()}
"""


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """What starts graphs on an embedded Lambda that the module's tests share."""
    yield Launcher(read_options({"target": "local", "mode": "event", "timeout_s": 20, "memory_mb": 256}))
    process.close()


@pytest.fixture(scope="module")
def code() -> dict[str, Callable[..., Any]]:
    """Functions as a notebook has them."""
    program: dict[str, Any] = {"__name__": "__main__"}
    exec(_CODE, program)
    return program


def _tree(code: dict[str, Any], leaves: int) -> Graph:
    nodes = [Node(("leaf", number), [], code["leaf"](number)) for number in range(leaves)]
    level = [node.key for node in nodes]
    while len(level) > 1:
        above = []
        for start in range(0, len(level), 2):
            key = ("add", len(nodes))
            nodes.append(Node(key, level[start : start + 2], code["add"]))
            above.append(key)
        level = above
    return Graph.of(nodes, level)


def test_a_tree(launcher: Launcher, code: dict[str, Any]) -> None:
    """A reduction of 16 leaves; its passing objects are gone when it has ended, and its result can be taken again."""
    graph = fused(_tree(code, 16))
    (key,) = graph.wanted
    job = start_walks(launcher, graph, key, label="sum")
    assert job.result(timeout=60) == sum(range(16))
    assert job.state == "done"
    store = launcher.target().stager.required()
    keys = [info.key for info in store.list("lambdamagic/graphs/") if job.job_id in info.key]
    left = {each.rpartition(job.job_id)[2].split("/")[1] for each in keys}
    assert left == {"manifest", "program", "structure", "results", "walks"}
    key = base64.b64encode(job._work.key)
    stored = [store.get(info.key) for info in store.list("lambdamagic/graphs/") if job.job_id in info.key]
    assert stored and not any(key in data or job._work.key in data for data in stored)
    with pytest.raises(JobMissingError, match="is a graph"):  # what `%lambda attach` asks for
        attachable(job.job_id, process.home())
    again = lambdamagic.attach(job.job_id)
    assert again.result(timeout=60) == sum(range(16))


def test_a_fan_out_and_in(launcher: Launcher, code: dict[str, Any]) -> None:
    """One value goes to many tasks, in other walks, and their results to one; constants come along, None is a value."""
    nodes = [Node("start", [], code["leaf"](5)), Node("nothing", ["start"], code["nothing"])]
    nodes += [Node(("each", n), ["start", "c", "large"], code["add"]) for n in range(12)]
    nodes.append(Node("all", ["nothing", *(node.key for node in nodes[2:])], code["times"]))
    numpy = pytest.importorskip("numpy")
    nodes[-1] = Node("all", [node.key for node in nodes[2:-1]], code["add"])
    graph = Graph.of(nodes, ["all", "nothing", "c"], {"c": 7, "large": numpy.ones(2000)})
    job = start_walks(launcher, graph, ["all", ["nothing", "c"]], label="fan")
    total, (nothing, constant) = job.result(timeout=60)
    assert (total == 12 * 13.0).all()
    assert (nothing, constant) == (None, 7)


def test_a_failure_names_its_task(launcher: Launcher, code: dict[str, Any]) -> None:
    """What a task raised is raised, with its key; the job has failed."""
    nodes = [Node("a", [], code["leaf"](1)), Node("b", [], code["broken"]), Node("c", ["a", "b"], code["add"])]
    job = start_walks(launcher, Graph.of(nodes, ["c"]), "c", label="broken")
    with pytest.raises(ValueError, match="broken here") as raised:
        job.result(timeout=60)
    assert any("'b'" in note for note in raised.value.__notes__)
    assert job.state == "failed"


def test_a_cancelled_graph_can_continue(launcher: Launcher, code: dict[str, Any]) -> None:
    """Cancelled, it raises CancelledError at once, and its walks are asked to stop."""
    nodes = [Node("slow", [], code["slow"]), Node("b", ["slow"], code["nothing"])]
    job = start_walks(launcher, Graph.of(nodes, ["b"]), "b", label="slow")
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(timeout=20)
    assert (job.state, job.missing) == ("cancelled", [1])


def test_a_graph_that_failed_is_retried_where_it_failed(
    launcher: Launcher, code: dict[str, Any], tmp_path: Path
) -> None:
    """No task that ran runs again, neither along the path of the task that failed nor elsewhere."""
    notes, gate = str(tmp_path / "notes"), tmp_path / "gate"
    nodes = [Node(number, [], code["noted"](notes, number)) for number in range(6)]
    nodes += [Node(number, [number - 6, number - 5], code["noted"](notes, number)) for number in range(6, 11)]
    nodes.append(Node(11, [6, 7], code["fails_until"](str(gate))))
    nodes.append(Node(12, [8, 9, 10, 11], code["noted"](notes, 12)))
    job = start_walks(launcher, Graph.of(nodes, [12]), 12, label="retried")
    with pytest.raises(LookupError):
        job.result(timeout=60)
    with pytest.raises(LookupError):
        lambdamagic.attach(job.job_id, target="local").result(timeout=60)
    job.retry()
    with pytest.raises(LookupError):
        job.result(timeout=60)
    gate.touch()
    job.retry()
    assert job.result(timeout=60) == 12
    assert lambdamagic.attach(job.job_id, target="local").result(timeout=60) == 12
    assert sorted(map(int, Path(notes).read_text().split())) == [*range(11), 12]
    with pytest.raises(RuntimeError, match="nothing to retry"):
        job.retry()


def test_requests_to_s3_are_in_the_budget(code: dict[str, Any]) -> None:
    """`max_cost` counts what storing the graph and meeting in the bucket cost."""
    options = {"target": "local", "mode": "event", "timeout_s": 20, "memory_mb": 256, "max_cost": 0.00001}
    starts = Launcher(read_options(options))
    job = start_walks(starts, _tree(code, 16), ("add", 30), label="costly")
    with pytest.raises(CostLimitError):
        job.result(timeout=60)
    assert job.state == "failed"
    assert job.cost_usd >= 0.00001


def test_a_chain_that_is_too_long_is_left_to_the_client(
    launcher: Launcher, code: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Lambda would end the chain nothing is invoked: the client sends what was left, or it is taken back."""

    def deep(structure: Structure, walks: int) -> tuple[WalkEvent, ...]:
        return tuple(replace(root, allowance=Allowance(100, DEPTH_MOST)) for root in roots_of(structure, walks))

    monkeypatch.setattr("lambdamagic.runs.walks_work.roots_of", deep)
    nodes = [Node("start", [], code["leaf"](5))]
    nodes += [Node(("each", number), ["start"], code["add"]) for number in range(4)]
    nodes.append(Node("all", [node.key for node in nodes[1:]], code["add"]))
    job = start_walks(launcher, Graph.of(nodes, ["all"]), "all", label="deep")
    assert job.result(timeout=60) == 20
    store = launcher.target().stager.required()
    assert [
        info.key for info in store.list("lambdamagic/graphs/") if info.key.endswith("/left") and job.job_id in info.key
    ]
