"""Files next to the notebook are sent when requested, and those that a cell writes come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import lambdamagic
from lambdamagic.errors import CaptureError


def test_a_file_that_is_here_is_offered(notebook, tmp_path):
    """The error says that it is here and how it is sent; so does the plan, before anything runs."""
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    ran = notebook.fails("open('data.csv')")
    shown = "data.csv is on this machine and was not sent to Lambda: `%%lambda --file data.csv`"
    assert isinstance(ran.error, FileNotFoundError)
    assert any(note.startswith(shown) for note in ran.error.__notes__)
    assert shown in ran.traceback
    assert "add --file data.csv" in repr(notebook.remote("open('data.csv')", "--plan").value)
    assert not [note for note in notebook.fails("open('other.csv')").error.__notes__ if "--file" in note]


@pytest.mark.parametrize(
    "read",
    [
        "from pathlib import Path; Path('data.nc').resolve().read_bytes()",
        "import numpy; numpy.load('data.nc')",
        "import numpy; numpy.loadtxt('data.nc')",
        "import h5py; h5py.File('data.nc')",
        "import pyarrow.parquet; pyarrow.parquet.read_table('data.nc')",
    ],
)
def test_a_file_that_a_library_names_in_its_message_is_offered(notebook, tmp_path, read):
    """The path may be a part of the message only, also the whole path on Lambda."""
    pytest.importorskip(read.split()[1].rstrip(";").partition(".")[0])
    (tmp_path / "data.nc").write_bytes(b"not read here")
    ran = notebook.fails(read)
    assert "`%%lambda --file data.nc`" in ran.traceback


def test_files_are_sent_under_their_relative_paths(notebook, tmp_path):
    """Names, folders and globs; a large one is staged once. Maps have them too."""
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "one.txt").write_text("one")
    (tmp_path / "two.txt").write_text("two")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    notebook.ok("from pathlib import Path")
    body = "sorted(str(path) for path in Path().rglob('*') if path.is_file())"
    there = notebook.remote(body, "--file data --file 't*.txt' --file large.bin").value
    assert there == ["data/deep/one.txt", "large.bin", "two.txt"]
    table = repr(notebook.remote("open('two.txt').read()", "--plan --file two.txt").value)
    assert "two.txt" in table and "names the local file" not in table
    read = notebook.ok("%%lambda_map --file data n in range(2)\nPath('data/deep/one.txt').read_text() * n").value
    assert read == ["", "one"]
    error = notebook.fails("1", "--file nowhere.csv").error
    assert str(error).startswith("--file nowhere.csv: no such file")
    assert "is not below the current folder" in str(notebook.fails("1", "--file /etc/hostname").error)
    assert notebook.remote("Path('two.txt').exists()").value is False


def test_written_files_come_back_or_are_named(notebook, tmp_path, monkeypatch):
    """Next to the notebook, under its path; a file that is here already stays as it is."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    (tmp_path / "given.txt").write_text("given")
    write = """
        import os
        os.makedirs('plots', exist_ok=True)
        for name in ('out.csv', 'plots/a.png'):
            open(name, 'w').write(name)
    """
    ran = notebook.remote(write)
    assert "out.csv, plots/a.png stay on Lambda, where they are deleted; --fetch out.csv brings it here" in ran.stderr
    assert not (tmp_path / "out.csv").exists()
    ran = notebook.remote(write, "--file given.txt --fetch plots")
    assert (tmp_path / "plots" / "a.png").read_text() == "plots/a.png"
    assert "plots/a.png came back from Lambda (11 bytes)" in ran.stdout and "given" not in ran.stdout
    (tmp_path / "out.csv").write_text("mine")
    ran = notebook.remote(write, "--fetch")
    assert ((tmp_path / "out.csv").read_text(), (tmp_path / "out-1.csv").read_text()) == ("mine", "out.csv")
    assert "out-1.csv came back from Lambda (7 bytes); out.csv already existed and was kept" in ran.stdout


