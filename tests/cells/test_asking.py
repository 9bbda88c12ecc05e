"""The question whether a variant may be made, in a real kernel: answered, and where no prompt is possible."""

from __future__ import annotations

import pytest

_SET_UP = """
import contextlib, os, pathlib, tempfile
from lambdamagic.pythons import python_here
from lambdamagic.deploy.packages import code_argument
from lambdamagic.deploy.zips import write_zip

session = get_ipython()._lambdamagic.session
target = session.target(session.settings({"target": "local"}))
name = f"lambdamagic-py{python_here().replace('.', '')}-2048mb-300s"
with tempfile.TemporaryDirectory() as folder, contextlib.closing(target.access.client("lambda")) as client:
    facts = write_zip(pathlib.Path(folder) / "x.zip", [("x.py", b"")])
    code = code_argument(target.access, facts, bucket="lambdamagic-local")
    _ = client.update_function_code(FunctionName=name, **code)
os.environ.update(
    target.server.connection.environment(), LAMBDAMAGIC_FUNCTION=name, LAMBDAMAGIC_BUCKET="lambdamagic-local"
)
"""
_CELL = "%%lambda --memory 4096\nimport os\nos.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']"


@pytest.fixture
def deployed(kernel):
    assert kernel.run("%%lambda\n1").status == "ok"
    made = kernel.run(_SET_UP)
    assert made.status == "ok", made.messages
    yield kernel
    kernel.run("for name in [n for n in os.environ if n.startswith(('LAMBDAMAGIC_', 'AWS_'))]: del os.environ[name]")


def test_the_question_is_asked_in_a_notebook_and_never_without_a_user(deployed):
    """Executed by a script it is one error at once; a person is asked once, and yes makes the variant that runs."""
    headless, _ = deployed.run_asked(_CELL, None)
    assert headless.error["ename"] == "ConfigError"
    assert "LAMBDAMAGIC_VARIANTS=always" in headless.error["evalue"]
    ran, question = deployed.run_asked(_CELL, "y")
    assert "has 2,048 MB and 300 s. Create the variant lambdamagic-py" in question and question.endswith("[y/N] ")
    assert ran.status == "ok", ran.messages
    assert ran.value == "'4096'"
    again = deployed.run(_CELL.replace("4096", "3000"))
    assert again.value == "'3000'"
