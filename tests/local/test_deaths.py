"""Ways in which an execution environment ends before its task does, and how Lambda words each."""

from __future__ import annotations

import base64
import os

import pytest

from tests.local.conftest import REPORT


def _tail(response):
    return base64.b64decode(response["LogResult"]).decode()


def test_a_timeout_kills_and_says_after_how_long(account):
    """Sandbox.Timedout with AWS's text, a log line that says so, and a new environment next time."""
    name = account.deploy(
        """
        import time, os
        def handler(event, context):
            if event == "pid": return os.getpid()
            print("before")
            time.sleep(60)
        """,
        Timeout=3,
    )
    first = account.invoke(name, "pid")["Payload"]
    response = account.invoke(name, "sleep", LogType="Tail")
    request_id = response["ResponseMetadata"]["RequestId"]
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 3.00 seconds",
    }
    tail = _tail(response)
    assert "before\n" in tail
    assert f"Z {request_id} Task timed out after 3.00 seconds" in tail
    assert "\tStatus: timeout" in tail
    assert account.invoke(name, "pid")["Payload"] != first


def test_processes_of_a_killed_function_die_with_it(account, mailbox):
    """A child in a separate session does not survive its environment."""
    name = account.deploy(
        REPORT
        + """
import os, subprocess, sys
CHILD = "import time, socket\\ns = socket.create_connection(('127.0.0.1', %d))\\nprint(flush=True)\\ntime.sleep(600)"
def handler(event, context):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD % event], start_new_session=True, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    os.kill(os.getpid(), 9)
""",
    )
    response = account.invoke(name, mailbox.port)
    assert response["Payload"]["errorType"] == "Runtime.ExitError"
    mailbox._listener.settimeout(60)
    connection, _ = mailbox._listener.accept()
    with connection:
        connection.settimeout(60)
        assert connection.recv(1) == b""  # the child's end was closed by its death


def test_more_memory_than_the_function_has_kills(account):
    """The environment is killed soon after it passes its memory, and the report says what it reached."""
    name = account.deploy(
        """
        def handler(event, context):
            held = []
            for _ in range(event):
                held.append(bytearray(b"x" * 10_000_000))
            if event > 100:
                __import__("time").sleep(15)  # it is there for long enough to be seen
            return len(held)
        """,
        MemorySize=128,
    )
    response = account.invoke(name, 200, LogType="Tail")
    request_id = response["ResponseMetadata"]["RequestId"]
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"] == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: signal: killed",
    }
    assert "Max Memory Used: 128 MB" in _tail(response)
    assert "Error Type: Runtime.OutOfMemory" in _tail(response)
    assert account.invoke(name, 2)["Payload"] == 2


def test_the_memory_of_child_processes_counts(account):
    """Lambda limits the whole sandbox, so a child's memory kills too."""
    name = account.deploy(
        """
        import subprocess, sys
        def handler(event, context):
            code = "x = b'x' * 400_000_000; input()"
            return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE).wait()  # stdin stays open
        """,
        MemorySize=192,
    )
    assert account.invoke(name)["Payload"]["errorMessage"].endswith("signal: killed")


@pytest.mark.parametrize("variables", [None, {}], ids=["marked", "wiped"])
def test_the_memory_of_a_daemon_counts(account, variables):
    """A process that left its parent is part of the sandbox still, also one that wiped its environment variables."""
    name = account.deploy(
        """
        import subprocess, sys, time
        def handler(event, context):
            code = "x = b'x' * 400_000_000; import time; time.sleep(60)"
            command = ["/usr/bin/setsid", "--fork", sys.executable, "-c", code]
            subprocess.run(command, check=True, env=event)
            time.sleep(15)
        """,
        MemorySize=192,
    )
    assert account.invoke(name, variables)["Payload"]["errorMessage"].endswith("signal: killed")


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os._exit(7)", "Runtime exited with error: exit status 7"),
        ("import os; os._exit(0)", "Runtime exited without providing a reason"),
        ("import os; os.abort()", "Runtime exited with error: signal: aborted"),
        ("import os; os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_a_process_that_ends_says_how(account, code, how):
    """Runtime.ExitError with the exit status or the signal."""
    name = account.deploy(f"def handler(event, context):\n    {code}\n")
    response = account.invoke(name)
    request_id = response["ResponseMetadata"]["RequestId"]
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"] == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {how}",
    }


def test_a_handler_module_that_cannot_be_imported(account):
    """Runtime.ImportModuleError as awslambdaric posts it, with its line in the log."""
    name = account.deploy("import nothing_like_this\n")
    response = account.invoke(name, LogType="Tail")
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"]["errorType"] == "Runtime.ImportModuleError"
    assert response["Payload"]["errorMessage"] == "Unable to import module 'app': No module named 'nothing_like_this'"
    assert "Runtime.ImportModuleError" in _tail(response)


def test_a_handler_that_is_missing(account):
    """Runtime.HandlerNotFound names handler and module."""
    name = account.deploy("x = 1\n")
    payload = account.invoke(name)["Payload"]
    assert payload["errorType"] == "Runtime.HandlerNotFound"
    assert payload["errorMessage"] == "Handler 'handler' missing on module 'app'"


def test_an_exit_during_init(account):
    """A process that ends in INIT without a word is a Runtime.ExitError."""
    name = account.deploy("import os; os._exit(3)\n")
    response = account.invoke(name)
    assert response["Payload"]["errorType"] == "Runtime.ExitError"
    assert response["Payload"]["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert response["ResponseMetadata"]["RequestId"] in response["Payload"]["errorMessage"]


def test_init_that_is_too_slow_is_done_again_within_the_timeout(own_account):
    """After the INIT limit Lambda starts over with the function's own timeout."""
    account = own_account(init_timeout_s=0.5)
    slow = "import time; time.sleep(1.2)\ndef handler(event, context):\n    return 'late'\n"
    assert account.invoke(account.deploy(slow, Timeout=10))["Payload"] == "late"
    response = account.invoke(account.deploy(slow, Timeout=1))
    assert response["Payload"]["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_a_dead_environment_is_replaced(account):
    """The invocation after a crash runs in a new process."""
    name = account.deploy("import os\ndef handler(event, context):\n    return os._exit(1) if event else os.getpid()\n")
    first = account.invoke(name, 0)["Payload"]
    account.invoke(name, 1)
    second = account.invoke(name, 0)["Payload"]
    assert second != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
