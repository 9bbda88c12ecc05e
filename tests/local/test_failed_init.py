"""An INIT that fails: Lambda does it again within the invocation, and bills both."""

from __future__ import annotations

import base64
import re

import pytest

from lambdamagic.local.testing.faults import Faults
from lambdamagic.protocol.report import parse_report

_LIMIT_S = 3.0  # Python itself may take a second of it on a busy machine


def _log(response) -> str:
    return base64.b64decode(response["LogResult"]).decode()


def _billed_s(account) -> float:
    """Return the billed seconds since the last call, by the server's own counters; functions have 1,024 MB."""
    return Faults(account.connection).stats(reset=True)["billed_gb_s"]


@pytest.fixture
def account(own_account):
    account = own_account(init_timeout_s=_LIMIT_S)
    _billed_s(account)
    return account


def test_a_slow_init_is_done_again_and_both_are_billed(account):
    """INIT_REPORT is in the log, the second INIT is part of REPORT's Duration, and /tmp is still the same."""
    code = """
        import os, tempfile, time
        mark = os.path.join(tempfile.gettempdir(), "mark")
        if not os.path.exists(mark):
            open(mark, "w").close()
            time.sleep(60)
        time.sleep(0.3)
        def handler(event, context):
            return context.get_remaining_time_in_millis()
        """
    name = account.deploy(code, Timeout=10, MemorySize=1024)
    response = account.invoke(name, LogType="Tail")
    text = _log(response)
    report = parse_report(text)
    assert response["Payload"] < 9_700  # the second INIT's time is the invocation's
    assert re.search(
        r"^INIT_REPORT Init Duration: 3\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout\t$", text, re.MULTILINE
    )
    assert "Init Duration" not in text.splitlines()[-1]
    assert 300 < report.duration_ms < report.billed_ms - 2_999
    assert _billed_s(account) == pytest.approx(report.billed_ms / 1000, abs=0.002)
    warm = account.invoke(name, LogType="Tail")
    assert warm["Payload"] > 9_900 and "INIT_" not in _log(warm)


def test_an_init_that_never_ends_is_billed_twice(account):
    """First to INIT's limit, then to the function's timeout."""
    name = account.deploy("import time; time.sleep(60)\n", Timeout=1, MemorySize=1024)
    response = account.invoke(name, LogType="Tail")
    text = _log(response)
    report = parse_report(text)
    assert response["Payload"]["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert "Phase: invoke\tStatus: timeout" in text and "Task timed out after 1.00 seconds" in text
    assert report.failed_init_ms >= 3_000 and report.billed_ms >= 4_000
    assert _billed_s(account) == pytest.approx(report.billed_ms / 1000, abs=0.002)


def test_an_init_that_raises_is_done_again_and_both_are_billed(account):
    """The handler's module is imported twice before the caller receives the error."""
    code = """
        import os, tempfile
        with open(os.path.join(tempfile.gettempdir(), "tries"), "a") as file:
            file.write("x")
            print("try", file.tell(), flush=True)
        import nothing_like_this
        """
    response = account.invoke(account.deploy(code, MemorySize=1024), LogType="Tail")
    text = _log(response)
    report = parse_report(text)
    assert response["Payload"]["errorType"] == "Runtime.ImportModuleError"
    assert [line for line in text.splitlines() if line.startswith("try")] == ["try 1", "try 2"]
    assert re.search(r"INIT_REPORT .*\tPhase: init\tStatus: error\tError Type: ", text)
    assert _billed_s(account) == pytest.approx(report.billed_ms / 1000, abs=0.002)


def test_an_init_that_succeeds_at_its_second_try_serves(account):
    """What failed once, as a network does, is not the caller's to see."""
    code = """
        import os, tempfile
        mark = os.path.join(tempfile.gettempdir(), "mark")
        if not os.path.exists(mark):
            open(mark, "w").close()
            raise RuntimeError("once")
        def handler(event, context):
            return "served"
        """
    assert account.invoke(account.deploy(code, MemorySize=1024))["Payload"] == "served"
