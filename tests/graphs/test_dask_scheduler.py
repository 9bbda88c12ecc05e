"""How Dask reaches the scheduler, and what it does next to computing: failures, budgets, callbacks, events."""

from __future__ import annotations

import operator
import threading
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from dask import delayed
from dask.callbacks import Callback

import lambdamagic.dask
from lambdamagic.errors import CostLimitError, JobCancelledError
from lambdamagic.events import InvocationFinished, InvocationStarted, JobFinished, JobStarted, TaskFinished
from lambdamagic.graphs.dask_scheduler import DaskScheduler


def noted(path: str, number: int) -> int:
    with Path(path).open("a") as file:
        file.write(f"{number}\n")
    return number


def fails_once(path: str, number: int) -> int:
    if not Path(path).exists():
        Path(path).touch()
        raise LookupError(f"not there: {number}")
    return number


def doubled(block: np.ndarray) -> np.ndarray:
    block *= 2
    return block


def fails_at_9(total: int, most: int) -> int:
    if most == 9:
        raise LookupError("nine")
    return total


def test_it_is_known_by_its_name(dask_scheduler: DaskScheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDAMAGIC_MAX_CONCURRENCY", "2")  # each environment imports Dask
    x = da.ones((30, 30), chunks=10).sum()
    assert x.compute(scheduler="lambdamagic") == 900.0
    with dask.config.set(scheduler="lambdamagic"):
        assert x.compute() == 900.0
        assert x.persist().compute(scheduler="sync") == 900.0
    with lambdamagic.dask.scheduler(memory_mb=2048, max_workers=1) as found:
        assert x.compute() == 900.0
        assert found.settings.memory_mb == 2048
    assert dask.optimize(x)[0].compute(scheduler=dask_scheduler) == 900.0


def test_a_failed_task_raises_its_own_exception_with_its_key(dask_scheduler: DaskScheduler) -> None:
    bad = delayed(operator.truediv, name="share")(1, delayed(operator.sub)(1, 1), dask_key_name="share-7")
    with pytest.raises(ZeroDivisionError) as caught:
        delayed(operator.add)(bad, 1).compute(scheduler=dask_scheduler)
    assert any("'share-7'" in note for note in caught.value.__notes__)


def test_computed_tasks_do_not_run_again_after_a_failure(dask_scheduler: DaskScheduler, tmp_path: Path) -> None:
    notes = str(tmp_path / "notes")
    first = [delayed(noted)(notes, number) for number in range(4)]
    last = delayed(fails_once)(str(tmp_path / "second"), delayed(sum)(first))
    with pytest.raises(LookupError):
        last.compute(scheduler=dask_scheduler)
    assert last.compute(scheduler=dask_scheduler) == 6
    assert sorted(Path(notes).read_text().split()) == ["0", "1", "2", "3"]


def test_a_failing_task_is_retried_where_it_is_asked_for(tmp_path: Path) -> None:
    call = delayed(fails_once)(str(tmp_path / "once"), 5)
    assert call.compute(scheduler=DaskScheduler(retries=1)) == 5


def test_a_budget_ends_it() -> None:
    with pytest.raises(CostLimitError):
        dask.compute(*[delayed(sum)(range(number)) for number in range(9)], scheduler=DaskScheduler(max_cost=1e-12))


def test_events_report_each_task_and_its_needs(dask_scheduler: DaskScheduler) -> None:
    told: list[Any] = []
    scheduler = DaskScheduler(max_workers=2)
    scheduler.add_listener(told.append)
    total = delayed(sum)([delayed(operator.neg)(number) for number in range(20)])
    assert total.compute(scheduler=scheduler) == -190
    (started,) = [event for event in told if isinstance(event, JobStarted)]
    assert (started.task_count, started.label) == (21, "sum")
    assert sorted({name.split("-")[0] for name in started.names}) == ["neg", "sum"]
    assert sorted(event.task for event in told if isinstance(event, TaskFinished)) == list(range(21))
    assert [event.state for event in told if isinstance(event, JobFinished)] == ["done"]
    assert sum(event.s3_requests for event in told if isinstance(event, InvocationFinished)) == 0


def test_a_graph_is_called_by_what_it_computes() -> None:
    """By the operation of the result, not by Dask's own last step."""
    heard: list[Any] = []
    scheduler = DaskScheduler(max_workers=2)
    scheduler.add_listener(heard.append)
    assert da.ones((30, 30), chunks=10).sum().compute(scheduler=scheduler) == 900.0
    (started,) = [event for event in heard if isinstance(event, JobStarted)]
    assert started.label == "sum-aggregate"


def test_large_values_stay_and_only_what_is_asked_for_comes() -> None:
    came: list[int] = []

    class Sizes(Callback):  # type: ignore[misc]
        def _posttask(self, key: Any, value: Any, dsk: Any, state: Any, worker_id: Any) -> None:
            came.append(getattr(value, "nbytes", 0))

    x = da.ones((800, 800), chunks=400)
    with Sizes():
        assert ((x @ x) + 1).sum().compute(scheduler=DaskScheduler(max_workers=2)) == 801.0 * 800 * 800
    assert max(came) < 100_000


def test_values_that_one_invocation_makes_and_takes_never_leave_it() -> None:
    """Once it is known how long tasks take, what passes between those of one invocation needs no request."""
    scheduler, heard = DaskScheduler(max_workers=2), list[Any]()
    tiles = da.random.default_rng(1).random((600, 600), chunks=300)
    made = (tiles.map_blocks(doubled) + tiles.T).max()
    expected = made.compute(scheduler="threads")
    for _ in range(2):
        assert made.compute(scheduler=scheduler) == expected
    scheduler.add_listener(heard.append)
    assert made.compute(scheduler=scheduler) == expected
    ended = [event for event in heard if isinstance(event, InvocationFinished)]
    assert sum(event.s3_requests for event in ended) == 0
    assert max(len(event.tasks) for event in ended) > 4


def test_a_failure_among_tasks_of_one_invocation_is_that_of_the_first(tmp_path: Path) -> None:
    """Those that need its value do not run; what was made for it is kept."""
    scheduler, notes = DaskScheduler(max_workers=1), str(tmp_path / "notes")

    def made(number: int) -> Any:
        parts = [delayed(noted, name="noted")(notes, number + each) for each in range(4)]
        last = delayed(fails_at_9, name="fails_at_9")(delayed(sum, name="sum")(parts), delayed(max, name="max")(parts))
        return delayed(operator.add, name="add")(last, delayed(len, name="len")(parts))

    for number in range(2):
        assert made(number).compute(scheduler=scheduler) == 10 + 4 * number
    Path(notes).unlink()
    with pytest.raises(LookupError, match="nine") as caught:
        made(6).compute(scheduler=scheduler)
    assert ["fails_at_9" in note for note in caught.value.__notes__] == [True]
    assert sorted(Path(notes).read_text().split()) == ["6", "7", "8", "9"]


def test_callbacks_are_called_as_by_dasks_own_schedulers(dask_scheduler: DaskScheduler) -> None:
    told: list[Any] = []

    class Told(Callback):  # type: ignore[misc]
        def _start(self, dsk: Any) -> None:
            told.append("start")

        def _start_state(self, dsk: Any, state: Any) -> None:
            told.append(len(state["ready"]) + len(state["waiting"]))

        def _pretask(self, key: Any, dsk: Any, state: Any) -> None:
            told.append(("before", key))

        def _posttask(self, key: Any, value: Any, dsk: Any, state: Any, worker_id: Any) -> None:
            told.append(("after", key, value))

        def _finish(self, dsk: Any, state: Any, errored: bool) -> None:
            told.append(("finish", errored))

    with Told():
        assert dask_scheduler({"a": 1, "b": (operator.neg, "a"), "c": (sum, ["b", "a"])}, "c") == 0
    assert told[:2] == ["start", 1]
    assert told[2:] == [("before", "c"), ("after", "c", 0), ("finish", False)]


def test_a_graph_can_be_cancelled_from_another_thread(tmp_path: Path) -> None:
    scheduler = DaskScheduler(max_workers=1)
    started = threading.Event()
    scheduler.add_listener(lambda event: started.set() if isinstance(event, InvocationStarted) else None)
    raised: list[BaseException] = []

    def compute() -> None:
        try:
            delayed(__import__("time").sleep)(60).compute(scheduler=scheduler)
        except JobCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=compute)
    thread.start()
    assert started.wait(30)
    scheduler.cancel()
    thread.join(30)
    assert len(raised) == 1


def test_estimators_of_scikit_learn_take_dasks_arrays(dask_scheduler: DaskScheduler) -> None:
    """They ask the arrays for their values, which the scheduler in force computes."""
    from sklearn.linear_model import LinearRegression

    heard: list[Any] = []
    dask_scheduler.add_listener(lambda event: heard.append(event) if isinstance(event, JobStarted) else None)
    x = da.random.default_rng(2).random((200, 3), chunks=(50, 3))
    y = x @ np.array([1.0, -2.0, 0.5])
    with dask.config.set(scheduler=dask_scheduler):
        fitted = LinearRegression().fit(x, y)
    assert heard
    np.testing.assert_allclose(fitted.coef_, [1.0, -2.0, 0.5])


def test_constants_that_many_tasks_need_are_sent_once(dask_scheduler: DaskScheduler) -> None:
    data = np.arange(300_000.0)
    x = da.from_array(data, chunks=30_000)
    assert x.sum().compute(scheduler=dask_scheduler) == data.sum()
    with pytest.raises(ValueError, match="cycle"):
        dask_scheduler({"a": (operator.neg, "b"), "b": (operator.neg, "a")}, "a")
