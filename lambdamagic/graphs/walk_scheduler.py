"""Dask's graphs handed to Lambda: computed in walks, waited for or not."""

from __future__ import annotations

from typing import Any, NoReturn

from lambdamagic.api.graph_job import GraphJob
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.errors import ConfigError
from lambdamagic.events import Listener
from lambdamagic.graphs.dask_graph import graph_from_dask
from lambdamagic.graphs.fusing import fused
from lambdamagic.graphs.graph_plan import GraphPlan, plan_of
from lambdamagic.graphs.walked import start_walks
from lambdamagic.jobs.prices import Prices

_LABEL_KEYS = 3


class WalksScheduler:
    """Computes Dask's graphs in walks, which need no client: `x.compute(scheduler=WalksScheduler())`. Thread-safe.

    Needs a function that was deployed with `lambdamagic deploy --graphs`, or the embedded Lambda.

    Args:
        **options: What `LambdaExecutor` takes: `memory_mb`, `timeout_s`, `retries`, `max_cost`, ...

    Raises:
        ConfigError: An option is unknown or out of its limits.

    Attributes:
        job: The graph that was started last; None before the first.
    """

    def __init__(self, **options: Any) -> None:
        self._launcher = Launcher(read_options({**options, "mode": "event"}))
        self.job: GraphJob | None = None

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event of graphs that are started from now on; see `lambdamagic.events`."""
        self._launcher.listeners.append(listener)

    def __call__(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Return the values of keys, in the shape in which they are asked for.

        Args:
            dsk: A graph of Dask's.
            keys: A key, or lists of keys.
            **kwargs: What Dask hands to every scheduler; of no use here.

        Raises:
            BaseException: What a task raised, with a note of its key.
            CostLimitError, TargetError: It cannot continue.
        """
        self.job = self._started(dsk, keys)
        try:
            return self.job.result()
        except KeyboardInterrupt:
            self.job.cancel()
            raise

    def start(self, collection: Any) -> GraphJob:
        """Send a collection's graph off and return it as a job at once; it continues when this process ends.

        `lambdamagic.attach(job.job_id)` reattaches to it in another process of this user, and its `result()` is what
        `collection.compute()` returns.

        Raises:
            ConfigError: This Dask makes the result here, after the graph; it is too old.
            CaptureError, EncodeError, TargetError: The graph cannot be sent.
        """
        dsk, keys = _captured(collection)
        if not isinstance(keys, list) or len(keys) != 1 or isinstance(keys[0], list):
            raise ConfigError(
                "this Dask makes a collection's result after its graph, which another process could not do",
                hint="Install dask 2025.4 or newer, or start collection.to_delayed() and the like",
            )
        self.job = self._started(dsk, keys[0])
        return self.job

    def plan(self, collection: Any) -> GraphPlan:
        """Return what a collection's graph takes, before anything is sent; its text is for a person."""
        graph = graph_from_dask(*_captured(collection))
        tasks, target = len(graph.nodes), self._launcher.target()
        prices = Prices.of(target.region)
        return plan_of(fused(graph), tasks=tasks, workers=self._launcher.concurrency(), prices=prices)

    def _started(self, dsk: Any, keys: Any) -> GraphJob:
        graph = fused(graph_from_dask(dsk, keys))
        names = sorted({str(key[0] if isinstance(key, tuple) else key).partition("-")[0] for key in graph.wanted})
        label = ", ".join(names[:_LABEL_KEYS]) + (", ..." if len(names) > _LABEL_KEYS else "")
        return start_walks(self._launcher, graph, keys, label=label)


class _Captured(BaseException):
    """What Dask hands to a scheduler, which does not compute it."""

    def __init__(self, dsk: Any, keys: Any) -> None:
        super().__init__()
        self.dsk, self.keys = dsk, keys


def _captured(collection: Any) -> tuple[Any, Any]:
    """Return a collection's graph, optimized by Dask itself, and the keys that are asked for."""

    def get(dsk: Any, keys: Any, **kwargs: Any) -> NoReturn:
        raise _Captured(dsk, keys)

    try:
        collection.compute(scheduler=get)
    except _Captured as found:
        return found.dsk, found.keys
    raise ConfigError(f"{type(collection).__name__} is no collection of Dask's: it computes without a scheduler")
