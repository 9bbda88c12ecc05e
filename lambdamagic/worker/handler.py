"""The function's entry point: `lambdamagic.worker.handler.handler`.

What an invocation needs is imported here, in INIT, where AWS gives a full CPU whatever the function's memory is
("Understanding the Lambda execution environment lifecycle"); in the first invocation it has the memory's share of one.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from lambdamagic.worker import init_mark

_FAILED_MS = init_mark.begin()

from lambdamagic.worker.invocation import serve  # noqa: E402  # INIT may take long here
from lambdamagic.worker.tally import Tally  # noqa: E402

if TYPE_CHECKING:
    from lambdamagic.worker.restoring import Restored

#: After a rest as long as this a kept connection may be dead without having said so, and a request on it would hang.
_FROZEN_S = 5.0
_state: dict[str, Any] = {}


def _nothing() -> None:
    """Forget nothing: there are no connections yet."""


def handler(event: Any, context: Any) -> Any:
    """Run one invocation of a job and return its answer; see `protocol.envelope`."""
    account = Tally(time.perf_counter(), init_ms=0.0 if _state else _billed_before_ms(), is_cold=not _state)
    transfers = sys.modules.get("lambdamagic.storage.presigned")
    # By the clock on the wall: the other one stands still while the environment is frozen.
    if transfers is not None and abs(time.time() - _state.get("ended_at", 0.0)) > _FROZEN_S:
        # A thread that asks whether the job was cancelled may be importing it just now.
        getattr(transfers, "forget_idle_connections", _nothing)()
    try:
        return serve(event, context, _state, account)
    finally:
        _state["ended_at"] = time.time()


def _billed_before_ms() -> float:
    """Return what is billed of the time before the first invocation: all of INIT, or the restore of a snapshot."""
    return _INIT_MS if _restored is None else _restored.took_ms


_restored: Restored | None = None
if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    from lambdamagic.worker.restoring import RESTORED

    RESTORED.register()
    _restored = RESTORED

#: INIT ends soon after this module. One that failed before is billed too.
_INIT_MS = _FAILED_MS + init_mark.since_start_ms()
init_mark.end()
