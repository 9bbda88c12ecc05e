"""What the code imports is compared with what the function publishes, before anything is sent."""

from __future__ import annotations

import sys

import boto3
import pytest

from lambdamagic.deploy.installed import distributions_of
from lambdamagic.protocol.holdings import VARIABLE, Holdings, pack

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def deployed(notebook, monkeypatch):
    """A function on target `aws` that publishes NumPy and pandas of here, and nothing else."""
    notebook.remote("1")  # makes the function
    for name, value in notebook.server.connection.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("lambda")
    made = client.get_function_configuration(FunctionName=f"lambdamagic-py{HERE.replace('.', '')}-2048mb-300s")
    held = distributions_of(["numpy", "pandas"])
    made_functions = []

    def publish(name, **changes):
        packages = {**held, **changes.pop("packages", {})}
        packages = {name: version for name, version in packages.items() if version}
        holdings = Holdings(HERE, packages, made_by="lambdamagic update parity", **changes)
        client.create_function(
            FunctionName=name,
            Runtime=made["Runtime"],
            Role=made["Role"],
            Handler=made["Handler"],
            Code={"ZipFile": _zip()},
            MemorySize=2048,
            Timeout=300,
            Environment={"Variables": {VARIABLE: pack(holdings)[0]}},
        )
        made_functions.append(name)
        monkeypatch.setenv("LAMBDAMAGIC_FUNCTION", name)

    monkeypatch.setenv("LAMBDAMAGIC_BUCKET", "lambdamagic-local")
    publish("parity")
    notebook.publish = publish
    yield notebook
    for name in made_functions:
        client.delete_function(FunctionName=name)
    client.close()


def _zip():
    from tests.local.conftest import package

    return package({"x.py": ""})


def _sent(notebook):
    puts = notebook.faults.stats()["requests"].get("s3", {})
    return notebook.invocations(), puts.get("PutObject", 0) + puts.get("UploadPart", 0)


def _refused(notebook, body, options=""):
    before = _sent(notebook)
    error = notebook.fails(body, options).error
    assert _sent(notebook) == before, "something was sent"
    assert type(error).__name__ == "ParityError", error
    return error


def test_a_package_that_the_function_lacks(deployed):
    """Named with its version and the command that fixes it; 0 invocations and 0 uploads."""
    deployed.ok("blob = bytes(9_000_000)")
    error = _refused(deployed, "import sklearn.linear_model\nlen(blob)")
    version = distributions_of(["sklearn"])["scikit-learn"]
    assert (
        f"the function parity lacks packages that this code imports: scikit-learn (here {version}) is missing"
        in str(error)
    )
    assert f"`lambdamagic update parity --add 'scikit-learn=={version}'`" in error.hint


def test_after_the_fix_the_same_session_continues(deployed):
    """The function is looked at again when it seems to lack something: no restart after `lambdamagic deploy`."""
    deployed.publish("mended")
    _refused(deployed, "import sklearn\n1")
    client = boto3.client("lambda")
    holdings = Holdings(HERE, distributions_of(["sklearn", "numpy", "pandas"]))
    client.update_function_configuration(
        FunctionName="mended", Environment={"Variables": {VARIABLE: pack(holdings)[0]}}
    )
    client.close()
    assert deployed.remote("import sklearn\n5").value == 5


def test_what_it_has_runs(deployed):
    """Packages that it has, the standard library, and what only the function may have."""
    before = _sent(deployed)
    ran = deployed.remote("import json, numpy\nint(numpy.ones(3).sum())")
    assert ran.value == 3
    assert _sent(deployed)[0] == before[0] + 1


def test_imports_of_functions_and_values_are_compared_too(deployed):
    """Not only the cell's own imports count: those of captured functions, and the classes of captured values."""
    deployed.ok("import sklearn.linear_model as lm\ndef fit():\n    return lm.LinearRegression()\nmodel = fit()")
    assert "scikit-learn" in str(_refused(deployed, "fit()"))
    assert "scikit-learn" in str(_refused(deployed, "model.get_params()"))


