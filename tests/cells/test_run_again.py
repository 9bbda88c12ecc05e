"""The last map, run to its end."""

from __future__ import annotations

import csv
import io

import pytest

from tests.kernels import Kernel


@pytest.fixture(scope="module")
def fresh_kernel(own_home):
    """A kernel in which no other test has left displays or jobs."""
    found = Kernel()
    assert found.run("%load_ext lambdamagic").status == "ok"
    yield found
    found.close()


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
    assert "pass %lambda_map a list" in str(tries.run("job = %lambda last\njob.resume()").error)


_RETRY = "get_ipython()._lambdamagic.session.history[-1].map.retry()"


def test_a_button_runs_failed_tasks_again_in_the_background(tries, tmp_path):
    """The very list of the cell gets the values; only what failed ran a second time."""
    found = tries.ok("r = %lambda_map --on-error return tries range(5)\nr").value
    assert type(found[2]) is ValueError
    (tmp_path / "mended").touch()
    tries.ok(_RETRY)
    tries.ok("%lambda wait")
    assert tries.ok("r").value == [0, 1, 4, 9, 16]
    assert found == [0, 1, 4, 9, 16]
    assert _ran(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}
    tries.ok(_RETRY)
    tries.ok("%lambda wait")
    assert sum(_ran(tmp_path).values()) == 6, "nothing is left to be run"


def test_a_job_in_the_background_is_retried_when_it_has_ended(tries, tmp_path):
    """Asked for while it runs it waits for the end; who holds the first job gets the results of the second."""
    start = "job = %lambda_map --bg --on-error return --chunksize 1 tries range(5)\n"
    tries.ok(f"{start}{_RETRY}\nassert job.wait_for_end(60)\n(folder / 'mended').touch()")
    tries.ok("%lambda wait")
    assert tries.ok("job.result()").value == [0, 1, 4, 9, 16]
    assert _ran(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


def test_a_retry_continues_after_a_failure(tries, tmp_path):
    """A map that stopped at its first failure is run to its end, whatever fails again; that is raised at last."""
    assert tries.run("r = %lambda_map --chunksize 1 --max-concurrency 1 tries range(5)").error.args == ("two",)
    tries.ok(_RETRY)
    assert tries.run("%lambda wait").error.args == ("two",)
    results = tries.ok("job = %lambda last\njob.results").value
    assert (results[:2], type(results[2]), results[3:]) == ([0, 1], ValueError, [9, 16])


def test_the_latest_maps_are_kept(tries):
    """Their items and results can be large: of older ones only the figures stay."""
    for _ in range(6):
        tries.ok("%lambda_map abs [-1];")
    kept = "[record.map is not None for record in get_ipython()._lambdamagic.session.history][-6:]"
    assert tries.ok(kept).value == [False, True, True, True, True, True]


def test_the_table_of_a_finished_map_is_available(notebook, tmp_path):
    """`%lambda last` gives it, and writes it; a cell has none."""
    notebook.ok("def f(n):\n    if n == 2:\n        raise ValueError('two')\n    return n * n")
    notebook.ok("r = %lambda_map --chunksize 1 --on-error return f range(3)")
    table = notebook.ok(f"job = %lambda last\njob.to_csv({str(tmp_path / 'tasks.csv')!r})").value
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["task"], row["state"], row["result"], row["error"]) for row in rows] == [
        ("0", "done", "0", ""),
        ("1", "done", "1", ""),
        ("2", "failed", "", "ValueError('two')"),
    ]
    assert (tmp_path / "tasks.csv").read_bytes().decode() == table
    notebook.ok("%%lambda\n1")
    assert "has no table" in str(notebook.run("job = %lambda last\njob.to_csv()").error)


@pytest.mark.parametrize("is_background", [True, False])
def test_prints_of_what_is_run_again_stay_with_their_cell(fresh_kernel, is_background):
    """They are shown below the map's own card, whatever cell runs meanwhile."""
    fresh_kernel.run("def loud(n):\n    import time\n    time.sleep(0.7)\n    print('printed', n)\n    return 1 / n")
    background = "--bg " if is_background else ""
    fresh_kernel.run(f"shown = %lambda_map {background}--on-error return --chunksize 2 loud [0, 1]\nshown")
    fresh_kernel.run("%lambda wait\nsession = get_ipython().magics_manager.registry['LambdaMagics'].session")
    fresh_kernel.run("session.history[-1].map.retry()")
    earlier = "printed 0\nprinted 1\n" if is_background else ""
    assert fresh_kernel.wait_for_update("'text/plain': " + repr(f"{earlier}printed 0\n"))
    assert fresh_kernel.run("'after'").stream("stdout") == ""
