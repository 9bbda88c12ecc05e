"""The function's entry point: `lambdamagic.worker.handler.handler`.

Imported at every cold start, so that all but a few lines is imported when the first event is there: the time is the
same, but an environment that Lambda made ahead of need does not pay twice for what is never used.
"""

from __future__ import annotations

import sys
import time
from typing import Any

#: After a rest as long as this a kept connection may be dead without having said so, and a request on it would hang.
_FROZEN_S = 5.0
_state: dict[str, Any] = {}


def handler(event: Any, context: Any) -> Any:
    """Run one invocation of a job and return its answer; see `protocol.envelope`."""
    from lambdamagic.worker.invocation import serve

    began = time.perf_counter()
    is_cold = not _state
    transfers = sys.modules.get("lambdamagic.storage.presigned")
    # By the clock on the wall: the other one stands still while the environment is frozen.
    if transfers is not None and abs(time.time() - _state.get("ended_at", 0.0)) > _FROZEN_S:
        transfers.forget_idle_connections()
    try:
        return serve(event, context, _state, began=began, is_cold=is_cold)
    finally:
        _state["ended_at"] = time.time()
