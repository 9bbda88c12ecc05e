"""The stacks that are written while a C extension keeps the interpreter's lock."""

import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, os, sys
from lambdamagic.worker.stack_dump import StackDump

dump = StackDump(2)
holding = ctypes.PyDLL(None)  # its calls keep the interpreter's lock
def run(after_s, hold_us):
    dump.arm(after_s)
    holding.usleep(hold_us)
    dump.disarm()
    os.write(2, b"end\\n")
for number in range(4):
    run(30.0 if number % 2 == 0 else 0.01, 1 if number % 2 == 0 else 300_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such timers")
def test_stacks_are_written_at_the_moment_by_thread_and_by_timer_and_not_after_disarm() -> None:
    """The first run uses faulthandler's thread, those after it a timer; a run that ended in time writes nothing."""
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    *runs, rest = ran.stderr.split("end\n")
    assert [("most recent call first" in run, " in run\n" in run) for run in runs] == [(False, False), (True, True)] * 2
    assert rest == ""
    assert "Timeout" not in runs[1]  # by the timer


def test_a_process_without_timers_uses_the_thread() -> None:
    """As on macOS."""
    program = _PROGRAM.replace("dump = ", "sys.platform = 'darwin'\ndump = ")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr.count("Timeout") == 2
