"""`!cmd` and a small set of magics work remotely; the others are refused with their line."""

from __future__ import annotations

import pytest


def test_a_shell_command(notebook):
    """Its output is in the cell as a terminal shows it, its exit code in `_exit_code`."""
    ran = notebook.remote("!echo hello; echo oops >&2\n_exit_code")
    assert (ran.stdout, ran.value) == ("hello\r\noops\r\n", 0)
    assert notebook.remote("!exit 3\n_exit_code").value == 3


def test_the_output_of_a_command(notebook):
    """`x = !cmd` is a list of lines."""
    ran = notebook.remote("lines = !printf 'a\\nb\\n'\nlines")
    assert list(ran.value) == ["a", "b"]
    assert list(notebook.names["lines"]) == ["a", "b"]


def test_names_in_commands(notebook):
    """`{x}`, `$x` and names of the notebook are filled in; `$HOME` and awk's `$1` are not."""
    notebook.ok("name, n = 'world', 2")
    ran = notebook.remote("local = 'here'\n!echo {name} $local {n + 1} | awk '{{print $1, $3}}'")
    assert ran.stdout == "world 3\r\n"
    assert notebook.remote("local = 'here'\n!echo $local | awk '{print $1}'").stdout == "here\r\n"
    assert notebook.remote("import os\nx = !echo $HOME\nx[0] == os.environ.get('HOME', '')").value is True


def test_a_command_that_is_no_python(notebook):
    """Brackets and quotes of the shell need not be balanced as Python's."""
    ran = notebook.remote("x = 5\n!echo '({[' it\\'s\nx")
    assert (ran.stdout, ran.value) == ("({[ it's\r\n", 5)


def test_a_command_in_a_function(notebook):
    """Also when it is called later."""
    ran = notebook.remote("def run(word):\n    out = !echo got {word}\n    return out[0]\nrun('it')")
    assert ran.value == "got it"


def test_time(notebook):
    """As a line and as a whole cell; the value is kept."""
    ran = notebook.remote("%time x = 2 + 3\nx")
    assert ran.value == 5
    assert "CPU times: user" in ran.stdout
    assert "Wall time: " in ran.stdout
    ran = notebook.remote("%%time\ny = 6\ny * 2")
    assert "Wall time: " in ran.stdout
    assert ran.value == 12
    assert notebook.names["y"] == 6


def test_timeit(notebook):
    """It reads the captured names."""
    notebook.ok("xs = [1, 2]")
    assert " per loop (mean ± std. dev. of 2 runs, 1 loop each)" in notebook.remote("%timeit -r 2 -n 1 sum(xs)").stdout
    assert " of 3 runs, 2 loops each)" in notebook.remote("%%timeit -r3 -n2\ny = sum(xs)\ny + 1").stdout


def test_env_cd_pwd(notebook):
    """%cd and %pwd act on the cell's place; a variable that %env sets is here afterwards, and in later cells."""
    ran = notebook.remote("%env LM_TEST=5\nimport os\nos.environ['LM_TEST']")
    assert (ran.stdout, ran.value) == ("env: LM_TEST=5\n", "5")
    ran = notebook.remote("%cd /tmp\nwhere = %pwd\nwhere")
    assert (ran.stdout, ran.value) == ("/tmp\n", "/tmp")
    assert notebook.remote("%pwd").value != "/tmp"
    assert notebook.remote("import os\nos.environ.get('LM_TEST')").value == "5"
    assert notebook.ok("os.environ.pop('LM_TEST')").value == "5"


def test_cd_is_ipythons(notebook, tmp_path):
    """`-q` and `-`, quotes, and a folder that is not there, which is a sentence and no error."""
    (tmp_path / "a b").mkdir()
    ran = notebook.remote(f"%cd -q '{tmp_path}/a b'\nfirst = %pwd\n%cd -q -\n%cd /no-such\nfirst")
    assert ran.value == f"{tmp_path}/a b"
    assert ran.stdout.startswith("[Errno 2] No such file or directory: '/no-such'\n/")


def test_options_of_bash(notebook):
    """Output goes to names, and a status that is not 0 is no error where that was asked for."""
    ran = notebook.remote("%%bash --out listed --err noted --no-raise-error\necho out\necho err >&2\nexit 3")
    assert (ran.stdout, ran.stderr) == ("", "")
    assert notebook.ok("listed, noted").value == ("out\n", "err\n")
    assert notebook.remote("%%bash -s a b\necho $2").stdout == "b\n"


def test_an_error_of_a_magic_shows_the_users_lines(notebook):
    """As in the kernel: no line of the code behind the magic."""
    ran = notebook.fails("%%bash\nexit 4")
    assert "Command 'b'exit 4" in str(ran.error) and "shell.py" not in ran.traceback
    ran = notebook.fails("%time int('x')")
    assert "shell.py" not in ran.traceback and "invalid literal" in ran.traceback


def test_matplotlib_is_no_error(notebook):
    """`%matplotlib inline` is in many notebooks' cells."""
    assert notebook.remote("%matplotlib inline\n1").value == 1


def test_bash(notebook):
    """A whole cell of it, its streams, and an error that says the code."""
    ran = notebook.remote("%%bash\nx=5\necho $x\necho err >&2")
    assert (ran.stdout, ran.stderr) == ("5\n", "err\n")
    error = notebook.fails("%%bash\nexit 4").error
    assert type(error).__name__ == "CalledProcessError"
    assert error.returncode == 4


def test_writefile(notebook, tmp_path):
    """A whole cell."""
    path = tmp_path / "written.txt"
    ran = notebook.remote(f"%%writefile {path}\nline {{x}} $y\n")
    assert path.read_text() == "line {x} $y\n"
    assert ran.stdout == f"Writing {path}\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x = 1\n%load_ext autoreload", "line 3: %load_ext cannot run on Lambda"),
        ("x = 1\ny = 2\n%run script.py", "line 4: %run cannot run on Lambda"),
        ("%%javascript\nalert(1)", "line 2: %%javascript cannot run on Lambda"),
        ("def f():\n    %who\n", "line 3: %who cannot run on Lambda"),
    ],
)
def test_other_magics_are_refused_with_their_line(notebook, body, message):
    """Nothing is sent, and the hint lists what works."""
    before = notebook.invocations()
    error = notebook.fails(body).error
    assert type(error).__name__ == "UnsupportedInCellError"
    assert error.message == message
    assert "These work remotely: " in error.hint
    assert notebook.invocations() == before


def test_question_marks_are_refused(notebook):
    """`name?` is a magic too."""
    notebook.ok("x = 1")
    assert type(notebook.fails("x?").error).__name__ == "UnsupportedInCellError"


def test_nested_lambda_is_refused(notebook):
    """A cell within a cell."""
    assert "cannot run on Lambda" in str(notebook.fails("%%lambda\n1").error)
