"""Lattices on a real Covalent server, on the embedded Lambda."""

from __future__ import annotations

import pytest

from tests.covalent.environment import CovalentHome

# The lattice of the documentation of Covalent's own executor for AWS Lambda.
_DOCUMENTED = """
{executor}
@ct.electron(executor=executor)
def join_words(a, b):
    return ", ".join([a, b])

@ct.electron(executor=executor)
def excitement(a):
    return f"{{a}}!"

@ct.lattice
def simple_workflow(a, b):
    phrase = join_words(a, b)
    return excitement(phrase)

found = wait(ct.dispatch(simple_workflow)("Hello", "World"))
answer = str(found.status), found.result
"""


@pytest.mark.parametrize(
    "executor",
    [
        'executor = "lambdamagic"',
        'executor = "awslambda"',
        "from covalent.executor import AWSLambdaExecutor\n"
        'executor = AWSLambdaExecutor(timeout=60, region="eu-central-1", poll_freq=1, memory_mb=512)',
        "from covalent.executor import LambdaMagicExecutor\nexecutor = LambdaMagicExecutor(timeout_s=60, retries=1)",
    ],
    ids=["lambdamagic", "awslambda", "AWSLambdaExecutor", "LambdaMagicExecutor"],
)
def test_the_documented_lattice(covalent: CovalentHome, executor: str) -> None:
    """Runs under both names, and by instances with own values."""
    assert covalent.run(_DOCUMENTED.format(executor=executor)) == ["COMPLETED", "Hello, World!"]
