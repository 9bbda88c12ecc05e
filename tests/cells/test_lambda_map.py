"""`%lambda_map fn items`: one task each, results in order."""

from __future__ import annotations

import pytest


@pytest.fixture
def square(notebook):
    notebook.ok("k = 1\ndef square(x):\n    return k * x * x")
    return notebook


def test_results_are_in_order(square):
    """As a list, also when assigned."""
    assert square.ok("%lambda_map square [3, 1, 2]").value == [9, 1, 4]
    assert square.ok("r = %lambda_map square range(50)\nr").value == [x * x for x in range(50)]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("square (i for i in range(4))", [0, 1, 4, 9]),
        ("square {2: 'a', 3: 'b'}", [4, 9]),
        ("lambda x: x + k [1, 2]", [2, 3]),
        ("(lambda x: x + k) [1, 2]", [2, 3]),
        ("str.upper ['a', 'b']", ["A", "B"]),
        ("int '123'", [1, 2, 3]),
        ("square range( 2 )", [0, 1]),
        ("square [x for x in range(3) if x]", [1, 4]),
        ("functools.partial(pow, 2) [1, 2]", [2, 4]),
        ("square ()", []),
        ("square []", []),
        ("len [[1], [], [2, 3]]", [1, 0, 2]),
    ],
)
def test_callables_and_items_of_all_kinds(square, call, expected):
    """Expressions on both sides; generators are run through; no items, no tasks."""
    square.ok("import functools")
    assert square.ok(f"r = %lambda_map {call}\nr").value == expected


def test_items_of_a_librarys_class_that_hold_code(notebook, tmp_path):
    """They bring what it reads, and the notebook's own modules; so do captured names."""
    (tmp_path / "own_of_items.py").write_text("class Scale:\n    def times(self, x):\n        return x * 10\n")
    notebook.ok("import sys; sys.path.insert(0, '.')\nfrom types import SimpleNamespace\nimport own_of_items\nk = 1")
    notebook.ok("def add(x):\n    return x + k\ndef call(holder):\n    return holder.held(2)")
    notebook.ok("holders = [SimpleNamespace(held=add), SimpleNamespace(held=own_of_items.Scale().times)]")
    assert notebook.ok("r = %lambda_map call holders\nr").value == [3, 20]
    assert notebook.remote("[call(each) for each in holders]").value == [3, 20]


def test_no_items_make_no_invocation(square):
    """An empty map is an empty list."""
    before = square.invocations()
    assert square.ok("%lambda_map square []").value == []
    assert square.invocations() == before


def test_chunksize(square):
    """One invocation carries so many tasks."""
    before = square.invocations()
    assert square.ok("%lambda_map --chunksize 4 square range(10)").value == [x * x for x in range(10)]
    assert square.invocations() - before == 3


def test_tasks_of_a_chunk_share_the_namespace_of_their_environment(notebook):
    """A global that the callable changes stays remote."""
    notebook.ok("n = 0\ndef bump(x):\n    global n\n    n += x\n    return n")
    result = notebook.ok("%lambda_map --chunksize 3 bump [1, 2, 3]").value
    assert result == [1, 3, 6]
    assert notebook.names["n"] == 0


def test_an_exception_is_raised_with_its_type(notebook):
    """The first failed task's; the others' results are kept."""
    notebook.ok("class Bad(Exception): pass\ndef f(x):\n    if x == 2:\n        raise Bad(x)\n    return x")
    ran = notebook.run("r = %lambda_map --chunksize 1 f range(4)")
    assert type(ran.error) is notebook.names["Bad"]
    assert ran.error.args == (2,)
    assert "raised on Lambda by item 3 of 4" in ran.error.__notes__[-1]
    assert "raise Bad(x)" in ran.traceback
    assert "--on-error return" in ran.stderr
    assert "r" not in notebook.names
    last = notebook.ok("last = %lambda last\nlast.results").value
    assert last[2] is ran.error


def test_on_error_return(notebook):
    """Exceptions stand among the results."""
    notebook.ok("def f(x):\n    return 10 // x")
    result = notebook.ok("%lambda_map --on-error return f [5, 0, 2]").value
    assert (result[0], result[2]) == (2, 5)
    assert type(result[1]) is ZeroDivisionError


def test_one_death_in_a_chunk_does_not_take_its_siblings(notebook):
    """The others are run again one by one."""
    notebook.ok("import os\ndef f(x):\n    if x == 3:\n        os._exit(1)\n    return x")
    result = notebook.ok("%lambda_map --chunksize 6 --on-error return f range(6)").value
    assert [x for x in result if isinstance(x, int)] == [0, 1, 2, 4, 5]
    assert type(result[3]).__name__ == "EnvironmentDiedError"


