"""An engine for each test, whose waits have no chance in them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lambdamagic.jobs.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    before = set(threading.enumerate())
    found = Engine(jitter=lambda: 0.0)
    yield found
    found.close()
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert "lambdamagic-engine" not in left
