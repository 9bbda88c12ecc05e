"""joblib's backend "lambdamagic": `Parallel` on Lambda, and with it scikit-learn's `n_jobs`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib import register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase

from lambdamagic.api import process
from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.codec.encode import writer
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared
from lambdamagic.errors import ConfigError
from lambdamagic.worker import joblib_batch

NAME = "lambdamagic"

#: joblib's own `max_nbytes`: from here on it maps arrays into memory instead of pickling them.
SHARED_ARRAY_MIN_BYTES = 1_000_000
_ARRAYS_KEPT = 64


#: Arguments that `Parallel` passes to every backend, and that are not options of ours.
_JOBLIBS = frozenset({"max_nbytes", "temp_folder", "mmap_mode", "prefer", "require", "verbose", "context"})
#: What joblib's other backends take and has no counterpart here, with the reason.
_REFUSED = {
    "idle_worker_timeout": "AWS decides how long it keeps an idle environment, and bills nothing for it",
    "timeout": "that is Parallel's own; a task's is timeout_s",
}


def _shared_from(max_nbytes: Any, options: dict[str, Any]) -> int | None:
    """Return the size from which on arrays are shared, read-only; None for none.

    Raises:
        ConfigError: They are to be written to where other tasks see it.
    """
    mode = options.get("mmap_mode", "r")
    if mode in ("r+", "w+"):
        raise ConfigError(
            f"the backend {NAME!r} does not take mmap_mode={mode!r}: tasks on other machines share no memory",
            hint="Use 'r', or 'c' for a separate copy for each task",
        )
    return None if max_nbytes is None or mode in (None, "c") else int(max_nbytes)


class LambdaBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc,unused-ignore]  # joblib is untyped
    """Sends joblib's batches to Lambda; parallel code inside of a task runs in threads there, as joblib chooses.

    Args:
        nesting_level: joblib's own.
        inner_max_num_threads: joblib's own, which refuses it for this backend.
        **options: What `LambdaExecutor` takes: `parallel_config(backend="lambdamagic", memory_mb=4096)`.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1
    # A batch costs an invocation, with its round trip.
    MIN_IDEAL_BATCH_DURATION = 0.5
    MAX_IDEAL_BATCH_DURATION = 5.0

    def __init__(self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **options: Any):
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._options = options
        self._executor: LambdaExecutor | None = None
        self._given: dict[str, Any] = {}
        self._arrays = SharedArrays()

    @property
    def _workers(self) -> LambdaExecutor | None:
        """The executor of the batches; libraries look it up by this name, as on joblib's own backend."""
        return self._executor

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many invocations may run at once for joblib's `n_jobs`."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        return max(LambdaExecutor(**self._options)._launcher.concurrency() + 1 + n_jobs, 1)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Begin a `Parallel` call; return its number of workers."""
        self.parallel = parallel
        count = self.effective_n_jobs(n_jobs)
        self._given = options
        mine = {name: value for name, value in options.items() if name not in _JOBLIBS}
        for name, reason in _REFUSED.items():
            if mine.pop(name, None) is not None:
                raise ConfigError(f"the backend {NAME!r} does not take {name}: {reason}")
        self._arrays = SharedArrays(_shared_from(options.get("max_nbytes", SHARED_ARRAY_MIN_BYTES), options))
        self._executor = LambdaExecutor(**{**self._options, **mine, "max_workers": count})
        return count

    def submit(self, func: Any, callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Send a batch."""
        assert self._executor is not None
        # The batch is of joblib's class, so what the user's functions in it read would not be looked for.
        holding = getattr(func, "items", ())
        future = self._executor._submit(joblib_batch.call, (func,), {}, holding=holding, share=self._arrays)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return a batch's results, or raise its exception."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop waiting calls and stop running ones."""
        if self._executor is not None:
            self._executor._abort()
            self._executor = None
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel, **self._given)

    def terminate(self) -> None:
        """End a `Parallel` call."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self._arrays = SharedArrays()
        self.reset_batch_stats()


class SharedArrays:
    """The large arrays among the arguments of one `Parallel` call: each is sent once.

    As with joblib's own processes, which map them into memory, they are read-only in the tasks, and what is changed
    during the call is not seen.
    Thread-safe.

    Args:
        min_bytes: From this size on; None for none.
    """

    def __init__(self, min_bytes: int | None = SHARED_ARRAY_MIN_BYTES) -> None:
        # A smaller one is written with its task whatever the program says: asking the bucket for it costs more.
        self._min_bytes = None if min_bytes is None else max(min_bytes, SHARED_MIN_BYTES)
        self._lock = threading.Lock()
        self._by_id: OrderedDict[int, Shared] = OrderedDict()

    def __call__(self, value: Any) -> Shared | None:
        """Return the shared object for an array, or None if it is sent with its task."""
        kind = type(value)
        if self._min_bytes is None or kind.__name__ != "ndarray":
            return None
        if value.nbytes < self._min_bytes or value.dtype.hasobject:
            return None
        with self._lock:
            found = self._by_id.pop(id(value), None)
            found = found or Shared(value, process.home(), writer())  # keeps the array, and so its id
            self._by_id[id(value)] = found
            if len(self._by_id) > _ARRAYS_KEPT:
                self._by_id.popitem(last=False)
        return found


def register() -> None:
    """Register the backend with joblib. Idempotent.

    Example:
        >>> import joblib, lambdamagic
        >>> lambdamagic.register_joblib()
        >>> with joblib.parallel_config(backend="lambdamagic", n_jobs=2):
        ...     joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1, -2))
        [1, 2]
    """
    register_parallel_backend(NAME, LambdaBackend)
