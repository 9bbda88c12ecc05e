"""Run a joblib batch in the function: nested code with our backend runs in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def call(batch: Callable[[], Any]) -> Any:
    """Run a batch.

    Args:
        batch: An object of joblib's, which is loaded with it.
    """
    from joblib import parallel

    if "lambdamagic" not in parallel.BACKENDS:
        parallel.register_parallel_backend("lambdamagic", parallel.ThreadingBackend)
    return batch()
