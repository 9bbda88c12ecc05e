"""File descriptors for many connections, in processes with their own limits."""

from __future__ import annotations

import subprocess
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such limit", allow_module_level=True)


def _room(soft: int, hard: int, connections: int) -> list[int]:
    program = (
        "import resource, sys\n"
        "from lambdamagic.transports.open_files import room_for\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"print(room_for({connections}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in ended.stdout.split()]


def test_a_soft_limit_that_is_enough_is_left_alone():
    """Nothing is changed unasked."""
    assert _room(1024, 4096, 64) == [64, 1024]


def test_a_soft_limit_is_raised_as_far_as_needed():
    """A thousand connections where 1,024 files were allowed."""
    room, soft = _room(1024, 4096, 1000)
    assert room == 1000
    assert 1256 <= soft <= 1300


def test_a_hard_limit_bounds_the_connections():
    """What does not fit is not tried."""
    room, soft = _room(512, 1024, 5000)
    assert soft == 1024
    assert 700 <= room <= 768