def test_only_what_is_reached_in_the_users_own_package_counts(deployed, tmp_path, monkeypatch):
    """Not what another module of it imports, nor what it can do without."""
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").touch()
    (tmp_path / "mypackage" / "other.py").write_text("import sklearn\n")
    (tmp_path / "mypackage" / "deep.py").write_text(
        "from . import side\ntry:\n    import scipy\nexcept ImportError:\n    scipy = None\n"
    )
    (tmp_path / "mypackage" / "side.py").write_text("import numpy\nX = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    deployed.ok("import mypackage.other, mypackage.deep")
    assert deployed.remote("mypackage.deep.side.X").value == 1
    (tmp_path / "mypackage" / "side.py").write_text("from mypackage.other import sklearn\nX = 1\n")
    assert "scikit-learn" in str(_refused(deployed, "mypackage.deep.side.X"))


def test_imports_of_own_modules_are_compared(deployed, tmp_path, monkeypatch):
    """It is sent as a file; what it has imported here must be there."""
    (tmp_path / "mymodule.py").write_text("import sklearn\n\ndef f():\n    return sklearn.__version__\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    deployed.ok("import mymodule")
    assert "scikit-learn" in str(_refused(deployed, "mymodule.f()"))


def test_another_minor_version(deployed):
    """Both versions are named; a patch release is no difference; the setting turns versions, or all, off."""
    here = distributions_of(["numpy"])["numpy"]
    major, minor, *_ = here.split(".")
    deployed.publish("older", packages={"numpy": f"{major}.{int(minor) + 1}.0"})
    error = _refused(deployed, "import numpy\n1")
    assert f"numpy is {here} here and {major}.{int(minor) + 1}.0 there" in str(error)
    assert 'parity = "missing"' in error.hint
    deployed.ok("%config LambdaMagics.parity = 'missing'")
    try:
        assert deployed.remote("import numpy\n2").value == 2
        deployed.publish("patched", packages={"numpy": f"{major}.{minor}.99", "pandas": None})
        deployed.ok("%config LambdaMagics.parity = 'versions'")
        assert deployed.remote("import numpy\n3").value == 3
        _refused(deployed, "import pandas\n1")
        deployed.ok("%config LambdaMagics.parity = 'off'")
        assert deployed.remote("import pandas\n4").value == 4
    finally:
        deployed.ok("%config LambdaMagics.parity = None")


def test_a_map_is_reported_too(deployed):
    """Before its first task."""
    deployed.ok("def f(x):\n    import sklearn\n    return x")
    before = _sent(deployed)
    ran = deployed.run("%lambda_map f range(3)")
    assert type(ran.error).__name__ == "ParityError" and _sent(deployed) == before


def test_an_executor_is_reported_too(deployed):
    """`submit` raises, as it does for what cannot be pickled."""
    from lambdamagic import LambdaExecutor
    from lambdamagic.api import process
    from lambdamagic.errors import ParityError

    def f(x):
        import sklearn

        return sklearn, x

    before = _sent(deployed)
    try:
        with LambdaExecutor(target="aws") as executor:
            with pytest.raises(ParityError, match="scikit-learn"):
                executor.submit(f, 1).result(30)
            with pytest.raises(ParityError, match="scikit-learn"):
                list(executor.map(f, [1, 2]))
    finally:
        process.close()
    assert _sent(deployed) == before


def test_ipythons_own_open_is_not_the_users(notebook, tmp_path):
    """IPython has its own `open` among the notebook's names: a program's function that opens a file is spared."""
    path = tmp_path / "greeting.txt"
    path.write_text("hello")
    notebook.ok("from lambdamagic import LambdaExecutor\ndef read(path):\n    return open(path).read(), str(open)")
    assert "IPython" in notebook.ok("open").value.__code__.co_filename
    call = f"executor.submit(read, {str(path)!r}).result(60)"
    seen = notebook.ok(f"with LambdaExecutor() as executor:\n    found = {call}\nfound")
    assert seen.value == ("hello", "<built-in function open>")


def test_the_embedded_lambda_has_what_the_notebook_has(notebook):
    """Nothing is compared there: it is the same environment."""
    assert notebook.remote("import sklearn\nsklearn.__name__").value == "sklearn"
