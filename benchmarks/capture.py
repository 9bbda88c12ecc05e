"""What a cell costs before it is sent: planning and encoding, as ratios to their limits in milliseconds."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from lambdamagic.capture import plan_cell
from lambdamagic.codec.home import Home
from lambdamagic.jobs.encoding import encode_program

#: A trivial cell, and one in a notebook with 1,000 names and a DataFrame of 1 GB that it does not read.
LIMITS_MS = {"trivial": 1.0, "1,000 names and 1 GB": 3.0}


def milliseconds(cell: str, namespace: dict[str, Any], rounds: int = 200) -> float:
    """Return the median time of planning and encoding a cell."""
    home, taken = Home(namespace), []
    for _ in range(rounds):
        began = time.perf_counter()
        encode_program(home, plan_cell(cell, namespace))
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[rounds // 2]


@dataclass(frozen=True)
class Limited:
    """A time and its limit."""

    label: str
    taken_ms: float

    @property
    def is_met(self) -> bool:
        """Whether it is within the limit."""
        return self.taken_ms <= LIMITS_MS[self.label]


def main() -> list[Limited]:
    """Run and print."""
    import numpy as np
    import pandas as pd

    small: dict[str, Any] = {"__name__": "__main__", "x": 1}
    large: dict[str, Any] = {"__name__": "__main__", **{f"name_{n}": [n, str(n)] for n in range(1000)}}
    large["df"] = pd.DataFrame(np.zeros((12_500_000, 10)))
    found = [
        Limited("trivial", milliseconds("x + 1", small)),
        Limited("1,000 names and 1 GB", milliseconds("name_1[0] + name_2[0]", large)),
    ]
    for line in found:
        limit = LIMITS_MS[line.label]
        ratio = f"{line.taken_ms / limit:.2f} of the limit ({line.taken_ms:.2f} of {limit:.1f} ms)"
        sys.stdout.write(f"plan and encode, {line.label}: {ratio}\n")
    return found


if __name__ == "__main__":
    main()
