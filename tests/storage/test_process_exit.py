"""What the process's transfer leaves when the process ends."""

from __future__ import annotations

import subprocess
import sys

from .scripted import ScriptedServer, Step

_FETCH = "import sys\nfrom lambdamagic.storage import presigned\nprint(presigned.fetch(sys.argv[1], 1))\n"
_FORK = f"{_FETCH}import os\nif os.fork() == 0: sys.exit()\nos.wait()\nprint(presigned.fetch(sys.argv[1], 1))\n"


def _run(program: str, *options: str) -> tuple[int, tuple[str, str, int]]:
    with ScriptedServer(*[Step(body=b"a")] * 2) as server:
        command = [sys.executable, *options, "-c", program, f"{server.url}/bucket/k"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return server.connections, (ended.stdout, ended.stderr, ended.returncode)


def test_no_connection_is_left_open() -> None:
    """Python's development mode, which warns of them, prints nothing."""
    assert _run(_FETCH, "-X", "dev")[1] == ("bytearray(b'a')\n", "", 0)


def test_a_forked_child_leaves_its_parents_connections_alone() -> None:
    """The parent asks again on the same one."""
    assert _run(_FORK) == (1, ("bytearray(b'a')\n" * 2, "", 0))
