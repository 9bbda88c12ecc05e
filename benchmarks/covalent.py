"""One electron on the embedded Lambda against one on Covalent's local executor, on one real Covalent server.

Both are warm. What is timed is what Covalent notes as an electron's start and end, so that its own bookkeeping around
electrons, which both share, does not count.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Comparison, compare, show

_LATTICE = """
@ct.electron(executor={name!r})
def add(a, b):
    return a + b

@ct.lattice
def chain(count):
    value = 0
    for _ in range(count):
        value = add(value, 1)
    return value

found = wait(ct.dispatch(chain)(3))
assert found.result == 3, nodes(found)
took = [
    (each["end_time"] - each["start_time"]).total_seconds()
    for each in found.get_all_node_results()
    if each["node_name"] == "add"
]
answer = 1000 * sum(took) / len(took)
"""


def main() -> list[Comparison]:
    """Measure, print and return."""
    from tests.covalent.environment import CovalentHome, lambdamagic_metadata, make
    from tests.images.base import cache_folder

    python = make(cache_folder())
    with tempfile.TemporaryDirectory(prefix="covalent-") as folder:
        package = lambdamagic_metadata(python, Path(folder) / "package")
        home = CovalentHome(python, Path(folder) / "home", package)
        try:
            home.start()
            line = compare(
                "an electron, warm",
                lambda: home.run(_LATTICE.format(name="lambdamagic")),
                "Covalent's local executor",
                lambda: home.run(_LATTICE.format(name="local")),
                goal=0.6,
                rounds=8,
            )
        finally:
            home.close()
    show("Covalent, on one server", [line])
    return [line]


if __name__ == "__main__":
    main()