def test_a_timeout_in_a_chunk_keeps_what_was_done(notebook):
    """Finished tasks are not run again; the slow one times out by itself."""
    notebook.ok("import time\ndef f(x):\n    print('ran', x)\n    time.sleep(60 if x == 1 else 0)\n    return x")
    ran = notebook.ok("%lambda_map --timeout 6 --chunksize 3 --on-error return f range(3)")
    assert (ran.value[0], ran.value[2]) == (0, 2)
    assert type(ran.value[1]).__name__ == "FunctionTimedOutError"
    assert ran.stdout.count("ran 0") == 1


def test_results_of_the_notebooks_classes(notebook):
    """`isinstance` holds for them."""
    notebook.ok("class P:\n    def __init__(self, x): self.x = x\ndef make(x):\n    return P(x)")
    result = notebook.ok("%lambda_map make range(5)").value
    assert all(type(p) is notebook.names["P"] for p in result)
    assert [p.x for p in result] == [0, 1, 2, 3, 4]


def test_items_of_the_notebooks_classes(notebook):
    """And what they hold."""
    notebook.ok("class P:\n    def __init__(self, x): self.x = x\nps = [P(i) for i in range(4)]")
    assert notebook.ok("%lambda_map lambda p: (p.x, type(p) is P) ps").value == [(i, True) for i in range(4)]


def test_bound_methods_and_instances_as_callables(notebook):
    """Everything that can be called."""
    notebook.ok(
        "class M:\n    k = 3\n    def f(self, x): return self.k * x\n    def __call__(self, x): return -x\nm = M()"
    )
    assert notebook.ok("%lambda_map m.f [1, 2]").value == [3, 6]
    assert notebook.ok("%lambda_map m [1, 2]").value == [-1, -2]
    assert notebook.ok("%lambda_map M.f.__get__(m) [1]").value == [3]


def test_async_callable(notebook):
    """A coroutine function's result is awaited."""
    notebook.ok("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1")
    assert notebook.ok("%lambda_map f [1, 2]").value == [2, 3]


def test_large_items_and_results_are_staged(notebook):
    """Through S3, both ways, and each is right."""
    notebook.ok("import numpy as np\nxs = [np.full(700_000, i, dtype='f8') for i in range(3)]")
    before = notebook.faults.stats()["requests"].get("s3", {}).get("PutObject", 0)
    result = notebook.ok("%lambda_map --chunksize 1 lambda x: x + 1 xs").value
    assert [float(r.mean()) for r in result] == [1.0, 2.0, 3.0]
    assert all(r.shape == (700_000,) for r in result)
    assert notebook.faults.stats()["requests"]["s3"]["PutObject"] - before >= 6


def test_a_shared_array_is_staged_once(notebook):
    """A captured array of 8 MB is uploaded once for all tasks."""
    notebook.ok("import numpy as np\nbig = np.arange(1_000_000.0)\ndef at(i):\n    return float(big[i])")
    before = notebook.faults.stats()["requests"].get("s3", {}).get("PutObject", 0)
    assert notebook.ok("%lambda_map --chunksize 1 at range(6)").value == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert notebook.faults.stats()["requests"]["s3"]["PutObject"] - before == 1


def test_output_of_tasks_is_shown(notebook):
    """Every line."""
    ran = notebook.ok("%lambda_map --chunksize 2 print ['a', 'b', 'c']")
    assert sorted(ran.stdout.split()) == ["a", "b", "c"]


def test_an_item_that_cannot_be_sent(notebook):
    """Named by its number and path."""
    notebook.ok("items = [1, {'l': __import__('zlib').compressobj()}]")
    ran = notebook.run("%lambda_map str items")
    assert type(ran.error).__name__ == "EncodeError"
    assert "item 1 cannot be sent to Lambda because of item 1['l']: cannot pickle" in str(ran.error)


def test_a_result_that_cannot_come_back(notebook):
    """Is that task's error; others are there."""
    notebook.ok("def f(x):\n    return __import__('zlib').compressobj() if x else 'fine'")
    result = notebook.ok("%lambda_map --on-error return f [0, 1, 0]").value
    assert (result[0], result[2]) == ("fine", "fine")
    assert "the task's result, a Compress, cannot come back" in str(result[1])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "%lambda_map takes a callable and the items"),
        ("square", "%lambda_map takes a callable and the items"),
        ("5 [1]", "%lambda_map needs a callable first; 5 is of type int"),
        ("square 5", "%lambda_map needs items to go through; 5 is of type int"),
        ("--chunksize 0 square [1]", "chunksize"),
        ("--max-concurrency 0 square [1]", "max_concurrency"),
        ("--on-error ignore square [1]", "invalid choice: 'ignore'"),
        ("--chunk 3 square [1]", "%lambda_map has no option --chunk"),
    ],
)
def test_bad_calls(square, line, message):
    """Each says what is wrong, and nothing is sent."""
    before = square.invocations()
    assert message in str(square.run(f"%lambda_map {line}").error)
    assert square.invocations() == before


