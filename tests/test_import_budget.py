"""What is imported when, held by a list."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "boto3",
    "botocore",
    "IPython",
    "ipywidgets",
    "numpy",
    "pandas",
    "dill",
    "cloudpickle",
    "moto",
    "rich",
    "click",
    "asyncio",
)


def _loaded(statement: str, names: tuple[str, ...]) -> list[str]:
    script = f"import sys\n{statement}\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


@pytest.mark.parametrize("statement", ["import lambdamagic", "import lambdamagic.errors"])
def test_importing_the_package_loads_nothing_heavy(statement):
    """Neither AWS nor notebook nor pickling libraries."""
    assert _loaded(statement, HEAVY) == []


def test_the_function_imports_nothing_heavy():
    """A cold start pays for every import: no boto3, no notebook, no event loop, no class that is compiled at import."""
    statement = "import lambdamagic.worker.handler\nimport lambdamagic.worker.invocation"
    slow = (
        "concurrent.futures",
        "http.client",
        "urllib.request",
        "ssl",
        "tempfile",
        "csv",
        "datetime",
        "queue",
        "random",
        "opcode",
    )
    assert _loaded(statement, (*HEAVY, *slow, "dataclasses", "inspect")) == []


def test_an_invoker_imports_less_than_a_function():
    """Neither pickling nor what programs need: it hands bytes on."""
    statement = "import lambdamagic.worker.invoker"
    assert _loaded(statement, (*HEAVY, "concurrent.futures", "http.client", "ssl", "lambdamagic.codec.encode")) == []
    script = (
        "import os; os.environ.update(AWS_ACCESS_KEY_ID='a', AWS_SECRET_ACCESS_KEY='b')\n"
        "from lambdamagic.worker import invoker\n"
        "context = type('C', (), {'get_remaining_time_in_millis': lambda self: 60000})()\n"
        "assert invoker.handler({}, context)['status'] == 'refused'\ninvoker.EventSender()"
    )
    assert (
        _loaded(script, (*HEAVY, "concurrent.futures", "lambdamagic.codec.encode", "lambdamagic.worker.program")) == []
    )


def test_the_errors_and_the_protocol_need_only_themselves():
    """They can be read anywhere."""
    ours = "print(*sorted(name for name in sys.modules if name.startswith('lambdamagic')))"
    script = f"import sys\nimport lambdamagic.protocol.envelope\n{ours}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [
        "lambdamagic",
        "lambdamagic.errors",
        "lambdamagic.protocol",
        "lambdamagic.protocol.envelope",
        "lambdamagic.protocol.payload",
        "lambdamagic.protocol.reading",
        "lambdamagic.protocol.stayed",
    ]
