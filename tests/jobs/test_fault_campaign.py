"""Nothing is lost, nothing is reported twice, whatever goes wrong on the way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.campaign import run
from lambdamagic import LambdaExecutor
from lambdamagic.api import process
from lambdamagic.local.testing.faults import FaultRule, Faults
from lambdamagic.targets.local_target import LocalTarget


@pytest.mark.parametrize(
    ("inline_limit_bytes", "mode", "tasks"),
    # A dead environment without a waiting client costs seconds of silence: fewer of them.
    [(4_000_000, "sync", 200), (64, "sync", 200), (4_000_000, "event", 80), (4_000_000, "trigger", 80)],
    ids=["inline", "through S3", "events", "uploads"],
)
def test_every_result_is_right(tmp_path: Path, inline_limit_bytes: int, mode: str, tasks: int) -> None:
    """Throttles, 5xx, answers lost in every way, dead environments, doubled events and S3's 503 cost time only."""
    try:
        campaign = run(tasks, tmp_path, chunksize=5, seed=7, inline_limit_bytes=inline_limit_bytes, mode=mode)
    finally:
        process.close()
    assert campaign.wrong == 0
    assert set(campaign.finished) == set(range(tasks))
    assert set(campaign.finished.values()) == {1}
    assert campaign.undocumented == set()
    # An event is sent again under its own name, which is no retry; an upload meets no throttling that we would see.
    assert campaign.throttled > 0 or mode == "trigger"
    assert campaign.retried or mode != "sync"


def test_an_event_that_may_have_been_taken_runs_once(tmp_path: Path) -> None:
    """Its connection broke after Lambda had it, and sent again it was throttled: that is no word about the first."""
    program: dict[str, object] = {"__name__": "__main__"}
    exec("def work(path):\n    import io\n    with io.open(path, 'a') as file:\n        file.write('x')", program)
    paths = [str(tmp_path / str(number)) for number in range(8)]
    try:
        with LambdaExecutor(8, target="local", mode="event", timeout_s=15, memory_mb=256) as executor:
            executor.submit(abs, 1).result()
            target = executor._launcher.target()
            assert isinstance(target, LocalTarget)
            faults = Faults(target.server.connection)
            faults.add(FaultRule("drop_after", count=8), FaultRule("throttle", count=8))
            list(executor.map(program["work"], paths, chunksize=1))  # type: ignore[arg-type]  # it came from exec
    finally:
        process.close()
    assert [Path(path).read_text() for path in paths] == ["x"] * 8


@pytest.mark.parametrize("mode", ["event", "trigger"])
def test_an_event_that_comes_again_when_it_is_done_runs_once(mode: Literal["event", "trigger"], tmp_path: Path) -> None:
    """Its heartbeat has been read and deleted by then: the second delivery finds the answer."""
    program: dict[str, Any] = {"__name__": "__main__"}
    exec("def work(path):\n    import io\n    with io.open(path, 'a') as file:\n        file.write('x')", program)
    try:
        with LambdaExecutor(2, target="local", mode=mode, timeout_s=15, memory_mb=256) as executor:
            executor.submit(abs, 1).result()
            target = executor._launcher.target()
            assert isinstance(target, LocalTarget)
            faults = Faults(target.server.connection)
            before = sum(faults.stats()["results"].values())
            faults.duplicate(delay_s=3.0)
            job = executor.start_map(program["work"], [str(tmp_path / "ran")])
            assert job.result(timeout=60) == [None]
            until = time.monotonic() + 60
            while sum(faults.stats()["results"].values()) < before + 2:
                assert time.monotonic() < until, "it did not come again"
                time.sleep(0.05)  # a second delivery is not reported
    finally:
        process.close()
    assert (tmp_path / "ran").read_text() == "x"


def test_connections_that_died_in_a_freeze_are_not_used() -> None:
    """They do not say so: a request on one would wait until the function's own timeout."""
    program: dict[str, Any] = {"__name__": "__main__"}
    each_rest_is_long = "def rest():\n    import lambdamagic.worker.handler as handler\n    handler._FROZEN_S = -1.0"
    exec(each_rest_is_long, program)
    with LambdaExecutor(1, target="local", memory_mb=256, timeout_s=15, inline_limit_bytes=1_000) as executor:
        executor.submit(program["rest"]).result()
        target = executor._launcher.target()
        assert isinstance(target, LocalTarget)
        faults = Faults(target.server.connection)
        faults.silence_frozen()
        try:
            for _ in range(3):
                assert executor.submit(bytes, 50_000).result() == bytes(50_000)  # the function puts it into the bucket
        finally:
            faults.clear()
