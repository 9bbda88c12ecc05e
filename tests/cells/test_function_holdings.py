"""A function that publishes nothing is asked itself what it holds: once for each version of its code."""

from __future__ import annotations

import sys
import zipfile
from contextlib import closing

import boto3
import pytest

from tests.deploy.image_functions import make_image_function
from tests.deploy.wheels import make_wheel
from tests.local.conftest import package

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_OLD = """
from lambdamagic.worker import handler as today

def handler(event, context):
    event.pop("tell", None)  # what a lambdamagic that does not know the question makes of it
    return today.handler(event, context)
"""
_OTHER = "def handler(event, context):\n    return {'lambdamagic': {}, 'holdings': {'python': '3.99'}}\n"


@pytest.fixture
def silent(notebook, monkeypatch, tmp_path):
    """A function on target `aws` that publishes nothing, and a notebook with two packages that it lacks."""
    notebook.remote("1")  # makes the function
    for name, value in notebook.server.connection.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site-packages"
    for name, version in (("parcel", "1.4.2"), ("weights", "0.3.1")):
        zipfile.ZipFile(make_wheel(tmp_path, name, version)).extractall(site)  # a pure wheel is installed by unzipping
    monkeypatch.syspath_prepend(str(site))
    client = boto3.client("lambda")
    made = client.get_function_configuration(FunctionName=f"lambdamagic-py{HERE.replace('.', '')}-2048mb-300s")
    names = []

    def make(name, files, handler=None):
        if handler is not None:  # Lambda does not say what an image calls
            with closing(boto3.client("ecr")) as ecr:
                folder = tmp_path / name
                make_image_function(client, ecr, name, role=made["Role"], handler=handler, files=files, folder=folder)
        else:
            client.create_function(
                FunctionName=name,
                Runtime=made["Runtime"],
                Role=made["Role"],
                Handler=made["Handler"],
                Code={"ZipFile": package(files)},
                MemorySize=2048,
                Timeout=300,
            )
        names.append(name)
        monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", name)

    monkeypatch.setenv("LAMBDAMAGIC_BUCKET", "lambdamagic-local")
    notebook.make, notebook.client = make, client
    yield notebook
    for name in names:
        client.delete_function(FunctionName=name)
    client.close()


def _asked(notebook, body):
    """Run a cell, and return its error and how many invocations it took."""
    before = notebook.invocations()
    ran = notebook.run(f"%%lambda\n{body}")
    return ran.error, notebook.invocations() - before


def test_a_function_is_asked_once_for_each_version_of_its_code(silent):
    """What it lacks is reported, by one small invocation; a new session asks nothing, and new code is asked again."""
    silent.make("silent", {"weights.py": "VERSION = 'of the function'\n"})
    error, invocations = _asked(silent, "import json\njson.dumps(1)")
    assert (error, invocations) == (None, 1), "nothing is imported that could be missing"
    error, invocations = _asked(silent, "import parcel\n1")
    assert "lacks packages that this code imports: parcel (here 1.4.2) is missing" in str(error)
    assert "Put parcel==1.4.2 into the function's package or image" in error.hint
    assert invocations == 1
    assert _asked(silent, "import numpy\nint(numpy.ones(2).sum())") == (None, 1), "and no question before it"
    assert _asked(silent, "import weights\nweights.VERSION") == (None, 1), "a module without metadata is there too"
    silent.session.forget_targets()
    assert _asked(silent, "import parcel\n1")[1] == 0

    silent.client.update_function_code(FunctionName="silent", ZipFile=package({"parcel.py": "VERSION = '1.4.2'\n"}))
    assert _asked(silent, "import parcel\nassert parcel.VERSION == '1.4.2'") == (None, 2)


def test_a_function_that_does_not_know_the_question_is_not_compared(silent):
    """It refuses, that is remembered, and cells run as before; with `parity = "off"` nothing is asked at all."""
    silent.make("old", {"old.py": _OLD}, "old.handler")
    assert _asked(silent, "import numpy\n1") == (None, 2)
    silent.session.forget_targets()
    assert _asked(silent, "import numpy\n1") == (None, 1)
    assert type(_asked(silent, "import parcel\n1")[0]).__name__ == "ModuleNotFoundError"
    silent.make("off", {"x.py": ""})
    silent.ok("%config LambdaMagics.parity = 'off'")
    try:
        assert _asked(silent, "import numpy\n1") == (None, 1)
    finally:
        silent.ok("%config LambdaMagics.parity = None")


def test_another_python_is_reported_before_anything_is_sent(silent):
    """As from an image that another machine pushed, whose Python Lambda does not report."""
    silent.make("image", {"other.py": _OTHER}, "other.handler")
    for asked in (1, 0):
        error, invocations = _asked(silent, "import numpy\n1")
        assert type(error).__name__ == "VersionMismatchError" and "the function image runs Python 3.99" in str(error)
        assert invocations == asked
