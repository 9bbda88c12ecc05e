"""What a cell may write: as on Lambda only below /tmp, and yet what cells do to files works."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.wheels import make_wheel


def test_a_cell_writes_to_its_working_directory_and_home(notebook: Any) -> None:
    """Relative paths, `~` and the caches of libraries lead below the environment's /tmp, and can be written."""
    notebook.remote(
        """
        import os, tempfile
        from pathlib import Path
        with open("out.csv", "w") as file:
            file.write("1,2")
        places = [Path.cwd(), Path("~").expanduser(), Path(tempfile.gettempdir())]
        names = ["MPLCONFIGDIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"]
        places += [Path(os.environ[name]) for name in names]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
            (place / "written").write_text("x")
        places = [str(place.resolve()) for place in places]
        read = open("out.csv").read()
        """
    )
    found = notebook.shell.user_ns
    assert found["read"] == "1,2"
    tmp = found["places"][2]
    assert all(place.startswith(tmp) for place in found["places"]), found["places"]


def test_a_new_job_finds_an_empty_folder(notebook: Any) -> None:
    """What a job leaves in its working directory is gone in the next; HOME stays for this session."""
    notebook.remote("open('left', 'w').close(); open(__import__('os').path.expanduser('~/kept'), 'w').close()")
    ran = notebook.remote("import os\n(os.listdir('.'), os.path.exists(os.path.expanduser('~/kept')))")
    assert ran.value == ([], True)


def test_a_job_that_deletes_its_folder_does_not_harm_later_jobs(notebook: Any) -> None:
    """The working directory is there again for the next job, whatever was done to it."""
    notebook.remote("import os, shutil\nshutil.rmtree(os.getcwd())")
    assert notebook.remote("open('x', 'w').close()\n'written'").value == "written"


@pytest.mark.parametrize("where", ["its own code", "the packages", "the Python", "lambdamagic"])
def test_the_functions_code_and_python_are_read_only(notebook: Any, where: str) -> None:
    """The task root and the user's own Python environment cannot be changed by a cell, as on Lambda."""
    import lambdamagic

    folder = {
        "its own code": "__import__('os').environ['LAMBDA_TASK_ROOT']",
        "the packages": repr(sysconfig.get_path("purelib")),
        "the Python": repr(sys.prefix),
        "lambdamagic": repr(str(Path(lambdamagic.__file__).parent)),
    }[where]
    ran = notebook.fails(f"open({folder} + '/written-by-a-cell', 'w').close()")
    assert isinstance(ran.error, OSError)
    assert "ead-only" in str(ran.error)


@pytest.mark.parametrize("installer", ["pip", "python -m uv pip"])
def test_pip_installs_for_the_session_and_not_for_the_user(notebook: Any, tmp_path: Path, installer: str) -> None:
    """`!pip install` works as on Lambda, later cells of the session import it, and the notebook's own Python stays."""
    wheel = make_wheel(tmp_path, "lm_pip_probe", "1.0", code="ANSWER = 42\n")
    code = f"!{installer} install --no-index --no-deps --quiet {wheel}\nimport lm_pip_probe\nlm_pip_probe.ANSWER"
    assert notebook.remote(code).value == 42
    assert notebook.remote("import lm_pip_probe\nlm_pip_probe.ANSWER").value == 42
    assert notebook.remote("!python -c 'import lm_pip_probe; print(lm_pip_probe.ANSWER)'").stdout.strip() == "42"
    done = subprocess.run([sys.executable, "-c", "import lm_pip_probe"], capture_output=True, check=False)
    assert done.returncode != 0
    ran = notebook.remote("!pip uninstall --yes pytest")
    assert "ead-only" in ran.stdout + ran.stderr or "not permitted" in ran.stdout, ran.stdout
    assert subprocess.run([sys.executable, "-c", "import pytest"], check=False).returncode == 0
