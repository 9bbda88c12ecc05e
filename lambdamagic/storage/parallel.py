"""Parts of one object, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class Parallel:
    """Runs parts in threads, which exist only once there was something to run. Thread-safe.

    Args:
        threads: How many parts are under way at once, over all callers.
    """

    def __init__(self, threads: int) -> None:
        self._size = threads
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, work: Callable[[int], None], count: int, done: Callable[[int], None] | None = None) -> None:
        """Run `work(i)` for every i below `count`; call `done(i)` in order, in the calling thread.

        After the first failure no other part begins. None is under way when this returns or raises, so that no thread
        writes into a buffer that its owner has taken back. Raises the first failure in the order of the parts.
        """
        pool = self._threads()
        failed = threading.Event()

        def run(index: int) -> None:
            if failed.is_set():
                return
            try:
                work(index)
            except BaseException:
                failed.set()
                raise

        futures: list[Future[None]] = [pool.submit(copy_context().run, run, index) for index in range(count)]
        try:
            for index, future in enumerate(futures):
                future.result()
                if failed.is_set():
                    break
                if done is not None:
                    done(index)
        finally:
            failed.set()
            failures = [future.exception() for future in futures]
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """End the threads. Idempotent."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # most workers never need it

                self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="lambdamagic-transfer")
            return self._pool
