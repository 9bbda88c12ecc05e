"""`--plan` shows what would be shipped, and ships nothing."""

from __future__ import annotations


def test_names_types_reasons_and_places(notebook):
    """Each name with its type, size, place and reason; what is left out; what may be bound and deleted."""
    notebook.ok("""
        import numpy as np, json
        big = np.zeros(1_000_000)
        k = 2
        def scale(x):
            return k * x
        gone = 1
    """)
    before = notebook.faults.stats()["requests"]
    ran = notebook.remote("y = scale(big.sum())\ndel gone\njson.dumps({})", "--plan --exclude json")
    rows = {row[0]: row for row in ran.value.rows}
    assert rows["scale"][1] == "function"
    assert rows["scale"][4] == "read on line 2"
    assert rows["big"][1:4] == ("ndarray", "8.0 MB", "staged in S3")
    assert rows["k"][1] == "int"
    assert rows["k"][4] == "read by function scale (line 5 of its cell)"
    notes = "\n".join(ran.value.notes)
    assert "8.0 MB staged; target: local. Nothing was sent." in notes
    assert "json" in notes
    assert "May be bound: y" in notes
    assert "May be deleted: gone" in notes
    assert "<table" in ran.out["text/html"]
    assert notebook.faults.stats()["requests"] == before


def test_nothing_runs(notebook):
    """Names stay as they are, and no invocation is made; without a server none is started."""
    notebook.ok("x = [1]")
    before = notebook.invocations()
    notebook.remote("x.append(2)\nz = 1", "--plan")
    assert notebook.names["x"] == [1]
    assert "z" not in notebook.names
    assert notebook.invocations() == before


def test_own_modules_are_listed(notebook, tmp_path):
    """With their size and reason."""
    (tmp_path / "planned_helper.py").write_text("X = 1\n")
    ran = notebook.remote("import planned_helper", "--plan")
    assert ("planned_helper", "own module", "14 B", "inline", "imported by the cell") in ran.value.rows


def test_the_plan_shows_the_cost(notebook):
    """A cell's at most; a map's for an example, and after it has run from what was billed."""
    notes = notebook.remote("1", "--plan --memory 1024 --timeout 60").value.notes
    assert any("at 1,024 MB" in note and "at most $0.001" in note for note in notes)
    notebook.ok("def priced(x):\n    return x")
    before = notebook.ok("%lambda_map --plan priced range(100)").value.notes
    assert any("1,000 tasks of 1 s" in note for note in before)
    notebook.ok("%lambda_map priced range(4)")
    after = notebook.ok("%lambda_map --plan priced range(100)").value.notes
    assert any("100 tasks up to $" in note and "as in their last map" in note for note in after)


def test_the_plan_of_a_map(notebook):
    """Both forms of map have it."""
    notebook.ok("k = 2\ndef f(x):\n    return k * x")
    assert {row[0] for row in notebook.ok("%lambda_map --plan f range(3)").value.rows} == {"k"}
    assert {row[0] for row in notebook.ok("%%lambda_map --plan x in range(3)\nf(x)").value.rows} == {"f", "k"}


def test_the_plan_shows_an_unpicklable_name(notebook):
    """The error is the same as without --plan."""
    notebook.ok("lock = __import__('zlib').compressobj()")
    assert str(notebook.fails("lock", "--plan").error).startswith("lock cannot be sent to Lambda: ")
