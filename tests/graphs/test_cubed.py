"""Cubed's plans on Lambda give what Cubed's own executor gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cubed
import cubed.array_api as xp
import numpy as np
import pytest
from cubed.runtime.types import Callback, OperationEndEvent, OperationStartEvent, TaskEndEvent

from lambdamagic.cubed import LambdaExecutor
from lambdamagic.errors import ConfigError

_DATA = np.arange(600.0).reshape(30, 20)


def made(spec: Any) -> Any:
    return cubed.from_array(_DATA, chunks=(10, 10), spec=spec)


WORKLOADS: dict[str, Callable[[Any], Any]] = {
    "a sum": lambda spec: xp.sum(made(spec) * 2, axis=0),
    "a product of matrices": lambda spec: xp.matmul(made(spec), xp.permute_dims(made(spec), (1, 0))),
    "rechunked": lambda spec: made(spec).rechunk((30, 5)) + 1,
    "a function for each block": lambda spec: cubed.map_blocks(np.square, made(spec), dtype=np.float64),
    "a mean": lambda spec: xp.mean(made(spec)),
}


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cubed"))


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_result_is_that_of_cubeds_own_executor(name: str, work_dir: str) -> None:
    ours = WORKLOADS[name](cubed.Spec(work_dir, allowed_mem="500MB", executor=LambdaExecutor(max_workers=2)))
    theirs = WORKLOADS[name](cubed.Spec(work_dir, allowed_mem="500MB", executor_name="single-threaded"))
    np.testing.assert_allclose(ours.compute(), theirs.compute())


def test_cubeds_callbacks_receive_operations_and_tasks(work_dir: str) -> None:
    class Told(Callback):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self.starts, self.ends, self.tasks = list[str](), list[str](), list[TaskEndEvent]()

        def on_operation_start(self, event: OperationStartEvent) -> None:
            self.starts.append(event.name)

        def on_operation_end(self, event: OperationEndEvent) -> None:
            self.ends.append(event.name)

        def on_task_end(self, event: TaskEndEvent) -> None:
            self.tasks.append(event)

    told = Told()
    spec = cubed.Spec(work_dir, allowed_mem="500MB", executor=LambdaExecutor(max_workers=2))
    (xp.negative(made(spec))).compute(callbacks=[told])
    assert told.starts == told.ends != []
    # One task for each of 3 x 2 blocks, and one that makes the arrays.
    assert len(told.tasks) >= 6
    assert all(event.function_end_tstamp >= event.function_start_tstamp for event in told.tasks)


def test_too_little_memory_is_refused(work_dir: str) -> None:
    spec = cubed.Spec(work_dir, allowed_mem="3GB", executor=LambdaExecutor(memory_mb=1024))
    with pytest.raises(ConfigError, match="allowed_mem"):
        xp.sum(made(spec)).compute()


def test_the_working_directory_is_used(work_dir: str) -> None:
    assert any(Path(work_dir).iterdir())
