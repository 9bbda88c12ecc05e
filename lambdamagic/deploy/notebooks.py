"""Find the imports of a notebook and the installed packages that provide them.

Nothing is run. Cells are turned into Python by IPython's own rules; the bodies of `%%lambda` and the like are read too.
"""

from __future__ import annotations

import ast
import json
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdamagic.capture.imported import imports_in
from lambdamagic.capture.modules import own_modules
from lambdamagic.deploy.installed import AGENT_DISTRIBUTIONS, closure_of, distributions_of, is_editable, pinned
from lambdamagic.deploy.wheels import WheelSource
from lambdamagic.errors import ConfigError
from lambdamagic.pythons import python_here

#: Cell magics whose body is Python.
_PYTHON_BODIES = frozenset({"lambda", "lambda_map", "time", "timeit", "capture", "prun"})

#: What the notebook's side alone needs: magics and widgets do not run in Lambda unless captured code imports them.
_NOTEBOOK_ONLY = frozenset({"ipython", "ipywidgets", "ipykernel", "jupyterlab", "notebook", "anywidget"})


@dataclass(frozen=True, slots=True)
class NotebookNeeds:
    """The packages and modules that the imports of notebooks need.

    Attributes:
        source: The packages in the installed versions; what those need is held at the installed versions too.
        packages: The direct ones: normal name to version.
        own: Modules of the user's own, which are sent with each job.
        unknown: Modules that are not installed here, so that their package is not known.
        python: The Python minor that a notebook was last run with, if it is not this one.
    """

    source: WheelSource
    packages: dict[str, str]
    own: tuple[str, ...]
    unknown: tuple[str, ...]
    python: str | None


def needs_of_notebooks(paths: Iterable[Path]) -> NotebookNeeds:
    """Read what notebooks (`.ipynb`) and programs (`.py`) import, and look it up in this environment.

    Raises:
        ConfigError: A file is not there, or is not a notebook.
    """
    modules: set[str] = set()
    own: set[str] = set()
    python = None
    for path in paths:
        found, version = _modules_of(path)
        found, theirs = _with_own(found, path.parent)
        modules |= found
        own |= theirs
        here = python_here()
        if version is not None and version != here:
            python = version
    return _needs(modules, own, python)


def needs_of_cells(sources: Iterable[str], modules: Iterable[str], folder: Path) -> NotebookNeeds:
    """Do the same for the cells that a session has run.

    Args:
        sources: The cells, as they were typed.
        modules: Full names of more modules in the session.
        folder: Where its own modules are.
    """
    imported = {*modules, *(name for source in sources for name in _imports_in_cell(source))}
    found, own = _with_own(imported, folder)
    return _needs(found, own, None)


def _with_own(modules: set[str], folder: Path) -> tuple[set[str], set[str]]:
    """Return modules with those that the user's own among them import, and the names of the own ones."""
    found = set(modules)
    own = own_modules([(name, "imported by the notebook") for name in modules], cell_dir=folder)
    for module in own:
        for _, file in module.files:
            if file.suffix == ".py":
                found.update(each.module.partition(".")[0] for each in imports_in(file).statements if not each.level)
    return found, {module.name for module in own}


def _needs(modules: set[str], own: set[str], python: str | None) -> NotebookNeeds:
    modules = {name for name in modules if name.partition(".")[0] not in own}
    packages = {
        name: version
        for name, version in distributions_of(modules).items()
        if name not in _NOTEBOOK_ONLY and not is_editable(name)
    }
    foreign = {top for top in (name.partition(".")[0] for name in modules) if _is_foreign(top)}
    unknown = sorted(top for top in foreign if not distributions_of([top]))
    along = {name: version for name, version in closure_of(packages).items() if name not in packages}
    constraints = pinned({name: version for name, version in along.items() if name not in AGENT_DISTRIBUTIONS})
    source = WheelSource(pinned(packages), constraints=constraints)
    return NotebookNeeds(source, packages, tuple(sorted(own)), tuple(unknown), python)


def read_python(path: Path) -> str:
    """Return the source in a file, in the encoding that it declares (PEP 263), by default UTF-8.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read {path}: {reason}", hint="Name a file of Python, in UTF-8") from error


def _is_foreign(top: str) -> bool:
    return top not in sys.stdlib_module_names and top not in {*AGENT_DISTRIBUTIONS, "__main__"}


def _modules_of(path: Path) -> tuple[set[str], str | None]:
    """Return the modules that a file imports, full names, and the Python minor that it was last run with."""
    if path.suffix == ".py":
        return set(_imports_in(read_python(path))), None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the notebook {path}: {error.strerror or error}", hint="Name a .ipynb or .py file"
        ) from error
    try:
        document: dict[str, Any] = json.loads(data)
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        sources = [source if isinstance(source := cell["source"], str) else "".join(source) for cell in cells]
        version = document.get("metadata", {}).get("language_info", {}).get("version")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not a notebook of format 4", hint="Open it in Jupyter and save it, or name a .py file"
        ) from error
    found: set[str] = set()
    for source in sources:
        found |= set(_imports_in_cell(source))
    return found, ".".join(str(version).split(".")[:2]) if version else None


def _imports_in_cell(source: str) -> Iterator[str]:
    from IPython.core.inputtransformer2 import TransformerManager

    manager = TransformerManager()
    try:
        python = manager.transform_cell(source)
    except SyntaxError:
        return  # a cell that cannot run imports nothing
    yield from _imports_in(python)
    for node in ast.walk(_parsed(python)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if node.func.attr == "run_cell_magic" and len(texts) == 3 and texts[0] in _PYTHON_BODIES:
            yield from _imports_in_cell(texts[2])
        elif node.func.attr == "run_line_magic" and len(texts) == 2 and texts[0] in ("time", "timeit"):
            yield from _imports_in_cell(texts[1])


def _imports_in(python: str) -> Iterator[str]:
    for node in ast.walk(_parsed(python)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _parsed(python: str) -> ast.Module:
    try:
        return ast.parse(python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the latter two: nested too deeply
        return ast.Module(body=[], type_ignores=[])
