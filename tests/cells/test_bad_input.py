"""Bad input: each with a clear error, nothing sent, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            "--memroy 512",
            "UsageError",
            "%lambda has no option --memroy; did you mean --memory? (`%lambda?` lists them)",
        ),
        ("--nonsense", "UsageError", "%lambda has no option --nonsense (`%lambda?` lists them)"),
        ("--memory 100", "ConfigError", "memory_mb"),
        ("--memory 20000", "TargetError", "less than or equal to 10240"),
        (
            "--memory lots",
            "UsageError",
            "argument -m/--memory: invalid amount of memory (512, 512MB, 1.5GB) value: 'lots'",
        ),
        ("--timeout 0", "ConfigError", "timeout_s"),
        ("--timeout 1801", "TargetError", "less than or equal to 1800"),
        ("--retries -1", "ConfigError", "retries"),
        ("--serializer json", "UsageError", "argument --serializer: invalid choice: 'json'"),
        ("stray", "UsageError", "%lambda takes options only, not 'stray'"),
        ("--memory", "UsageError", "argument -m/--memory: expected one argument"),
        ("--memory '", "UsageError", '"--memory \'": no closing quotation'),
        ("--retries \u0663", "UsageError", "argument --retries: invalid whole number value: '\u0663'"),
        ("--retries 1_", "UsageError", "argument --retries: invalid whole number value: '1_'"),
        ("--max-cost nan", "ConfigError", "--max-cost nan is not a number"),
    ],
)
def test_wrong_options(notebook, options, kind, message):
    """The message names the option and its limits, in one line without a stack."""
    before = notebook.invocations()
    ran = notebook.fails("1", options)
    assert type(ran.error).__name__ == kind
    assert message in str(ran.error)
    assert "lambdamagic/" not in ran.traceback
    assert notebook.invocations() == before


def test_limits_are_in_the_message(notebook):
    """What would be right is said, and which page of AWS's says so."""
    text = str(notebook.fails("1", "--memory 100").error)
    assert "128" in text
    assert "10240" in text.replace(",", "")


def test_a_syntax_error_has_the_cells_line(notebook):
    """As in the kernel, counted from the magic's line."""
    ran = notebook.fails("x = 1\ny = = 2\nz = 3")
    assert type(ran.error) is SyntaxError
    assert ran.error.lineno == 3
    assert "y = = 2" in ran.traceback
    assert "line 3" in ran.traceback


@pytest.mark.parametrize(
    "body", ["def f(:\n    pass", "return 5", "x = (", "  indented = 1\nother = 2", "f(x for x in y, 1)"]
)
def test_more_syntax_errors(notebook, body):
    """All are found before anything is sent."""
    before = notebook.invocations()
    assert isinstance(notebook.fails(body).error, SyntaxError)
    assert notebook.invocations() == before


def test_no_body_at_all(notebook):
    """IPython itself says so."""
    error = notebook.run("%%lambda\n").error
    assert type(error).__name__ == "UsageError"
    assert "the cell body is empty" in str(error)


@pytest.mark.parametrize("body", ["\n\n", "   \n"])
def test_an_empty_body(notebook, body):
    """Said so."""
    ran = notebook.run("%%lambda\n" + body)
    assert type(ran.error).__name__ == "CaptureError"
    assert ran.error.message == "the cell is empty"


def test_the_line_form_with_code(notebook):
    """`%lambda x + 1` is no subcommand: the answer says what there is."""
    error = notebook.run("%lambda confg").error
    assert str(error) == (
        "%lambda has no subcommand 'confg'; did you mean `%lambda config`? (`%lambda help` lists them)"
    )


def test_an_undefined_name_suggests_nothing_is_sent(notebook):
    """The name, the line, and that nothing was sent; no stack."""
    ran = notebook.fails("a = 1\n\nb = a + undefined_thing")
    assert ran.traceback.strip() == (
        "NameError: name 'undefined_thing' is not defined (line 4 of the cell; nothing was sent to Lambda)"
    )


def test_an_unpicklable_result_alone(notebook):
    """It is shown by its repr, and the cell succeeds."""
    ran = notebook.remote("__import__('zlib').compressobj()")
    assert ran.value is None
    assert ran.displays[0]["text/plain"].startswith("<zlib.Compress object")


def test_a_very_deep_value(notebook):
    """A structure deeper than the C pickler's stack is sent all the same."""
    notebook.ok("deep = []\nfor _ in range(100_000):\n    deep = [deep]")
    assert notebook.remote("len(deep)").value == 1
    notebook.ok("while deep:\n    deep = deep.pop()")


@pytest.mark.parametrize("value", ["mem", "-5", "1e9"])
def test_a_bad_environment_variable(notebook, monkeypatch, value):
    """It is named as the origin."""
    monkeypatch.setenv("LAMBDAMAGIC_MEMORY_MB", value)
    error = notebook.fails("1").error
    assert type(error).__name__ == "ConfigError"
    assert "LAMBDAMAGIC_MEMORY_MB" in str(error)


def test_a_port_that_is_taken(notebook, monkeypatch):
    """The error names the port; without the setting all is well again."""
    notebook.remote("1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("LAMBDAMAGIC_LOCAL_PORT", str(port))
        error = notebook.fails("1").error
    assert type(error).__name__ == "LocalServerError"
    assert str(port) in str(error)
    monkeypatch.delenv("LAMBDAMAGIC_LOCAL_PORT")
    assert notebook.remote("1").value == 1


def test_a_server_killed_while_a_cell_runs(notebook, mailbox):
    """The cell says so, and the next one starts a new server."""
    from threading import Thread

    from tests.local.conftest import REPORT

    server = notebook.server
    killed = []

    def kill() -> None:
        killed.append(mailbox.receive())
        os.kill(server.connection.pid, signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    ran = notebook.fails(REPORT.lstrip() + f"report({mailbox.port}, 'running')\nimport time\ntime.sleep(60)")
    killer.join()
    assert killed == ["running"]
    assert type(ran.error).__name__ == "LocalServerError"
    assert "was killed by signal 9" in str(ran.error)
    assert ran.error.hint == "Run the cell again: a new server is started"
    assert notebook.remote("6 * 7").value == 42
    assert notebook.server.connection.pid != server.connection.pid


def test_a_server_killed_between_two_cells(notebook):
    """The next cell starts a new one without a word."""
    server = notebook.server
    os.kill(server.connection.pid, signal.SIGKILL)
    assert server.has_ended(within_s=10)
    assert notebook.remote("x = 5\nx").value == 5


def test_a_full_disk_at_the_server(notebook, tmp_path):
    """A staged value that does not fit is an error that says so, and small cells still run."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(mounted)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.decode().strip()}")
    script = f"""
import os
os.environ['TMPDIR'] = {str(mounted)!r}
from tests.notebooks import Notebook
n = Notebook()
print('small:', n.run('%%lambda\\n1 + 1').value)
n.ok('import os\\nbig = os.urandom(20_000_000)')
ran = n.run('%%lambda\\nlen(big)')
print('big:', type(ran.error).__name__, ran.error)
print('again:', n.run('%%lambda\\n1 + 2').value)
n.close()
"""
    try:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)
    lines = done.stdout.splitlines()
    assert lines[:1] == ["small: 2"], done.stderr
    assert lines[-1] == "again: 3"
    assert lines[1].startswith("big: TransferError "), done.stdout
    assert "has no space left" in lines[1]