def test_a_file_that_cannot_be_written_costs_no_result(notebook, tmp_path, monkeypatch):
    """The cell ran and was paid for: its names are set, and a line says which file is missing here."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path.parent / "outside" / "made")
    (tmp_path / "loop").symlink_to("loop")
    ran = notebook.remote(
        """
        import os
        os.mkdir('file')
        for name in ('folder', 'file/below', 'dangling', 'loop'):
            open(name, 'w').write(name)
        bound = 7
        """,
        "--fetch",
    )
    assert notebook.ok("bound").value == 7
    assert (tmp_path / "folder-1").read_text() == "folder"
    assert "file/below was not written: " in ran.stdout
    assert ((tmp_path / "dangling-1").read_text(), (tmp_path / "loop-1").read_text()) == ("dangling", "loop")
    assert not (tmp_path.parent / "outside").exists()


def test_links_are_followed_and_end(notebook, tmp_path):
    """A link to a file or folder is what it leads to; one that leads into itself brings no file twice."""
    for folder in ("v1", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text(folder)
        for loop in ("up", "again"):
            (tmp_path / folder / loop).symlink_to("..")
    (tmp_path / "latest").symlink_to("v1")
    notebook.ok("import glob")
    there = notebook.remote("sorted(glob.glob('**', recursive=True))", "--file **/*.csv").value
    assert [name for name in there if name.endswith("csv") and name.count("/") == 1] == [
        "latest/a.csv", "other/a.csv", "v1/a.csv",
    ]  # fmt: skip
    assert len(there) < 40


@pytest.mark.parametrize("kind", ["pipe", "dangling", "loop", "device"])
def test_what_is_no_file_is_refused(notebook, tmp_path, kind):
    """A pipe would be waited for, a device read without end."""
    if kind == "pipe":
        os.mkfifo(tmp_path / "odd")
    else:
        (tmp_path / "odd").symlink_to({"dangling": "nowhere", "loop": "odd", "device": "/dev/zero"}[kind])
    error = notebook.fails("1", "--file odd").error
    assert isinstance(error, CaptureError)
    assert "odd is neither a file nor a folder" in str(error)


def test_each_task_of_a_map_has_a_folder(notebook, tmp_path):
    """By its number, from 1."""
    notebook.ok("def write(n):\n    open('out.txt', 'w').write(str(n))\n    return n")
    notebook.ok("%lambda_map --chunksize 2 --fetch out.txt write range(3)")
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("out.txt")}
    assert found == {"1/out.txt": "0", "2/out.txt": "1", "3/out.txt": "2"}


def test_executors_take_files(notebook, tmp_path):
    """And say the same of one that was not sent."""
    (tmp_path / "data.csv").write_text("a,b")
    with lambdamagic.LambdaExecutor(target="local", files=["data.csv"]) as executor:
        assert executor.submit(Path.read_text, Path("data.csv")).result() == "a,b"
    with lambdamagic.LambdaExecutor(target="local") as executor:
        error = executor.submit(Path.read_text, Path("data.csv")).exception()
    assert any("LambdaExecutor(files=['data.csv'])" in note for note in error.__notes__)


def test_files_that_a_map_wrote_are_named(notebook, tmp_path, monkeypatch):
    """Once, whatever tasks have written them; and `--fetch` before a callable needs a path."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    notebook.ok("def write(n):\n    open(f'out-{n}.txt', 'w').write(str(n))")
    ran = notebook.ok("%lambda_map write range(2)")
    assert ran.stderr.count("stay on Lambda, where they are deleted") == 1
    assert "out-0.txt" in ran.stderr and "--fetch . brings the files of each task into a folder" in ran.stderr
    assert "stay on Lambda" not in notebook.ok("%lambda_map --fetch . write range(2)").stderr
    assert (tmp_path / "2" / "out-1.txt").read_text() == "1"
    assert "`--fetch .` fetches all files" in notebook.run("%lambda_map --fetch write range(2)").stderr


@pytest.mark.parametrize(
    "write",
    [
        "with open('kept.db', 'a') as f:\n    f.write('more')",
        "import sqlite3\nwith sqlite3.connect('kept.db') as connection:\n    connection.execute('create table t (a)')",
        "import sqlite3\nsqlite3.connect('kept.db').execute('select * from orders')",
    ],
)
def test_a_file_that_is_here_and_began_empty_on_lambda_is_offered(notebook, tmp_path, monkeypatch, write):
    """A log that is appended to, or a database, would be updated by the kernel; no error says that it was not sent."""
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "0")
    (tmp_path / "kept.db").write_bytes(b"")
    offer = "kept.db of this machine was not sent, and Lambda began with a new one; --file kept.db sends it"
    assert offer in notebook.run(f"%%lambda\n{write}").stderr
    assert offer not in notebook.run(f"%%lambda --file kept.db\n{write}").stderr
