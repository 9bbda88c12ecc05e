"""joblib's backend "lambdamagic": `Parallel` on Lambda, and with it scikit-learn's `n_jobs`."""

from __future__ import annotations

import operator
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
from lambdamagic.codec.shared import Shared

NAME = "lambdamagic"

#: joblib's own `max_nbytes`: from here on it maps arrays into memory instead of pickling them.
SHARED_ARRAY_MIN_BYTES = 1_000_000
_ARRAYS_KEPT = 64


class LambdaBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc,unused-ignore]  # joblib is untyped
    """Sends joblib's batches to Lambda; parallel code inside of a task runs in threads there, as joblib chooses.

    Args:
        nesting_level: joblib's own.
        inner_max_num_threads: joblib's own; Lambda's environments limit their threads by their memory.
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
        self._arrays = SharedArrays()

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
        self._executor = LambdaExecutor(**{**self._options, "max_workers": count})
        return count

    def submit(self, func: Any, callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Send a batch."""
        assert self._executor is not None
        # The batch is of joblib's class, so what the user's functions in it read would not be looked for.
        holding = getattr(func, "items", ())
        future = self._executor._submit(operator.call, (func,), {}, holding=holding, share=self._arrays)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return a batch's results, or raise its exception."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop what waits and tell what runs to stop."""
        if self._executor is not None:
            self._executor._abort()
            self._executor = None
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)

    def terminate(self) -> None:
        """End a `Parallel` call."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self._arrays = SharedArrays()
        self.reset_batch_stats()


class SharedArrays:
    """The large arrays among the arguments of one `Parallel` call: each travels once.

    As with joblib's own processes, which map them into memory, they are read-only in the tasks, and what is changed
    during the call is not seen.
    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: OrderedDict[int, Shared] = OrderedDict()

    def __call__(self, value: Any) -> Shared | None:
        """Return the shared object for an array, or None if it travels with its task."""
        kind = type(value)
        if kind.__name__ != "ndarray" or value.nbytes < SHARED_ARRAY_MIN_BYTES or value.dtype.hasobject:
            return None
        with self._lock:
            found = self._by_id.pop(id(value), None)
            found = found or Shared(value, process.home(), writer())  # keeps the array, and so its id
            self._by_id[id(value)] = found
            if len(self._by_id) > _ARRAYS_KEPT:
                self._by_id.popitem(last=False)
        return found


def register() -> None:
    """Tell joblib of the backend. Idempotent."""
    register_parallel_backend(NAME, LambdaBackend)
