"""A node as a task of a map: what an invocation calls. Runs in Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdamagic.graphs.graph import Key, Run
from lambdamagic.worker.stays import Stays


def run_node(run: Run, values: Mapping[Key, Any], stays: bool) -> Any:
    """Return a node's value, which stays in the bucket if it is to and is worth it."""
    value = run(values)
    return Stays(value) if stays else value
