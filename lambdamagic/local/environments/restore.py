"""SnapStart: an initialized process that waits, and becomes one environment when it is needed.

AWS copies one such process as often as it needs environments. A process cannot be copied here: the first environment of
a version is the process that was initialized when the version was published, and each further one is initialized by
itself, up to the same point. What follows is the same: the restore is answered, hooks run, then comes the first task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lambdamagic.local.server.error_bodies import AwsError

TIMEOUT_S = 10.0  # "Lambda SnapStart runtime hooks": loading the runtime and all after-restore hooks


def not_ready(state: str, arn: str) -> AwsError:
    """Return why a version whose snapshot is not there cannot be invoked."""
    if state == "Pending":
        text = f"Lambda is initializing your function. It can be invoked when its state becomes Active: {arn}"
        return AwsError(409, "SnapStartNotReadyException", text)
    text = f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    return AwsError(409, "ResourceConflictException", text)


class Restore:
    """One environment's way from its snapshot to its first task. Lives in the event loop.

    Attributes:
        ms: How long it took; None before its end.
    """

    def __init__(self) -> None:
        self.ms: float | None = None
        self._proceed: Callable[[], None] | None = None
        self._ended: asyncio.Future[str | None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the process is initialized and is not restored."""
        return self._proceed is not None

    def reach(self, proceed: Callable[[], None]) -> None:
        """Take note that the process has come to where the snapshot is taken; `proceed` continues it."""
        self._proceed = proceed

    async def run(self) -> None:
        """Continue the process, until it is ready for a task.

        Raises:
            AwsError: A hook failed, or they took too long.
        """
        began = time.perf_counter()
        proceed, self._proceed = self._proceed, None
        assert proceed is not None
        self._ended = asyncio.get_running_loop().create_future()
        proceed()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                failure = await self._ended
        except TimeoutError:
            text = f"Lambda couldn't restore the snapshot within {TIMEOUT_S:.0f} s."
            raise AwsError(408, "SnapStartTimeoutException", text) from None
        if failure is not None:
            raise AwsError(400, "SnapStartException", failure)
        self.ms = (time.perf_counter() - began) * 1000

    def end(self, failure: str | None = None) -> bool:
        """Note how it ended; return False if none was under way."""
        if self._ended is None or self._ended.done():
            return False
        self._ended.set_result(failure)
        return True
