"""The last map, run to its end."""

from __future__ import annotations

import pytest


@pytest.fixture
def tries(notebook, tmp_path):
    """A callable that fails until a file is there, and counts its runs."""
    notebook.ok(
        f"""
        from pathlib import Path
        folder = Path({str(tmp_path)!r})
        def tries(n):
            with (folder / f"ran-{{n}}").open("a") as file:
                file.write("x")
            if n == 2 and not (folder / "mended").exists():
                raise ValueError("two")
            return n * n
        """
    )
    return notebook


def _ran(folder):
    return {int(path.name[4:]): path.stat().st_size for path in folder.glob("ran-*")}


def test_a_map_that_failed_is_run_to_its_end(tries, tmp_path):
    """Only what failed, or did not run, runs again."""
    assert tries.run("r = %lambda_map --chunksize 1 --max-concurrency 1 tries range(5)").error.args == ("two",)
    (tmp_path / "mended").touch()
    assert tries.ok("job = %lambda last\njob.retry_failed()").value == [0, 1, 4, 9, 16]
    ran = _ran(tmp_path)
    assert (ran[0], ran[1], ran[2]) == (1, 1, 2)
    assert tries.ok("job = %lambda last\njob.resume()").value == [0, 1, 4, 9, 16]
    assert _ran(tmp_path) == ran


def test_resume_leaves_failures_as_they_are(tries, tmp_path):
    """It runs what has no result; `--on-error return` keeps exceptions among the results."""
    found = tries.ok("r = %lambda_map --on-error return tries range(5)\nr").value
    assert type(found[2]) is ValueError
    assert type(tries.ok("job = %lambda last\njob.resume()").value[2]) is ValueError
    assert sum(_ran(tmp_path).values()) == 5


def test_an_iterator_that_is_used_up_cannot_be_resumed(tries):
    """The error says what can."""
    tries.run("r = %lambda_map --chunksize 1 --max-concurrency 1 tries (n for n in range(5))")
    assert "give %lambda_map a list" in str(tries.run("job = %lambda last\njob.resume()").error)
