"""Output below Python: pipes are used again, but never where another process may still write into them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

_BEFORE = """
import json, os, subprocess, sys, time
from lambdamagic.worker import descriptors
from lambdamagic.worker.descriptors import BelowPython

def numbers():
    '''Which pipe the standard output is.'''
    return os.fstat(1).st_ino

records, pipes = [], []

class Run(BelowPython):
    def __init__(self):
        self.text = []
        super().__init__(lambda stream, text: self.text.append((stream, text)))

    def __enter__(self):
        super().__enter__()
        pipes.append(numbers())
        return self

    def __exit__(self, *error):
        super().__exit__(*error)
        records.append(self.text)
"""
_AFTER = """
os.write(1, b"\\n" + json.dumps({"records": records, "pipes": pipes}).encode())
"""


def _run(code: str) -> dict[str, Any]:
    source = _BEFORE + textwrap.dedent(code) + _AFTER
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=60, check=True)
    log, _, last = done.stdout.decode(errors="replace").rpartition("\n")
    return {**json.loads(last), "log": log}


def test_each_run_records_what_is_written_in_it() -> None:
    found = _run("""
        for text in (b"one\\n", b"two\\n"):
            with Run():
                os.write(1, text)
                os.write(2, b"below\\n")
    """)
    assert found["records"] == [
        [["stdout", "one\n"], ["stderr", "below\n"]],
        [["stdout", "two\n"], ["stderr", "below\n"]],
    ]
    assert found["log"] == "one\ntwo\n"


def test_pipes_are_used_again_where_no_process_has_begun() -> None:
    found = _run("""
        descriptors._last_process = lambda: b"4711"  # other processes of this machine begin all the time
        for _ in range(3):
            with Run():
                os.write(1, "é\\n".encode()[:1])  # half a character is not the next run's
    """)
    assert len(set(found["pipes"])) == 1
    assert found["records"] == [[], [], []]


def test_a_process_that_outlives_a_run_writes_into_the_log_and_not_into_the_next_run() -> None:
    found = _run("""
        with Run():
            child = subprocess.Popen(["sh", "-c", "read line; echo late"], stdin=subprocess.PIPE)
        with Run():
            child.communicate(b"now\\n")
            os.write(1, b"second\\n")
            until = time.monotonic() + 30
            while len(descriptors._selector().get_map()) > 3 and time.monotonic() < until:
                os.sched_yield()  # the reading thread closes the first run's pipes when it has read all
    """)
    assert found["records"] == [[], [["stdout", "second\n"]]]
    assert sorted(found["log"].split()) == ["late", "second"]
    assert len(set(found["pipes"])) == 2


def test_pipes_are_made_new_where_it_is_not_known_which_processes_began() -> None:
    found = _run("""
        descriptors._last_process = lambda: b""
        for _ in range(2):
            with Run():
                os.write(1, b"x\\n")
    """)
    assert len(set(found["pipes"])) == 2
    assert found["records"] == [[["stdout", "x\n"]]] * 2
