"""What INIT imports, so that no invocation has to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lambdamagic import LambdaExecutor
from tests.api.conftest import one_process_of_apis  # noqa: F401  # a fixture

_UNUSED_MB = 1_237  # a size that no other test has: what one of those ran in an environment has imported more


@pytest.mark.usefixtures("one_process_of_apis")
def test_the_first_call_imports_no_module_of_lambdamagic() -> None:
    """AWS gives INIT a full CPU, and an invocation the memory's share of one: what a call needs is there before."""
    source = "import sys, lambdamagic.worker.handler; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    in_init = set(done.stdout.split())
    with LambdaExecutor(target="local", max_workers=1, memory_mb=_UNUSED_MB) as executor:
        loaded = executor.submit(eval, "sorted(__import__('sys').modules)").result()
    ours = {name for name in loaded if name.partition(".")[0] in ("lambdamagic", "dill", "IPython")}
    assert ours - in_init == set()
