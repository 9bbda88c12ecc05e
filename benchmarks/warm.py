"""An executor on the embedded Lambda whose function is there and has run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lambdamagic.api.executor import LambdaExecutor
from lambdamagic.targets.local_target import LocalTarget


@contextmanager
def warm_executor(**options: Any) -> Iterator[tuple[LambdaExecutor, LocalTarget]]:
    """Give an executor that has made one call, and its target; `options` are the executor's."""
    with LambdaExecutor(target="local", **options) as executor:
        executor.submit(abs, 1).result()
        target = executor._launcher.target()
        assert isinstance(target, LocalTarget)
        yield executor, target
