"""The instance that several processes share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from lambdamagic.errors import LocalServerError
from lambdamagic.local.shared_server import shared_status, start_shared, stop_shared
from tests.local.conftest import Account, Processes


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "run"
    stop_shared(folder=tmp_path / "run")


def test_the_shared_server_starts_once_and_outlives_its_starter(folder):
    """A second start returns the first's connection; another process can use it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from lambdamagic.local.shared_server import start_shared\n"
        "print(start_shared(folder=Path(sys.argv[1])).connection.pid)"
    )
    pid = int(subprocess.check_output([sys.executable, "-c", code, str(folder)], text=True))
    again = start_shared(folder=folder)
    assert again.was_running
    assert again.connection.pid == pid
    account = Account(again.connection)
    account.bucket()
    account.close()
    watched = Processes([pid])
    assert stop_shared(folder=folder)
    assert watched.wait() == []
    assert not again.connection.folder.exists()


def test_status_shows_whether_it_runs(folder):
    """Before, while and after."""
    assert shared_status(folder=folder).connection is None
    connection = start_shared(folder=folder).connection
    status = shared_status(folder=folder)
    assert status.is_running
    assert status.connection == connection
    assert stop_shared(folder=folder)
    assert not stop_shared(folder=folder)
    assert not shared_status(folder=folder).is_running


def test_its_connection_file_is_private(folder):
    """Only this user may read the secret."""
    start_shared(folder=folder)
    file = shared_status(folder=folder).file
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_killed_server_is_started_again(folder):
    """A stale connection file is no obstacle."""
    first = start_shared(folder=folder).connection
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert not shared_status(folder=folder).is_running
    second = start_shared(folder=folder)
    assert not second.was_running
    assert second.connection.pid != first.pid


def test_a_broken_file_is_a_clear_error(tmp_path):
    """The error names the file to delete."""
    (tmp_path / "local.json").write_text("{")
    with pytest.raises(LocalServerError, match="does not hold a connection") as caught:
        shared_status(folder=tmp_path)
    assert "Delete" in caught.value.hint


def test_the_wait_for_a_lock_is_bounded(folder):
    """The error names the file that it holds."""
    folder.mkdir()
    code = (
        "import fcntl, sys\n"
        "lock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    lock = folder / "local.lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LocalServerError, match=r"local\.lock"):
            stop_shared(folder=folder, lock_timeout_s=0.05)
        holder.communicate("")
