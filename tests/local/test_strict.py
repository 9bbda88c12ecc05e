"""A strict instance: what a function finds around itself is what it finds on Lambda."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Account

_LOOK = """
    import os, resource, tempfile

    def _try(action):
        try:
            action()
        except OSError as error:
            return type(error).__name__
        return "worked"

    def _queue():
        import multiprocessing
        multiprocessing.Queue()

    def handler(event, context):
        return {
            "task root": _try(lambda: open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "x"), "w")),
            "working directory": _try(lambda: open("x", "w")),
            "home": _try(lambda: open(os.path.expanduser("~/x"), "w")),
            "etc": _try(lambda: open("/etc/x", "w")),
            "tmp": _try(lambda: open(os.path.join(tempfile.gettempdir(), "x"), "w")),
            "semaphores": _try(_queue),
            "is root": os.getuid() == 0,
            "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        }
"""


def test_only_tmp_is_writable_and_the_user_is_not_root(own_account: Callable[..., Account]) -> None:
    """Read-only is all but /tmp, there are no POSIX semaphores, the user is not root, 1,024 files are open at most."""
    account = own_account(strict=True)
    found = account.invoke(account.deploy(_LOOK))["Payload"]
    assert found.pop("home") in ("OSError", "FileNotFoundError")
    assert found.pop("semaphores") != "worked"
    assert found == {
        "task root": "OSError",
        "working directory": "OSError",
        "etc": "OSError",
        "tmp": "worked",
        "is root": False,
        "descriptors": 1024,
    }


def test_a_kind_instance_protects_code_and_python(account: Account) -> None:
    """Without strictness too the task root is read-only and HOME is not there, as on Lambda."""
    found = account.invoke(account.deploy(_LOOK))["Payload"]
    assert (found["task root"], found["working directory"], found["home"]) == (
        "OSError",
        "OSError",
        "FileNotFoundError",
    )
    assert found["descriptors"] <= 1024


def test_an_environment_is_frozen_between_two_invocations(own_account: Callable[..., Account]) -> None:
    """A thread stands still from one answer to the next event, as on Lambda, and continues it."""
    account = own_account(strict=True)
    name = account.deploy(
        """
        import threading, time
        counts = [0]
        def count():
            while True:
                counts[0] += 1
                time.sleep(0.005)
        def handler(event, context):
            before = counts[0]
            if event == "begin":
                threading.Thread(target=count, daemon=True).start()
            time.sleep(0.2)
            return [before, counts[0]]
        """
    )
    began = account.invoke(name, "begin")["Payload"]
    account.invoke(account.deploy("import time\ndef handler(e, c):\n    time.sleep(1)"))
    after = account.invoke(name, "look")["Payload"]
    assert began[1] > 5
    assert after[0] - began[1] < 20  # it would be 200 in a second
    assert after[1] > after[0]


_WITHOUT_NAMESPACES = """
import json, os, sys
from lambdamagic.local.environments import surroundings, write_rules

surroundings._unshare = lambda libc, user_id: False
surroundings.enter(json.loads(sys.argv[1]), write_rules.forbid_writes)

def tried(path):
    try:
        with open(path, "w") as file:
            return file.write("x")
    except OSError as error:
        return type(error).__name__

print(json.dumps([tried(path) for path in sys.argv[2:]]))
"""


def _without_namespaces(wanted: dict[str, Any], *paths: Path) -> list[Any]:
    words = [sys.executable, "-c", _WITHOUT_NAMESPACES, json.dumps(wanted), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    found: list[Any] = json.loads(done.stdout)
    return found


def test_without_namespaces_the_users_python_stays_as_it_is(tmp_path: Path) -> None:
    """Landlock keeps a function from its folders, and from no other."""
    if ctypes.CDLL(None).syscall(444, None, 0, 1) < 1:
        pytest.skip("this kernel has no Landlock")
    for name in ("venv/lib", "beside", "tmp/own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "venv/lib/module.py").write_text("")
    paths = [tmp_path / name for name in ("venv/lib/module.py", "venv/new", "beside/new", "tmp/own/new")]
    wanted = {"read_only": [str(tmp_path / "venv")], "writable": []}
    assert _without_namespaces(wanted, *paths, Path("/dev/null")) == ["PermissionError", "PermissionError", 1, 1, 1]
    strict = {"read_only": ["/", str(tmp_path / "venv")], "writable": [str(tmp_path / "tmp")]}
    assert _without_namespaces(strict, *paths, Path("/dev/null")) == [*["PermissionError"] * 3, 1, 1]
