"""The scheduler for Dask: a callable that takes a graph and keys."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import dask
from dask.base import named_schedulers
from dask.callbacks import local_callbacks

from lambdamagic.api.graph_job import GraphJob
from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.config import Settings
from lambdamagic.errors import ConfigError
from lambdamagic.events import Listener
from lambdamagic.graphs.dask_callbacks import Watching
from lambdamagic.graphs.dask_graph import graph_from_dask, in_shape_of
from lambdamagic.graphs.fusing import fused
from lambdamagic.graphs.graph import Graph, Key
from lambdamagic.graphs.graph_plan import GraphPlan, plan_of
from lambdamagic.graphs.graph_run import GraphRun
from lambdamagic.graphs.paces import Paces, kind_of
from lambdamagic.graphs.walked import start_walks
from lambdamagic.jobs.outcomes import WITHIN
from lambdamagic.jobs.prices import Prices
from lambdamagic.runs.spec import fitting_function
from lambdamagic.walks.choice import better
from lambdamagic.widgets.showing import front_of

NAME = "lambdamagic"
_LABEL_KINDS = 3


class DaskScheduler:
    """Computes Dask's graphs on Lambda: `x.compute(scheduler=DaskScheduler(memory_mb=4096))`. Thread-safe.

    With `mode="event"` the graph runs in walks, which need no client (docs/walks.md). With the default mode it does so
    where the function was deployed with `--graphs`, on AWS, and walks are expected to be faster; else it is scheduled
    from here.

    After a failure, computing the same collection again continues where it failed: what the next graph needs and was
    computed is not computed again.

    Args:
        max_workers: Invocations that may run at once; the setting `max_concurrency`.
        progress: Whether graphs are shown while they run, as `LambdaExecutor` does; None for in notebooks only.
        **options: Any setting of docs/configuration.md: `memory_mb`, `timeout_s`, `retries`, `max_cost`, ...

    Raises:
        ConfigError: An option is unknown or out of its limits.
    """

    def __init__(self, *, max_workers: int | None = None, progress: bool | None = None, **options: Any) -> None:
        given = {**options} if max_workers is None else {**options, "max_concurrency": max_workers}
        shows = is_notebook() if progress is None else progress
        self._launcher = Launcher(read_options(given), shows_progress=shows)
        self._paces = Paces()
        self._lock = threading.Lock()
        self._unfinished: dict[Key, Any] = {}
        self._running: set[GraphRun | GraphJob] = set()
        self._failed_walks: tuple[Any, GraphJob] | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._launcher.settings

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event of graphs that are computed from now on; see `lambdamagic.events`."""
        self._launcher.listeners.append(listener)

    def cancel(self) -> None:
        """Stop what is being computed: whoever waits for it gets `JobCancelledError`. Returns at once; idempotent."""
        with self._lock:
            running = list(self._running)
        for run in running:
            run.cancel()

    def __call__(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """Return the values of keys, in the shape in which they were requested.

        Args:
            dsk: A graph of Dask's.
            keys: A key, or lists of keys.
            **kwargs: What Dask hands to every scheduler; of no use here.

        Raises:
            BaseException: What a task raised, with a note of its key.
            CostLimitError, TargetError: It cannot continue.
        """
        graph = fused(graph_from_dask(dsk, keys))
        if self._goes_in_walks(graph):
            return self._walked(graph, keys)
        with local_callbacks() as callbacks:
            watching = Watching(callbacks, dsk, graph)
            watching.begin()
            try:
                found = self._computed(graph, watching)
            except BaseException:
                watching.end(failed=True)
                raise
            watching.end(failed=False)
        return in_shape_of(keys, found)

    def _goes_in_walks(self, graph: Graph) -> bool:
        """Choose how the graph runs: as requested, or the faster way if both are possible."""
        mode, place = self.settings.mode, self._launcher.place()
        if mode != "auto" or not graph.nodes:
            return mode == "event" and bool(graph.nodes)
        target = place.target
        if not target.is_billed or target.stager.store is None:
            return False  # the embedded Lambda has a few workers, and its requests take no time
        if not fitting_function(place.resolved, target, None).runs_graphs:
            return False
        return better(self._plan(graph).ways) == "walks"

    def _plan(self, graph: Graph, tasks: int = 0) -> GraphPlan:
        target, workers = self._launcher.target(), self._launcher.concurrency()
        return plan_of(
            graph, tasks=tasks, workers=workers, prices=Prices.of(target.region), expected_s=self._expected_s
        )

    def _expected_s(self, key: Key) -> float | None:
        pace = self._paces.of(kind_of(key))
        return None if pace is None else pace.seconds

    def _walked(self, graph: Graph, keys: Any) -> Any:
        what = keys, frozenset(graph.nodes)
        with self._lock:
            failed, self._failed_walks = self._failed_walks, None
        if failed is not None and failed[0] == what:
            job = failed[1]
            job.retry()
        else:
            job = start_walks(self._launcher, graph, keys, label=label_of(graph))
        with self._lock:
            self._running.add(job)
        try:
            return job.result()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                job.cancel()
            elif job.state != "running":
                with self._lock:
                    self._failed_walks = what, job
            raise
        finally:
            with self._lock:
                self._running.discard(job)

    def start(self, collection: Any) -> GraphJob:
        """Send a collection's graph off in walks and return it as a job at once; it continues when this process ends.

        `lambdamagic.attach(job.job_id)` reattaches to it in another process of this user, and its `result()` is what
        `collection.compute()` returns.

        Raises:
            ConfigError: The function was not deployed with `--graphs`, or Dask is too old.
            CaptureError, EncodeError, TargetError: The graph cannot be sent.
        """
        dsk, keys = captured(collection)
        if not isinstance(keys, list) or len(keys) != 1 or isinstance(keys[0], list):
            raise ConfigError(
                "this version of Dask finalizes a collection outside its graph, which mode event cannot do",
                hint="Install dask 2025.4 or newer",
            )
        graph = fused(graph_from_dask(dsk, keys[0]))
        return start_walks(self._launcher, graph, keys[0], label=label_of(graph))

    def plan(self, collection: Any) -> GraphPlan:
        """Return an estimate for a collection's graph before anything is sent; print it to read it."""
        graph = graph_from_dask(*captured(collection))
        return self._plan(fused(graph), len(graph.nodes))

    def _computed(self, graph: Graph, watching: Watching) -> dict[Key, Any]:
        with self._lock:
            known, self._unfinished = self._unfinished, {}
        run = GraphRun(
            self._launcher,
            graph,
            label=label_of(graph),
            paces=self._paces,
            known={key: value for key, value in known.items() if key in graph.nodes},
            watch=watching if watching.is_watched else None,
        )
        with self._lock:
            self._running.add(run)
        try:
            return run.run()
        except BaseException:
            with self._lock:
                self._unfinished = {key: value for key, value in run.values.items() if value is not WITHIN}
            raise
        finally:
            with self._lock:
                self._running.discard(run)


class _Captured(BaseException):
    """The graph and keys that Dask passes to a scheduler, without computing them."""

    def __init__(self, dsk: Any, keys: Any) -> None:
        super().__init__()
        self.dsk, self.keys = dsk, keys


def captured(collection: Any) -> tuple[Any, Any]:
    """Return a collection's graph, optimized by Dask itself, and the keys that are asked for.

    Raises:
        ConfigError: It is no collection of Dask's.
    """

    def get(dsk: Any, keys: Any, **kwargs: Any) -> NoReturn:
        raise _Captured(dsk, keys)

    try:
        collection.compute(scheduler=get)
    except _Captured as found:
        return found.dsk, found.keys
    raise ConfigError(f"{type(collection).__name__} is not a Dask collection: its compute() uses no scheduler")


def is_notebook() -> bool:
    """Whether this process runs a notebook with a viewer."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython is not None and front_of(get_ipython()) == "notebook"


def label_of(graph: Graph) -> str:
    """Return a label for a graph: the operations of the requested keys."""
    kinds = sorted({_operation(graph, key) for key in graph.wanted})
    more = "" if len(kinds) <= _LABEL_KINDS else ", ..."
    return ", ".join(kinds[:_LABEL_KINDS]) + more


#: Dask's own last step, which puts a collection's parts together.
_LAST_STEP = re.compile(r"-?finalize-.*$")


def _operation(graph: Graph, key: Key) -> str:
    """Return the operation that makes a value, without Dask's own last step."""
    node = graph.nodes.get(graph.aliases.get(key, key))
    keys = [key] if node is None else [node.key, *sorted(node.needs, key=repr)]
    return next((kind for each in keys if (kind := _LAST_STEP.sub("", kind_of(each)))), kind_of(key))


#: By the settings' values, so that a change of settings counts and what was learned is kept.
_by_settings: dict[str, DaskScheduler] = {}


def get(dsk: Any, keys: Any, **kwargs: Any) -> Any:
    """Compute a graph with the settings in force, as `DaskScheduler()` does; what `scheduler="lambdamagic"` means."""
    found = DaskScheduler()
    return _by_settings.setdefault(repr(found.settings), found)(dsk, keys, **kwargs)


@contextlib.contextmanager
def scheduler(**options: Any) -> Iterator[DaskScheduler]:
    """Let Dask compute on Lambda while the context is open, under these options.

    Args:
        **options: What `DaskScheduler` takes.
    """
    found = DaskScheduler(**options)
    with dask.config.set(scheduler=found):
        yield found


def register() -> None:
    """Make the scheduler known to Dask by its name. Idempotent."""
    named_schedulers[NAME] = get
