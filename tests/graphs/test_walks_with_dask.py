"""Dask's collections computed in walks equal what Dask's threads compute."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dask import delayed

import lambdamagic
from lambdamagic.api import process
from lambdamagic.events import InvocationFinished, InvocationStarted, JobStarted
from lambdamagic.graphs.dask_scheduler import DaskScheduler
from tests.graphs.workloads import WORKLOADS, same


@pytest.fixture(scope="module")
def walks() -> Iterator[DaskScheduler]:
    """A scheduler of Dask's that runs graphs in walks, on an embedded Lambda that the module's tests share."""
    yield DaskScheduler(target="local", mode="event", timeout_s=30, memory_mb=512, max_concurrency=2)
    process.close()


@pytest.mark.parametrize("name", WORKLOADS)
def test_as_the_threads_compute_it(name: str, walks: DaskScheduler) -> None:
    """The same values, of the same types."""
    made = WORKLOADS[name]()
    assert same(made.compute(scheduler=walks), made.compute(scheduler="threads"))


def test_a_graph_that_is_not_waited_for(walks: DaskScheduler) -> None:
    """It is started, and its result is what `compute` returns; attached, it is the same."""
    made = WORKLOADS["array std"]()
    expected = made.compute(scheduler="threads")
    job = walks.start(made)
    assert same(job.result(timeout=60), expected)
    assert same(lambdamagic.attach(job.job_id).result(timeout=60), expected)


def test_a_graph_in_walks_is_shown_while_it_runs(capfd: pytest.CaptureFixture[str]) -> None:
    """As the jobs of an executor are, with the tasks' names and each walk's own time, whichever walk has sent it."""
    heard: list[Any] = []
    shown = DaskScheduler(target="local", mode="event", timeout_s=30, memory_mb=512, max_concurrency=2, progress=True)
    shown.add_listener(heard.append)
    assert WORKLOADS["delayed tree"]().compute(scheduler=shown) == 528
    lines = capfd.readouterr().err.splitlines()
    assert "_add" in lines[0] and "done" in lines[-1] and "63/63 tasks" in lines[-1]
    (started,) = [event for event in heard if isinstance(event, JobStarted)]
    assert len(started.names) == 63 and started.names[0].startswith("_inc-")
    sent = {event.attempt_id: event.at for event in heard if isinstance(event, InvocationStarted)}
    ended = [event for event in heard if isinstance(event, InvocationFinished)]
    assert ended and all(sent[event.attempt_id] <= event.at for event in ended)


def test_prints_of_tasks_are_shown(walks: DaskScheduler, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As those of a graph that is scheduled from here: once, with the number of their task, also after a retry."""
    gate = tmp_path / "gate"

    def loud(number: int) -> int:
        print("loud", number)
        print("warned", number, file=sys.stderr)
        return number

    def last(numbers: list[int]) -> int:
        print("last")
        if not gate.exists():
            raise LookupError("no gate")
        return sum(numbers)

    made = delayed(last)([delayed(loud)(number) for number in range(3)])
    with pytest.raises(LookupError, match="no gate"):
        made.compute(scheduler=walks)
    shown = capsys.readouterr()
    assert sorted(re.sub(r"^\[task \d+\] ", "", line) for line in shown.out.splitlines()) == [
        "last",
        *(f"loud {number}" for number in range(3)),
    ]
    assert len(set(re.findall(r"^\[task (\d+)\]", shown.out, re.M))) == 4
    assert sorted(re.findall(r"warned \d", shown.err)) == [f"warned {number}" for number in range(3)]
    gate.touch()
    assert made.compute(scheduler=walks) == 3
    assert re.fullmatch(r"\[task \d+\] last\n", capsys.readouterr().out)
    walks.start(made).wait()
    assert capsys.readouterr().out.count("loud") == 3


def test_a_graph_in_walks_that_failed_continues_when_it_is_computed_again(walks: DaskScheduler, tmp_path: Path) -> None:
    """As one that is scheduled from here does: what was computed is not computed again."""
    notes, gate = tmp_path / "notes", tmp_path / "gate"

    def noted(number: int) -> int:
        with notes.open("a") as file:
            file.write(f"{number} ")
        return number

    def last(numbers: list[int]) -> int:
        if not gate.exists():
            raise LookupError("no gate")
        return sum(numbers)

    made = delayed(last)([delayed(noted)(number) for number in range(5)])
    with pytest.raises(LookupError, match="no gate"):
        made.compute(scheduler=walks)
    gate.touch()
    assert made.compute(scheduler=walks) == 10
    assert sorted(notes.read_text().split()) == ["0", "1", "2", "3", "4"]


def test_what_a_graph_takes(walks: DaskScheduler) -> None:
    """Before anything is sent: tasks, both ways, requests to S3 and their price."""
    text = str(walks.plan(WORKLOADS["delayed tree"]()))
    assert text.startswith("63 tasks (63 after joining chains), 31 joins")
    assert "in walks" in text and "writes" in text and "$" in text
