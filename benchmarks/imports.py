"""What importing costs: the package, and the part in Lambda."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Comparison, compare, show


def _fresh(code: str) -> float:
    timed = f"import time; began = time.perf_counter(); {code}; print((time.perf_counter() - began) * 1000)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> list[Comparison]:
    """Run and print."""
    lines = [
        compare(
            "import lambdamagic",
            lambda: _fresh("import lambdamagic"),
            "import json",
            lambda: _fresh("import json"),
            goal=None,
            rounds=9,
        ),
        compare(
            "%load_ext lambdamagic",
            lambda: _fresh("import IPython; began = time.perf_counter(); import lambdamagic.magics.magics"),
            "import boto3",
            lambda: _fresh("import boto3"),
            goal=None,
            rounds=7,
        ),
        compare(
            "all of the handler's code",
            lambda: _fresh("import lambdamagic.worker.invocation"),
            "import awslambdaric.bootstrap",
            lambda: _fresh("import awslambdaric.bootstrap"),
            goal=None,
            rounds=9,
        ),
    ]
    show("Imports, in fresh processes", lines)
    return lines


if __name__ == "__main__":
    main()
