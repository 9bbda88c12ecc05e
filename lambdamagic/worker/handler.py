"""The function's entry point: `lambdamagic.worker.handler.handler`.

Imported at every cold start, so that all but a few lines is imported when the first event is there: the time is the
same, but an environment that Lambda made ahead of need does not pay twice for what is never used.
"""

from __future__ import annotations

import time
from typing import Any

_state: dict[str, Any] = {}


def handler(event: Any, context: Any) -> Any:
    """Run one invocation of a job and return its answer; see `protocol.envelope`."""
    from lambdamagic.worker.invocation import serve

    began = time.perf_counter()
    is_cold = not _state
    return serve(event, context, _state, began=began, is_cold=is_cold)
