"""The executor for Cubed: it runs the operations of a plan, each of which maps a function over blocks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from cubed.runtime.pipeline import visit_node_generations
from cubed.runtime.types import Callback, DagExecutor
from cubed.runtime.utils import handle_callbacks, handle_operation_end_callbacks, handle_operation_start_callbacks

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.errors import ConfigError
from lambdamagic.graphs.node_tasks import run_cubed

_MB = 1 << 20


class CubedExecutor(DagExecutor):  # type: ignore[misc,unused-ignore]  # cubed is untyped here
    """Runs Cubed's plans on Lambda: `cubed.Spec(work_dir="s3://...", executor=CubedExecutor(memory_mb=4096))`.

    Cubed's arrays are in `work_dir`, which the function must be able to read and write; see docs/dask.md. Tasks that
    fail are retried as often as `retries` says (2 by default, as in Cubed's own executors), late ones are backed up.

    Args:
        **options: What `lambdamagic.LambdaExecutor` takes.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"retries": 2, **options})

    @property
    def name(self) -> str:
        """What Cubed calls it."""
        return "lambdamagic"

    def execute_dag(
        self,
        dag: Any,
        callbacks: Sequence[Callback] | None = None,
        spec: Any = None,
        compute_id: str | None = None,
        **options: Any,
    ) -> None:
        """Run a plan: the operations of one generation side by side, one generation after the other.

        Raises:
            ConfigError: The function has less memory than `spec.allowed_mem`.
            BaseException: What a task raised.
        """
        with LambdaExecutor(**{**self.kwargs, **options}) as executor:
            memory = executor._launcher.settings.memory_mb * _MB
            if spec is not None and spec.allowed_mem is not None and spec.allowed_mem > memory:
                allowed = spec.allowed_mem / 1e9
                raise ConfigError(
                    f"the function has {memory / 1e9:.1f} GB, and Cubed's allowed_mem is {allowed:.1f} GB",
                    hint="Give the executor more memory_mb, or the Spec a smaller allowed_mem",
                )
            for generation in visit_node_generations(dag):
                started: list[tuple[str, Iterator[Any]]] = []
                for name, node in generation:
                    handle_operation_start_callbacks(callbacks, name)
                    pipeline = node["pipeline"]
                    call = functools.partial(run_cubed, pipeline.function, pipeline.config)
                    started.append((name, executor.map(call, list(pipeline.mappable))))
                for name, results in started:
                    for result, stats in results:
                        handle_callbacks(callbacks, result, {"name": name, **stats})
                    handle_operation_end_callbacks(callbacks, name)
