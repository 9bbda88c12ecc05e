"""What an encoder has written lives no longer than the encoder."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.home import Home


class Held:
    """Something that says when it is gone."""

    def __init__(self) -> None:
        self.values = np.zeros(1_000_000)


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", ["c", "dill", "dill-forced", "cloudpickle"])
def test_a_payload_is_released_with_its_encoder(kind: str, no_collector: None) -> None:
    """Gigabytes of a notebook would stay in memory after their job, until enough small objects were made."""
    held = Held()
    seen = weakref.ref(held.values)
    encoder = Encoder(Home({"__name__": "__main__"}), kind=kind)
    encoder.dump(held)
    del held
    assert seen() is not None, "the encoder keeps what its numbers mean"
    del encoder
    assert seen() is None
