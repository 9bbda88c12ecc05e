"""The folders that user code may write to, without a function around them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdamagic.worker.scratch import Scratch


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scratch]:
    """Make the scratch folder of an environment whose /tmp is the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def made(**variables: str) -> Scratch:
        monkeypatch.setenv("LAMBDA_TASK_ROOT", variables.pop("LAMBDA_TASK_ROOT", ""))
        environ.update({"TMPDIR": str(tmp_path / "tmp"), "HOME": "/home/sbx_user1051", **variables})
        return Scratch(environ)

    environ: dict[str, str] = {}
    made.environ = environ  # type: ignore[attr-defined]  # what the test looks at
    return made


def test_another_session_finds_nothing(make: Callable[..., Scratch]) -> None:
    """HOME and caches stay for the jobs of one session, and are empty for those of the next."""
    scratch = make()
    home = Path(make.environ["HOME"])  # type: ignore[attr-defined]
    scratch.enter("job-1", "ada")
    (home / "token").write_text("secret")
    Path("left").write_text("x")
    scratch.enter("job-1", "ada")
    assert Path("left").exists()  # the next chunk of the same job
    scratch.enter("job-2", "ada")
    assert not Path("left").exists()
    assert (home / "token").exists()
    scratch.enter("job-3", "bob")
    assert not (home / "token").exists()
    assert Path(scratch.packages).is_dir()


def test_the_functions_own_variables_are_kept(make: Callable[..., Scratch], tmp_path: Path) -> None:
    """Variables of the function's own configuration and a HOME that can be written are left alone."""
    make(HOME=str(tmp_path), MPLCONFIGDIR="/opt/fonts")
    assert make.environ["HOME"] == str(tmp_path)  # type: ignore[attr-defined]
    assert make.environ["MPLCONFIGDIR"] == "/opt/fonts"  # type: ignore[attr-defined]


def test_data_files_of_the_package_are_found_by_relative_paths(make: Callable[..., Scratch], tmp_path: Path) -> None:
    """The task root was the working directory: its data files are still next to the code, and its modules are not."""
    root = tmp_path / "task"
    (root / "package").mkdir(parents=True)
    (root / "package" / "__init__.py").touch()
    (root / "app.py").touch()
    (root / "data").mkdir()
    (root / "data" / "rates.csv").write_text("1.5")
    (root / "model.txt").write_text("weights")
    scratch = make(LAMBDA_TASK_ROOT=str(root))
    for job in ("1", "2"):
        scratch.enter(job, "ada")
        assert sorted(each.name for each in Path().iterdir()) == ["data", "model.txt"]
        assert Path("model.txt").read_text() == "weights"
        assert Path("data/rates.csv").read_text() == "1.5"
        Path("model.txt").unlink()
        Path("model.txt").write_text("replaced in the working directory only")
    assert (root / "model.txt").read_text() == "weights"