def test_an_iterator_is_read_while_the_map_runs(square):
    """Its items are not all taken before the first is sent: later ones see what earlier tasks have done."""
    square.ok("import os, tempfile, time\nfolder = tempfile.mkdtemp()")
    square.ok("def touch(n):\n    open(os.path.join(folder, str(n)), 'w').close()\n    return n")
    square.ok(
        "def waiting():\n"
        "    yield 0\n"
        "    until = time.monotonic() + 30\n"
        "    while not os.listdir(folder) and time.monotonic() < until:\n"
        "        time.sleep(0.01)\n"
        "    yield len(os.listdir(folder)) + 10"
    )
    assert square.ok("%lambda_map touch waiting()").value == [0, 11]
    assert square.ok("%lambda_map square (n for n in ())").value == []
    assert square.ok("%lambda_map square {3: 'a', 4: 'b'}").value == [9, 16]
    assert square.ok("%lambda_map --chunksize 7 square iter(range(2_000))").value == [n * n for n in range(2_000)]


def test_an_iterator_that_fails(square):
    """Its own exception is raised, and the map is over."""
    square.ok("def broken():\n    yield 1\n    raise LookupError('no more')")
    assert type(square.run("%lambda_map square broken()").error) is LookupError
    assert square.ok("%lambda_map square [2]").value == [4]


def test_a_semicolon_silences(square):
    """The list is not shown."""
    assert square.ok("%lambda_map square [1];").out is None


def test_throttling_is_waited_out(square):
    """429 costs time, and nothing else."""
    square.faults.throttle(count=3)
    assert square.ok("%lambda_map --chunksize 1 square range(6)").value == [0, 1, 4, 9, 16, 25]
    assert square.session.history[-1].progress.throttled == 3


def test_progress_is_shown(square, monkeypatch):
    """Lines on stderr where there is not a notebook front end."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    square.ok("import time\ndef slow(x):\n    time.sleep(0.5)\n    return x")
    ran = square.ok("%lambda_map --chunksize 1 --max-concurrency 2 slow range(4)")
    assert "λ slow × 4" in ran.stderr
    assert "4/4 tasks" in ran.stderr
    assert "✓ done" in ran.stderr


def test_progress_in_a_real_kernel(kernel):
    """One display, updated in place, with HTML and its text; the last state stays."""
    kernel.run("import time\ndef slow(x):\n    time.sleep(0.5)\n    return x")
    replied = kernel.run("%lambda_map --chunksize 1 --max-concurrency 2 slow range(4)")
    assert replied.value == "[0, 1, 2, 3]"
    shown = replied.bundles("display_data")
    assert len(shown) == 1
    assert "text/html" in shown[0]
    final = replied.bundles("update_display_data")[-1]
    assert "4/4 tasks" in final["text/plain"]
    assert "done" in final["text/plain"]


def test_cache_runs_only_what_is_new(notebook, tmp_path):
    """--cache: items that are known cost no run, in a map over a callable and over a body."""
    log = tmp_path / "log"
    notebook.run(f"LOG = {str(log)!r}\ndef f(x):\n    open(LOG, 'a').write('x')\n    return x + 1")
    for items, expected in (("range(5)", 5), ("range(7)", 7), ("range(7)", 7)):
        notebook.run(f"found = %lambda_map --cache f {items}")
        assert notebook.run("len(found), found[-1]").value == (expected, expected)
    assert log.read_text() == "x" * 7
    for _ in range(2):
        notebook.run("%%lambda_map --cache x in range(3)\nopen(LOG, 'a').write('y')\nx * 2")
    assert log.read_text() == "x" * 7 + "y" * 3


def test_items_can_be_tuples_of_arguments(notebook):
    """As `itertools.starmap` and `Pool.starmap` take them; memory and time have units."""
    notebook.ok("def add(a, b):\n    return a + b")
    ran = notebook.ok("%lambda_map --star --memory 1GB --timeout 2m add [(1, 2), (3, 4)]")
    assert ran.value == [3, 7]
    assert notebook.session.history[-1].progress.memory_mb == 1024
    assert notebook.ok("%lambda_map --star add ((n, n) for n in range(3))").value == [0, 2, 4]
