"""What a notebook imports becomes the packages of its function, in the installed versions."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import pytest

from lambdamagic.deploy.installed import closure_of, distributions_of
from lambdamagic.deploy.notebooks import needs_of_notebooks, read_python
from lambdamagic.errors import ConfigError


def _notebook(path: Path, *cells: str, python: str = "") -> Path:
    listed = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "metadata": {}} for cell in cells]
    metadata = {"language_info": {"name": "python", "version": python}} if python else {}
    text = {"cells": [{"cell_type": "markdown", "source": "import tornado"}, *listed], "nbformat": 4}
    path.write_text(json.dumps({**text, "metadata": metadata, "nbformat_minor": 5}))
    return path


def test_exactly_what_it_imports(tmp_path: Path) -> None:
    """Import names become distributions in the installed versions; what they need is held at its versions too."""
    path = _notebook(
        tmp_path / "a.ipynb",
        "%load_ext lambdamagic\n!pip install something\nimport os, json\nimport numpy as np",
        "%%lambda --memory 512\nfrom sklearn.linear_model import LinearRegression\nmodel = LinearRegression()",
        "def f():\n    import dateutil.parser\n%time import yaml",
        "%%bash\nimport scipy",
        "this is no python (",
        "from IPython.display import display\nimport nowhere_to_be_found",
    )
    needs = needs_of_notebooks([path])
    assert needs.packages == {
        "numpy": version("numpy"),
        "python-dateutil": version("python-dateutil"),
        "pyyaml": version("pyyaml"),
        "scikit-learn": version("scikit-learn"),
    }
    assert f"scikit-learn=={version('scikit-learn')}" in needs.source.requirements
    assert f"scipy=={version('scipy')}" in needs.source.constraints
    assert not any(line.startswith("numpy") for line in needs.source.constraints)
    assert needs.unknown == ("nowhere_to_be_found",)
    assert needs.python is None


def test_own_modules_are_sent_with_jobs_and_their_imports_count(tmp_path: Path) -> None:
    """A file next to the notebook is no package; a program's imports are read too."""
    (tmp_path / "besides.py").write_text("import pandas\n")
    (tmp_path / "program.py").write_text("import numpy\n")
    needs = needs_of_notebooks([_notebook(tmp_path / "a.ipynb", "import besides"), tmp_path / "program.py"])
    assert needs.own == ("besides",)
    assert set(needs.packages) == {"pandas", "numpy"}


def test_another_python_is_reported(tmp_path: Path) -> None:
    """The notebook was run with one Python and the command with another: their packages differ."""
    assert needs_of_notebooks([_notebook(tmp_path / "a.ipynb", "1", python="3.99.1")]).python == "3.99"
    here = ".".join(map(str, sys.version_info[:3]))
    assert needs_of_notebooks([_notebook(tmp_path / "b.ipynb", "1", python=here)]).python is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '{"cells": 3}', '{"worksheets": []}', "[" * 100_000, "\udcff"),
        '{"cells": [], "metadata": 7}',
    ],
)
def test_a_file_that_is_not_a_notebook_is_refused(tmp_path: Path, text: str) -> None:
    """One line that says so."""
    path = tmp_path / "a.ipynb"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError, match="is not a notebook"):
        needs_of_notebooks([path])
    with pytest.raises(ConfigError, match="cannot read"):
        needs_of_notebooks([tmp_path / "nowhere.ipynb"])


def _install(folder: Path, name: str, package: str) -> None:
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "RECORD").write_text(f"{package}/__init__.py,,\n")
    (about / "top_level.txt").write_text(f"{package.partition('/')[0]}\n")


def test_a_namespace_of_several_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one counts whose files the module is."""
    for name, module in (("space-one", "one"), ("space-two", "two")):
        _install(tmp_path, name, f"space/{module}")
        (tmp_path / "space" / module).mkdir(parents=True)
        (tmp_path / "space" / module / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert distributions_of(["space.two"]) == {"space-two": "1.0"}
    assert distributions_of(["space.one.deeper", "json", "lambdamagic.errors", "dill"]) == {"space-one": "1.0"}


def test_saving_a_notebook_does_not_read_the_packages_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is on the path, as in a kernel; a package that is installed there is noticed."""
    reads = []
    monkeypatch.setattr(
        metadata, "packages_distributions", lambda read=metadata.packages_distributions: reads.append(1) or read()
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    distributions_of(["numpy"])
    before = len(reads)
    (tmp_path / "analysis.ipynb").write_text("{}")
    assert list(distributions_of(["numpy"])) == ["numpy"]
    assert len(reads) == before
    _install(tmp_path, "fresh-one", "fresh_one")
    assert distributions_of(["fresh_one"]) == {"fresh-one": "1.0"}


def test_a_distribution_brings_what_it_needs() -> None:
    """Without extras, and without what is not installed."""
    found = closure_of(["pandas"])
    assert {"pandas", "numpy", "python-dateutil", "six"} <= set(found)
    assert "pytest" not in found


def test_a_file_of_python_is_read_in_its_own_encoding(tmp_path: Path) -> None:
    """As Python reads it (PEP 263); bytes that it would refuse are refused in one line."""
    path = tmp_path / "a.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    assert read_python(path).endswith("name = 'é'\n")
    for data in (b"x = '\xe9'\n", b"# coding: nonsense\n"):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="cannot read"):
            read_python(path)
        with pytest.raises(ConfigError, match="cannot read"):
            needs_of_notebooks([path])
    path.write_text("-" * 100_000 + "1\nimport numpy\n")  # Python itself refuses it
    assert needs_of_notebooks([path]).packages == {}
