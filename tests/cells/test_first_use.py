"""The first cell on AWS deploys what it needs, in a real kernel: asked, answered, and where no prompt is possible."""

from __future__ import annotations

import zipfile
from contextlib import closing

import pytest

from lambdamagic.local.local_server import LocalServer
from tests.deploy.accounts import Account
from tests.deploy.wheels import make_wheel
from tests.kernels import Kernel

_BODY = "import os, parcel\n(parcel.VERSION, os.environ['AWS_LAMBDA_FUNCTION_NAME'])"


@pytest.fixture
def kernel(own_home):
    """A separate kernel, which has imported nothing: what a notebook imports is what is deployed."""
    with closing(Kernel()) as found:
        assert found.run("%load_ext lambdamagic").status == "ok"
        yield found


@pytest.fixture
def account(kernel, tmp_path):
    """An account with nothing in it, and a kernel that knows its credentials and has two packages of an index."""
    index, site = tmp_path / "index", tmp_path / "site-packages"
    for name, version in (("parcel", "1.4.2"), ("weights", "0.3.1")):
        zipfile.ZipFile(make_wheel(index, name, version)).extractall(site)  # a pure wheel is installed by unzipping it
    with LocalServer.start() as server:
        known = {
            **server.connection.environment(),
            "LAMBDAMAGIC_TARGET": "aws",
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "PIP_NO_INDEX": "1",
            "UV_OFFLINE": "1",
            "UV_CACHE_DIR": str(tmp_path / "uv"),
            "PIP_FIND_LINKS": str(index),
            "UV_FIND_LINKS": str(index),
        }
        made = kernel.run(f"import os, sys\nos.environ.update({known})\nsys.path.append({str(site)!r})")
        assert made.status == "ok", made.messages
        yield Account(server)


def test_the_question_is_asked_in_a_notebook_and_never_without_a_user(kernel, account):
    """No is kept for the session; yes deploys what the cell imports, which then runs; so for a package added later."""
    before = account.inventory()
    cell = f"%%lambda\n{_BODY}"
    headless, _ = kernel.run_asked(cell, None)
    assert headless.error["ename"] == "FunctionMissingError"
    assert "%lambda deploy" in headless.error["evalue"] and "LAMBDAMAGIC_DEPLOY=always" in headless.error["evalue"]

    refused, _ = kernel.run_asked("import os\nos.environ['LAMBDAMAGIC_FUNCTION'] = 'unwanted'", None)
    refused, question = kernel.run_asked(cell, "n")
    assert question == "Deploy unwanted now? [y/N] "
    assert refused.error["ename"] == "FunctionMissingError"
    assert kernel.run(cell).error["ename"] == "FunctionMissingError", "and it is not asked again"
    kernel.run("del os.environ['LAMBDAMAGIC_FUNCTION']\nos.environ['LAMBDAMAGIC_DEPLOY'] = 'never'")
    assert kernel.run(cell).error["ename"] == "FunctionMissingError"
    kernel.run("os.environ['LAMBDAMAGIC_DEPLOY'] = 'ask'")
    assert account.inventory() == before, "nothing was made so far"

    made, question = kernel.run_asked(cell, "y")
    assert made.status == "ok", made.messages
    shown = made.stream("stdout")
    assert question == "Deploy lambdamagic now? [y/N] "
    assert f"123456789012, {account.access.region}" in shown and "parcel 1.4.2" in shown and "storage only" in shown
    assert "✓ Function created" in shown
    assert made.value == "('1.4.2', 'lambdamagic')"

    lacking = "%%lambda\nimport parcel, weights\nparcel.VERSION + weights.VERSION"
    headless, _ = kernel.run_asked(lacking, None)
    assert headless.error["ename"] == "ParityError" and "LAMBDAMAGIC_DEPLOY=always" in headless.error["evalue"]
    refused, question = kernel.run_asked(lacking, "n")
    assert question == f"Add weights==0.3.1 to lambdamagic ({account.access.region}), for all its users? [y/N] "
    assert "weights (here 0.3.1) is missing." in refused.stream("stdout")
    assert refused.error["ename"] == "ParityError"
    assert kernel.run(lacking).error["ename"] == "ParityError", "and it is not asked again"
    kernel.run("os.environ['LAMBDAMAGIC_DEPLOY'] = 'always'")
    added, _ = kernel.run_asked(lacking, None)  # "no" was said to a question, and now none is asked
    assert added.status == "ok", added.messages
    assert added.value == "'1.4.20.3.1'"

    kernel.run("os.environ['LAMBDAMAGIC_DEPLOY'] = 'ask'\nos.environ['XDG_CONFIG_HOME'] += '/of-a-colleague'")
    kernel.run("%reset -f")
    used, question = kernel.run_asked("%%lambda\nimport weights\nweights.VERSION", "y")
    assert question == "Use lambdamagic, and add the missing packages? [y/N] "
    assert used.value == "'0.3.1'"
    assert kernel.run(lacking).value == "'1.4.20.3.1'", "what the other notebook needs is there still"
