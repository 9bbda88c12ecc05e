"""Threads for blocking calls that do not keep the process alive.

`ThreadPoolExecutor` joins its threads when the interpreter ends, so that one invocation of fifteen minutes would hold a
kernel that wants to exit. These threads are daemons, started as needed and reused.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any


class DaemonThreads:
    """Runs calls in up to `limit` threads.

    Args:
        limit: How many calls run at once; more wait.
        name: Prefix of the threads' names.
        idle_s: A thread without work ends after this many seconds.
    """

    def __init__(self, limit: int, name: str, idle_s: float = 10.0) -> None:
        self._limit, self._name, self._idle_s = limit, name, idle_s
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        # Threads without a call, less calls without a thread. Kept by who submits, not by who wakes: a thread that was
        # woken for one call would still look idle to the next, which would then wait for the end of the first.
        self._spare = 0
        self._is_closed = False

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Run `call` in a thread, in the caller's context, and return the future of its result."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("these threads are closed")
            self._spare -= 1
            start = self._spare < 0 and self._count < self._limit
            if start:
                self._count += 1
                self._spare += 1
            number = self._count
            self._calls.put((future, partial(copy_context().run, call)))
        if start:
            try:
                self._start(number, idle_s=self._idle_s)
            except RuntimeError:
                future.cancel()  # it is still in the queue, and whoever submitted it may do so again
                raise
        return future

    def keep_one(self) -> None:
        """Start a first thread now, which stays. Idempotent.

        While the interpreter ends, Python 3.12.0 and 3.12.1 start no thread any more, although what was submitted must
        still be done: then this one does all of it.
        """
        with self._lock:
            if self._is_closed or self._count:
                return
            self._count = self._spare = 1
        self._start(1, idle_s=None)

    def _start(self, number: int, *, idle_s: float | None) -> None:
        try:
            threading.Thread(target=self._work, args=(idle_s,), name=f"{self._name}-{number}", daemon=True).start()
        except RuntimeError:  # no memory for another, or see `keep_one`
            with self._lock:
                self._count -= 1
                self._spare -= 1
                if not self._count:
                    raise

    def _work(self, idle_s: float | None) -> None:
        while True:
            try:
                item = self._calls.get(timeout=idle_s)
            except queue.Empty:
                item = None
            if item is None:
                with self._lock:
                    if self._spare <= 0 and not self._is_closed:
                        continue  # a call was queued meanwhile that counts on this thread
                    self._count -= 1
                    self._spare -= 1
                    return
            self._run(*item)
            del item  # an idle thread keeps no call and no result
            with self._lock:
                self._spare += 1

    @staticmethod
    def _run(future: Future[Any], call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  # it belongs to who waits for the future
            future.set_exception(error)
        else:
            future.set_result(result)

    def close(self) -> None:
        """Let idle threads end; calls under way finish by themselves."""
        with self._lock:
            self._is_closed = True
            for _ in range(self._count):
                self._calls.put(None)
