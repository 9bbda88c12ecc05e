"""Every option of `%%lambda`."""

from __future__ import annotations

import pytest


def test_memory_and_timeout_choose_the_function(notebook):
    """The function has exactly this size, in both spellings."""
    body = """
        import os
        name = os.environ['AWS_LAMBDA_FUNCTION_NAME']
        int(os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']), name.split('-', 2)[2]
    """
    assert notebook.remote(body, "--memory 512 --timeout 20").value == (512, "512mb-20s")
    assert notebook.remote(body, "-m 512 -t 20").value == (512, "512mb-20s")


def test_input_sends_names_that_are_not_seen(notebook):
    """Large names reached by text only; several, by commas or repeated."""
    notebook.ok("a, b, c = ([n] * 50_000 for n in (1, 2, 3))")
    body = "[globals()[name][0] if name in globals() else None for name in 'abc']"
    assert notebook.remote(body).value == [None, None, None]
    assert notebook.remote(body, "-i a").value == [1, None, None]
    assert notebook.remote(body, "--input a,b -i c").value == [1, 2, 3]
    assert notebook.remote(body, "-i 'a b'").value == [1, 2, None]


def test_an_input_that_does_not_exist(notebook):
    """The nearest name is suggested, nothing is sent."""
    notebook.ok("candidates = 1")
    error = notebook.fails("1", "-i candidate").error
    assert error.message == "no name 'candidate' in the notebook"
    assert error.hint == "Did you mean 'candidates'?"


def test_exclude_keeps_names_here(notebook):
    """An excluded name is as if it did not exist."""
    notebook.ok("a, b = 1, 2")
    assert notebook.remote("0 and a\n[n for n in ('a', 'b') if n in globals()]", "--exclude a,b").value == []
    assert type(notebook.fails("a", "--exclude a").error) is NameError


def test_out_brings_back_these_names_only(notebook):
    """Others stay remote; one that was not bound is reported."""
    ran = notebook.remote("a = 1\nb = 2\nc = 3", "-o a,c --out missing")
    assert (notebook.names["a"], notebook.names["c"]) == (1, 3)
    assert "b" not in notebook.names
    assert ran.stderr == "lambdamagic: --out missing: the cell did not bind this name\n"


@pytest.mark.parametrize("serializer", ["auto", "dill", "cloudpickle"])
def test_serializers(notebook, serializer):
    """Data, functions and classes are sent by each."""
    notebook.ok("""
        class A:
            def __init__(self, x): self.x = x
        def f(a): return a.x + k
        k, a, data = 10, A(5), {'l': [1, 2.5, 'x', None, (1,)]}
    """)
    ran = notebook.remote("b = A(f(a))\ng = lambda: f(b)\nf(a), data, g()", f"--serializer {serializer}")
    assert ran.value == (15, {"l": [1, 2.5, "x", None, (1,)]}, 25)
    assert type(notebook.names["b"]) is notebook.names["A"]
    assert notebook.ok("g()").value == 25


def test_quiet_shows_results_only(notebook, monkeypatch):
    """Without -q a cell of more than a moment leaves a line of progress; with it nothing."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    body = "import threading\nthreading.Event().wait(0.9)\nprint('out')\n5"
    ran = notebook.remote(body, "-q")
    assert (ran.stdout, ran.stderr, ran.value) == ("out\n", "", 5)
    ran = notebook.remote(body)
    assert ran.stderr.startswith("λ threading.Event().wait(0.9)  ▶ running")
    assert "✓ done" in ran.stderr


def test_retries_run_again_what_raised(notebook, tmp_path):
    """Up to N times; then the last exception is raised."""
    notebook.ok(f"path = {str(tmp_path / 'attempts')!r}")
    body = """
        with open(path, 'a') as f:
            f.write('x')
        tries = len(open(path).read())
        if tries < needed:
            raise ValueError(tries)
        tries
    """
    notebook.ok("needed = 3")
    assert str(notebook.fails(body).error) == "1"
    assert notebook.remote(body, "--retries 2").value == 3
    notebook.ok("needed = 99")
    assert str(notebook.fails(body, "--retries 2").error) == "6"


def test_target_local_can_be_named(notebook):
    """`--target local` is the embedded Lambda; an unknown target is refused."""
    assert notebook.remote("1", "--target local").value == 1
    assert "invalid choice: 'moon'" in str(notebook.fails("1", "--target moon").error)


def test_target_aws_without_a_function(notebook):
    """What to do is said, and nothing is sent."""
    error = notebook.fails("1", "--target aws").error
    assert type(error).__name__ == "FunctionMissingError"
    assert error.message == "no Lambda function is configured for target 'aws'"
    assert "LAMBDAMAGIC_FUNCTION" in error.hint


def test_help(notebook):
    """-h prints every option and sends nothing."""
    before = notebook.invocations()
    ran = notebook.remote("1", "-h")
    names = "memory timeout input exclude out serializer plan quiet retries target help no-mutations"
    assert [name for name in names.split() if f"--{name}" not in ran.stdout] == []
    assert ran.value is None
    assert notebook.invocations() == before


def test_nothing_is_interpolated_in_the_magics_line(notebook):
    """`{x}` and `$x` in the options are not filled in by IPython."""
    notebook.ok("x = 512")
    assert "invalid" in str(notebook.fails("1", "--memory {x}").error)


def test_settings_of_config_magic_are_used(notebook):
    """`%config LambdaMagics.memory_mb` is in force until it is changed, and options win over it."""
    body = "import os\nint(os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'])"
    notebook.ok("%config LambdaMagics.memory_mb = 512\n%config LambdaMagics.timeout_s = 20")
    try:
        assert notebook.remote(body).value == 512
        assert notebook.remote(body, "--memory 256").value == 256
    finally:
        notebook.ok("%config LambdaMagics.memory_mb = None\n%config LambdaMagics.timeout_s = None")


def test_a_job_has_the_name_that_it_is_given(notebook):
    """Cells and maps alike; where a traceback is shown as text, it names cells as IPython does."""
    notebook.remote("1 + 1", "--name 'a sum'")
    notebook.ok("def half(n):\n    return 1 / n")
    number = notebook.shell.execution_count - 1
    notebook.ok("%lambda_map --name halves --on-error return half [0, 1]")
    first, second = list(notebook.session.history)[-2:]
    assert (first.progress.label, second.progress.label) == ("a sum", "halves")
    assert second.progress.word == "1 of 2 failed"
    trace = second.map._card.details.describe(0).traceback
    assert f"  Cell In[{number}], line 2, in half" in trace
