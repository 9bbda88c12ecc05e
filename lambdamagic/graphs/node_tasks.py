"""The callables that an invocation of a graph calls for each node. Runs in Lambda, so it imports little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambdamagic.graphs.graph import Key, Run
from lambdamagic.worker.stays import Goes, Stays
from lambdamagic.worker.within import resolved


def run_node(run: Run, values: Mapping[Key, Any], goes: Goes, uses: int) -> Any:
    """Return a node's value, and where it goes; see `Stays`."""
    return Stays(run(resolved(values)), goes, uses)


def run_cubed(function: Callable[..., Any], config: Any, block: Any) -> Any:
    """Return what an operation of Cubed's gives for a block, and what Cubed wants to know of the run."""
    from cubed.runtime.utils import execute_with_stats

    return execute_with_stats(function, block, config=config)
