"""What a cell adds to Python's builtins, and what stays there afterwards."""

from __future__ import annotations

import builtins
import subprocess
import sys

import pytest

from lambdamagic.worker.program import builtins_of_a_cell


@pytest.fixture(autouse=True)
def _own_builtins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("get_ipython", "display", "__IPYTHON__"):
        monkeypatch.delattr(builtins, name, raising=False)


def test_between_cells_a_call_raises_the_error_of_a_missing_name() -> None:
    with builtins_of_a_cell(lambda: "shell", print, {"mine": 5}):
        assert get_ipython() == "shell"  # type: ignore[name-defined]  # noqa: F821
        assert mine == 5  # type: ignore[name-defined]  # noqa: F821
    with pytest.raises(NameError, match="name 'get_ipython' is not defined"):
        get_ipython()  # type: ignore[name-defined]  # noqa: F821
    assert not vars(builtins)["__IPYTHON__"]
    assert not hasattr(builtins, "mine")


def test_a_second_cell_adds_no_name() -> None:
    with builtins_of_a_cell(lambda: "shell", print, {}):
        inside = list(vars(builtins))
    with builtins_of_a_cell(lambda: "shell", print, {}):
        assert list(vars(builtins)) == inside
    assert list(vars(builtins)) == inside


def test_pandas_can_be_imported_between_cells() -> None:
    code = (
        "from lambdamagic.worker.program import builtins_of_a_cell\n"
        "with builtins_of_a_cell(lambda: None, print, {}): pass\n"
        "import pandas; repr(pandas.DataFrame({'a': [1]}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
