"""ARCHITECTURE.md says what the code is."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lambdamagic"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def test_the_layers_are_those_that_the_linter_holds():
    """The table names the packages of pyproject.toml's contract, line by line, and each package is in it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [held] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    table = ARCHITECTURE.partition("## Layers")[2].partition("\n## ")[0]
    shown = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    assert shown == [re.findall(r"lambdamagic\.(\w+)", line) for line in held]
    named = {name for line in shown for name in line}
    modules = [*(ROOT / "lambdamagic").glob("*.py"), *(path.parent for path in ROOT.glob("lambdamagic/*/__init__.py"))]
    doors = {"__init__", "__main__", "joblib", "dask", "cubed"}  # the package's own, and joblib's
    assert {path.stem for path in modules} - named == doors


def _section(title):
    return ARCHITECTURE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def _rows(title):
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in _section(title).splitlines()[3:]
        if "|" in line
    ]


def test_the_map_of_rooms_names_existing_folders():
    """Each package that has more than a file or two, and in its row only files and folders that are in it."""
    rows = {re.findall(r"`(\w+)`", row[0])[0]: row[1] for row in _rows("Rooms")}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == {*rows}
    for package, text in rows.items():
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
            found = [*(PACKAGE / package).rglob(name.rstrip("/"))]
            assert found, f"{package} has no {name}"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/journey.md"])
def test_files_that_a_page_names_exist(page):
    """From the root, or anywhere in the package."""
    named = set(re.findall(r"`([\w./-]+\.(?:py|toml|md|ts|js))`", (ROOT / page).read_text()))
    inside = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.*")}
    elsewhere = {"ipython_config.py", "conftest.py"}
    missing = [
        name
        for name in sorted(named - elsewhere)
        if not (ROOT / name).exists()
        and not (ROOT / "labextension" / name).exists()
        and not any(each == name or each.endswith(f"/{name}") for each in inside)
    ]
    assert missing == []


@pytest.mark.parametrize("package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_files_that_a_decision_names_exist(package):
    """In the package whose docstring it is in, or by their path."""
    text = importlib.import_module(f"lambdamagic.{package}").__doc__ or ""
    for name in re.findall(r"`([\w/]+\.py)`", text):
        assert [*(PACKAGE / package).rglob(name)] or (ROOT / name).exists() or (PACKAGE / name).exists(), name


def test_each_target_of_the_makefile_is_in_the_table():
    """With what it does, and none that is not there."""
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(r"^\| `make ([\w-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted({*phony.split()} - {"help"})


#: Row of the table of waits, module, name in it, how the row writes it.
BOUNDS = [
    ("the answer to a synchronous invocation", "transports.lambda_api", "_MARGIN_S", "{:g} s of silence"),
    ("Lambda taking an event", "transports.lambda_api", "_EVENT_TIMEOUT_S", "{:g} s"),
    ("a function that is not ready yet", "deploy.functions", "_READY_TIMEOUT_S", "{:g} s where one is made"),
    ("an event for others to go with it", "jobs.handover", "_LINGER_S", "{:g} s"),
    ("the answer to a batch", "protocol.batch", "TIMEOUT_S", "timeout of {:g} s"),
    ("the answer to a batch", "worker.invoker", "_STOP_BEFORE_S", "last {:g} s"),
    ("the answer to a batch", "worker.invoker", "_ANSWER_TIMEOUT_S", "waits {:g} s for each"),
    ("the answer to an event", "protocol.bounds", "EVENT_AGE_S", "age of {:g} s"),
    ("the answer to an event", "jobs.delivery", "_MARGIN_S", "and {:g} s"),
    ("a sign of an event that was lost", "jobs.delivery", "_LATEST_S", "half of {:g} s"),
    ("a pause after refusals", "jobs.concurrency", "_LONGEST_PAUSE_S", "{:g} s (`concurrency.py`)"),
    ("a function that is asked what it holds", "deploy.function_holdings", "_LONGEST_S", "{:g} s at most"),
    ("a place in `Concurrency`", "jobs.concurrency", "_RAMP_LOOK_S", "after {:g} s"),
    ("stopping a run after Ctrl-C", "runs.handle", "_STOP_S", "{:g} s (`handle.py`)"),
    ("background jobs when the kernel ends", "magics.background", "_CLOSE_S", "{:g} s together"),
]


@pytest.mark.parametrize(("row", "module", "name", "written"), BOUNDS)
def test_the_bound_of_a_wait_is_the_codes(row, module, name, written):
    """The number in the table is the constant's."""
    [text] = [each[1] for each in _rows("The bound of each wait") if each[0].startswith(row)]
    assert written.format(getattr(importlib.import_module(f"lambdamagic.{module}"), name)) in text


@pytest.mark.parametrize(
    ("row", "module", "cls", "written"),
    [
        ("throttling", "jobs.policy", "RetryPolicy", "{0.throttle_deadline_s:g} s"),
        ("between attempts", "jobs.policy", "RetryPolicy", "{0.cap_s:g} s"),
        ("a function that is not ready yet", "jobs.policy", "RetryPolicy", "{0.ready_deadline_s:g} s for a job"),
        ("one transfer to or from S3", "storage.retry", "TransferRetry", "within {0.deadline_s:g} s"),
    ],
)
def test_the_deadlines_of_a_policy_are_the_codes(row, module, cls, written):
    """The number in the table is the policy's default."""
    [text] = [each[1] for each in _rows("The bound of each wait") if each[0].startswith(row)]
    assert written.format(getattr(importlib.import_module(f"lambdamagic.{module}"), cls)()) in text


def _defined(path):
    """Return the functions and classes of a module, those in classes with the class before them."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {f"{node.name}.{each.name}" for each in methods}
    return found


STATIONS = sorted(set(re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", (ROOT / "docs" / "journey.md").read_text())))


@pytest.mark.parametrize("file", sorted({file for file, _ in STATIONS}))
def test_the_stations_of_the_journey_exist(file):
    """Each function and class is in the file that the page names."""
    named = {name for each, name in STATIONS if each == file}
    assert named - _defined(PACKAGE / file) == set()


def test_the_journey_names_its_stations():
    """A file is never named without what to open in it, and the page has as many as a cell and a task have."""
    text = (ROOT / "docs" / "journey.md").read_text()
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert len(files) == len(re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", text)) > 60


def test_no_two_files_have_one_name():
    """A reader who is shown a file's name knows which is meant."""
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_two_classes_have_one_name():
    """Those that a module keeps to itself aside."""
    found = [name for path in PACKAGE.rglob("*.py") for name in _defined(path) if re.fullmatch(r"[A-Z]\w*", name)]
    assert sorted({name for name in found if found.count(name) > 1}) == []
