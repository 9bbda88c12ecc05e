"""Nothing outlives the owner, whoever dies first and however."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from lambdamagic.local.control import object_files
from lambdamagic.local.environments import keeper
from lambdamagic.local.local_server import LocalServer, connection_from_json
from lambdamagic.local.server.folders import make_folder, sweep
from tests.local.conftest import Account, Processes

OWNER = """
import sys, os, time
from pathlib import Path
from lambdamagic.local.local_server import LocalServer, connection_to_json
server = LocalServer.start(folder=Path(sys.argv[1]))
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(connection_to_json(server.connection), flush=True)
sys.stdin.read()
"""

# A function that leaves behind a child, and a separate daemon: forked twice, in a separate session.
LEAVES = """
import os, subprocess, sys
def handler(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            import time
            time.sleep(600)
        os._exit(0)
    os.wait()
    return [os.getpid(), child.pid, int(os.read(read, 100))]
"""


@pytest.fixture
def owned(tmp_path):
    """A process that owns an instance, as a kernel does."""
    processes = []

    def start(how="plain"):
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        return process, connection_from_json(process.stdout.readline())

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _family(connection):
    account = Account(connection)
    pids = account.invoke(account.deploy(LEAVES))["Payload"]
    account.close()
    server = psutil.Process(connection.pid)
    family = {p.pid: p for p in [server, *server.children(recursive=True)]}
    for pid in pids:
        family.setdefault(pid, psutil.Process(pid))
    assert len(family) == 5  # server, keeper, environment, its child, its daemon
    return Processes(list(family))


def _wait_gone(family: Processes, folder: Path):
    assert family.wait() == []
    # The keeper removes the folder just before it ends, and it is in the family.
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_owner_that_is_killed_takes_everything_along(owned, number):
    """Server, keeper, environments and what they started end, and the folder is gone."""
    process, connection = owned()
    family = _family(connection)
    process.send_signal(number)
    process.wait()
    _wait_gone(family, connection.folder)


def test_a_forked_child_of_the_owner_does_not_keep_it_alive(owned):
    """The child holds the pipe open; the owner's pid says that it is gone."""
    process, connection = owned("fork")
    (forked,) = [child for child in psutil.Process(process.pid).children() if child.pid != connection.pid]
    family = _family(connection)
    process.kill()
    process.wait()
    try:
        _wait_gone(family, connection.folder)
    finally:
        forked.kill()


def test_an_owner_that_ends_normally_takes_everything_along(owned):
    """A kernel that exits without stop() leaves nothing either."""
    process, connection = owned()
    family = _family(connection)
    process.stdin.close()
    process.wait()
    _wait_gone(family, connection.folder)


def test_a_server_that_is_killed_takes_everything_along(tmp_path):
    """The keeper cleans up after a server that got kill -9."""
    server = LocalServer.start(folder=tmp_path)
    family = _family(server.connection)
    os.kill(server.connection.pid, signal.SIGKILL)
    _wait_gone(family, server.connection.folder)
    server.stop()


def test_a_keeper_that_is_killed_ends_the_instance(tmp_path):
    """Environments die with the keeper and the server follows; the next start sweeps the folder."""
    server = LocalServer.start(folder=tmp_path)
    account = Account(server.connection)
    pid = account.invoke(account.deploy("import os\ndef handler(e, c):\n    return os.getpid()\n"))["Payload"]
    account.close()
    keeper = psutil.Process(pid).parent()
    assert "keeper.py" in " ".join(keeper.cmdline())
    family = Processes([server.connection.pid, pid])
    keeper.kill()
    assert family.wait() == []
    server.stop()
    assert server.connection.folder.exists()
    with LocalServer.start(folder=tmp_path):
        assert not server.connection.folder.exists()


def test_a_folder_is_not_swept_before_its_keeper_starts(tmp_path):
    """Of two that start at once each finds the lock of the other held, from the first moment to the last."""
    folder, lock = make_folder(str(tmp_path))
    sweep(tmp_path)
    assert folder.exists()
    os.close(lock)
    sweep(tmp_path)
    assert not folder.exists()


def test_a_living_instances_folder_is_not_swept(tmp_path):
    """A second instance next to the first leaves its folder alone."""
    with LocalServer.start(folder=tmp_path) as first, LocalServer.start(folder=tmp_path) as second:
        assert first.connection.folder.exists()
        assert second.connection.folder.exists()
        assert first.connection.folder != second.connection.folder


def test_a_folder_is_removed_though_the_server_still_writes_into_it(tmp_path):
    """Its threads load moto, and keep objects, until the process has ended."""
    folder, has_ended = tmp_path / "instance", threading.Event()
    folder.mkdir()

    def write():
        for number in itertools.count():
            if has_ended.is_set():
                return
            with contextlib.suppress(OSError):
                (folder / "objects").mkdir(exist_ok=True)
                (folder / "objects" / str(number % 50)).touch()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        keeper.remove(str(folder))
        assert not folder.exists()
    finally:
        has_ended.set()
        writer.join()


def test_what_is_loaded_at_the_end_does_not_bring_the_folder_back(tmp_path, monkeypatch):
    """It was removed meanwhile, and a thread that has just imported moto makes no folders."""
    from moto.s3 import models

    monkeypatch.setattr(models, "tempfile", models.tempfile)  # what `install` changes is put back
    object_files.install(tmp_path / "gone" / "objects")
    assert not (tmp_path / "gone").exists()


def test_what_may_not_be_killed_does_not_end_the_keeper(tmp_path, monkeypatch):
    """A function may have started a program that runs as another user; the folder goes all the same."""

    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(os, "killpg", refuse)
    keeper.Keeper.__new__(keeper.Keeper)._kill_group(os.getpid())
    keeper._kill(os.getpid())
    monkeypatch.undo()
