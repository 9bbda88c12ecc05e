"""Starting and stopping an instance from a client."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from lambdamagic.errors import LocalServerError
from lambdamagic.local.local_server import LocalServer
from tests.local.conftest import ECHO, Account, Processes


def test_stop_ends_every_process_and_removes_the_folder(tmp_path):
    """Nothing is left, and a second stop does nothing."""
    server = LocalServer.start(folder=tmp_path)
    account = Account(server.connection)
    account.invoke(account.deploy(ECHO))
    family = [psutil.Process(server.connection.pid)]
    family += family[0].children(recursive=True)
    assert len(family) == 3  # server, keeper, one environment
    watched = Processes([process.pid for process in family])
    assert server.is_alive()
    account.close()
    server.stop()
    server.stop()
    assert not server.is_alive()
    assert watched.wait() == []
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_for_this_user_only(server):
    """No other user can read code and data of functions."""
    assert server.connection.folder.stat().st_mode & 0o077 == 0


def test_credentials_are_not_in_argv_or_environ(server):
    """What other users or a crash report can see of a process holds no secret."""
    process = psutil.Process(server.connection.pid)
    secret = server.connection.secret_access_key
    assert secret not in " ".join(process.cmdline())
    assert secret not in " ".join(process.environ().values())
    assert secret not in repr(server.connection)


def test_the_server_listens_on_the_loopback_address_only(account, server):
    """Neither the endpoint nor any Runtime API can be reached from another machine."""
    account.invoke(account.deploy(ECHO))
    listening = [c for c in psutil.Process(server.connection.pid).net_connections() if c.status == "LISTEN"]
    assert len(listening) >= 2
    assert all(ipaddress.ip_address(c.laddr.ip).is_loopback for c in listening)


def test_a_port_that_is_taken_is_a_clear_error(tmp_path):
    """The error names the port; nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"port {port} .*in use") as caught:
            LocalServer.start(port=port, folder=tmp_path)
    assert "another port" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    """The error names the folder and what to do."""
    with pytest.raises(LocalServerError, match=r"cannot write to .*nowhere") as caught:
        LocalServer.start(folder=tmp_path / "nowhere")
    assert "folder" in caught.value.hint


def test_a_server_that_dies_says_how(tmp_path):
    """describe_death returns the signal or status."""
    server = LocalServer.start(folder=tmp_path)
    os.kill(server.connection.pid, 9)
    os.waitid(os.P_PID, server.connection.pid, os.WEXITED | os.WNOWAIT)
    assert "was killed by signal 9" in server.describe_death()
    server.stop()


def test_an_instance_without_users_ends(tmp_path):
    """An instance that was forgotten without stop() is ended when its object goes."""
    server = LocalServer.start(folder=tmp_path)
    process = Processes([server.connection.pid])
    del server
    assert process.wait() == []


def test_starting_from_a_thread_that_ends_leaves_it_running(tmp_path):
    """Its life is the owner process's, not the thread's."""
    started = []
    thread = threading.Thread(target=lambda: started.append(LocalServer.start(folder=tmp_path)))
    thread.start()
    thread.join()
    with started[0] as server:
        account = Account(server.connection)
        assert account.client("s3").list_buckets()["Buckets"] == []
        account.close()


def test_importing_the_launcher_is_light():
    """No moto, no event loop, no boto3 and no botocore come with it."""
    code = (
        "import sys, lambdamagic.local.local_server\n"
        "heavy = {'moto', 'boto3', 'botocore', 'asyncio', 'uvloop', 'httptools', 'psutil', 'IPython'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_foreground_command_prints_how_to_use_it(tmp_path):
    """`python -m lambdamagic.local` prints environment variables that work, and ends on SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lambdamagic.local", "--folder", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        lines = [process.stdout.readline() for _ in range(5)]
        exported = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[1:])
        code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
        answer = subprocess.check_output([sys.executable, "-c", code], env={**os.environ, **exported}, text=True)
        assert answer.strip() == "123456789012"
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_option_of_the_foreground_command_is_reported(tmp_path):
    """A port that is taken ends it with one line on stderr and status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = subprocess.run(
            [sys.executable, "-m", "lambdamagic.local", "--port", str(taken.getsockname()[1])],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert result.returncode == 1
    assert "cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not Path("/dev/shm").is_dir() or os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_full_disk_is_a_clear_error(tmp_path):
    """At the start and at an upload the error says that there is no space left."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    try:
        with LocalServer.start(folder=tmp_path) as server:
            account = Account(server.connection)
            bucket = account.bucket()
            filler = tmp_path / "filler"
            with pytest.raises(OSError, match="No space left"):
                filler.write_bytes(b"x" * 2_000_000)
            s3 = account.client("s3")
            with pytest.raises(s3.exceptions.ClientError, match="has no space left"):
                s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 20_000_000)
            with pytest.raises(LocalServerError, match="No space left") as caught:
                LocalServer.start(folder=tmp_path)
            assert "Free some space" in caught.value.hint
            account.close()
            filler.unlink()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=False)
