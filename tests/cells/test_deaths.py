"""A cell whose function dies raises an error that says how, with the evidence."""

from __future__ import annotations

import pytest


def test_out_of_memory(notebook):
    """The error has the limit and the peak, and says what to do."""
    ran = notebook.fails("block = bytearray(600 * 1024 * 1024)\nlen(block)", "--memory 256 --timeout 30")
    error = ran.error
    assert type(error).__name__ == "OutOfMemoryError"
    assert error.memory_mb == 256
    assert 230 <= error.peak_memory_mb <= 256
    assert str(error).startswith(f"the function ran out of memory: it used {error.peak_memory_mb} MB of its 256 MB")
    assert "--memory" in error.hint
    assert ran.traceback.startswith("OutOfMemoryError: the function ran out of memory")


def test_timeout_names_the_line(notebook):
    """The stacks at the deadline show the cell's own line, in a function and in the cell."""
    notebook.ok("import time\ndef hang():\n    time.sleep(60)")
    ran = notebook.fails("print('before')\nx = 1\nhang()", "--timeout 6")
    error = ran.error
    assert type(error).__name__ == "FunctionTimedOutError"
    assert "timeout of 6 s" in str(error)
    assert "line 4, in <module>" in error.stacks
    assert "in hang\n    time.sleep(60)" in error.stacks
    assert "lambdamagic" not in error.stacks.split("Thread MainThread:")[1]
    assert ran.stdout == "before\n"
    assert "Stacks just before the timeout:" in ran.traceback


def test_timeout_of_code_that_catches_everything(notebook):
    """`except Exception` does not keep it."""
    body = "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except Exception:\n        pass"
    assert type(notebook.fails(body, "--timeout 6").error).__name__ == "FunctionTimedOutError"


def test_timeout_in_code_that_python_cannot_interrupt(notebook):
    """Lambda itself ends it; the stacks come by way of the log."""
    error = notebook.fails("n = 10 ** 12\nsum(range(n))", "--timeout 6").error
    assert type(error).__name__ == "FunctionTimedOutError"
    assert "sum(range(n))" in error.stacks


def test_timeout_of_threads(notebook):
    """Other threads' stacks are there too, by name."""
    body = """
        import threading
        def wait_forever():
            threading.Event().wait(60)
        t = threading.Thread(target=wait_forever, name='worker-7', daemon=True)
        t.start()
        t.join()
    """
    error = notebook.fails(body, "--timeout 6").error
    assert "Thread worker-7:" in error.stacks
    assert "in wait_forever" in error.stacks


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import os\nos._exit(3)", "exit status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal: segmentation fault"),
        ("import ctypes\nctypes.string_at(0)", "signal: segmentation fault"),
    ],
)
def test_the_process_ended(notebook, body, how):
    """An exit, a signal and a crash are distinguished."""
    error = notebook.fails(body).error
    assert type(error).__name__ == "EnvironmentDiedError"
    assert how in str(error)
    assert "MB of 2,048 MB" in str(error)
    assert error.request_id


def test_the_next_cell_works(notebook):
    """A new environment is started, and the notebook is as it was."""
    notebook.ok("x = [1]")
    notebook.fails("x.append(2)\nimport os\nos._exit(1)")
    assert notebook.names["x"] == [1]
    assert notebook.remote("x + [3]").value == [1, 3]


def test_an_environment_killed_from_outside(notebook):
    """A kill by the platform in the middle of the run is an EnvironmentDiedError."""
    notebook.faults.kill(delay_s=0.1)
    error = notebook.fails("import time\ntime.sleep(30)").error
    assert type(error).__name__ == "EnvironmentDiedError"
    assert "signal: killed" in str(error)


def test_a_result_that_cannot_be_stored_is_not_computed_again(notebook):
    """The links ended while the code ran: the error says that it ran, and nothing runs it a second time."""
    notebook.faults.stats(reset=True)
    notebook.faults.refuse_s3(
        count=None, operation="PutObject", status=400, code="ExpiredToken", text="The provided token has expired."
    )
    try:
        ran = notebook.fails("bytes(9_000_000)", "--retries 2")
    finally:
        notebook.faults.clear()
    assert type(ran.error).__name__ == "AnswerLostError"
    assert "the code ran, and its result could not be stored" in str(ran.error)
    assert notebook.invocations() == 1
