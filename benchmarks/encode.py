"""Encoding against the C pickler alone and against dill."""

from __future__ import annotations

import gc
import pickle
import time
from typing import Any

from benchmarks.measure import Comparison, compare, show
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.home import Home


def main() -> list[Comparison]:
    """Run and print."""
    import dill
    import numpy as np

    home = Home({})
    values: dict[str, Any] = {
        "list of 1M ints": list(range(1_000_000)),
        "dict of 200k tuples": {f"key {number}": (number, str(number)) for number in range(200_000)},
        "100 MB array": np.random.default_rng(0).random(12_500_000),
    }
    lines = []
    for label, value in values.items():

        def ours(value: Any = value) -> float:
            return _timed(lambda: _encode(home, value))

        def baseline(value: Any = value) -> float:
            return _timed(lambda: pickle.dumps(value, protocol=5))

        def with_dill(value: Any = value) -> float:
            return _timed(lambda: dill.dumps(value, protocol=5))

        lines.append(compare(label, ours, "C pickle", baseline, goal=1.3, rounds=7))
        rounds = 1 if "array" not in label else 3
        lines.append(compare(label, ours, "dill", with_dill, goal=None, rounds=rounds, warm_up=0))
    show("Encoding", lines)
    return lines


def _encode(home: Home, value: Any) -> object:
    encoder = Encoder(home)
    encoder.dump(("names", {"value": value}))
    return encoder.frames()


def _timed(call: Any) -> float:
    gc.collect()
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
