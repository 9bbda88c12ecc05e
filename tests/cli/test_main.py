"""The group of all commands: help, mistakes, completion, what it imports."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lambdamagic import errors
from lambdamagic.cli.commands import COMMANDS
from lambdamagic.cli.exits import EXIT_HELP, exit_code
from lambdamagic.cli.main import commands
from tests.cli.calling import call, run


def _all_commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += _all_commands(command, (*path, name))
    return found


ALL = _all_commands(commands)


def test_the_help_page_imports_no_command(tmp_path: Path) -> None:
    """`lambdamagic --help` loads neither boto3 nor rich nor a command's module."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*(m for m in sys.modules if m in ('boto3', 'botocore', 'rich', 'moto')"
        " or m == 'lambdamagic.cli.local_commands'), file=sys.stderr))\n"
        "from lambdamagic.cli import main; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.strip() == ""
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_is_the_commands_own(name: str) -> None:
    """What the help page says without importing a command is the first line of the command's help."""
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name].help


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """`--help` and `-h` of each say what it does and end with status 0."""
    done = call(*path, "--help")
    assert done.status == 0
    assert done.out.startswith("Usage: lambdamagic " + " ".join(path))
    assert call(*path, "-h").out == done.out


@pytest.mark.parametrize(
    ("path", "command"),
    [(path, command) for path, command in ALL if not isinstance(command, click.Group)],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_help_of_each_command_ends_with_examples(
    path: tuple[str, ...], command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--help` ends with command lines of this command, and each has only options and arguments that it takes."""
    monkeypatch.chdir(tmp_path)
    for name in ("analysis.ipynb", "mymodule.py"):
        Path(name).touch()
    _, _, shown = call(*path, "--help").out.rpartition("\n  Example")
    lines = [line.strip() for line in shown.splitlines()[1:]]
    assert lines, path
    for line in lines:
        evaluated = line[len('eval "$(') : -len(')"')] if line.startswith("eval ") else line.partition(" > ")[0]
        words = shlex.split(evaluated)
        assert words[: len(path) + 1] == ["lambdamagic", *path]
        command.make_context(path[-1], words[len(path) + 1 :])  # raises for an unknown option or a wrong value


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_option_is_described(path: tuple[str, ...], command: click.Command) -> None:
    """Each option of each command has a line of help, and each command that does something has --json."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path}: {parameter.opts}"
    if not isinstance(command, click.Group):
        assert any("--json" in parameter.opts for parameter in command.params), path


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_an_unknown_option_is_reported(path: tuple[str, ...]) -> None:
    """Status 2, the option named; with --json as a document."""
    done = call(*path, "--no-such-option")
    assert done.status == 2
    assert "--no-such-option" in done.err
    shown = call(*path, "--no-such-option", "--json")
    assert shown.error["exit_status"] == 2
    assert shown.out == ""


def test_a_misspelt_command_is_guessed(tmp_path: Path) -> None:
    """As a process: status 2, and the nearest command."""
    done = run(tmp_path, "confg")
    assert done.status == 2
    assert "'config'" in done.err


def test_common_options_can_be_given_anywhere(tmp_path: Path) -> None:
    """Before and behind the command; the one behind wins."""
    found = run(tmp_path, "--region", "eu-west-1", "--json", "config", "--region", "eu-central-1").document
    assert found["region"]["value"] == "eu-central-1"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    """A script that names the command."""
    assert "lambdamagic" in call("completion", shell).out


def test_completion_completes(tmp_path: Path) -> None:
    """What the shell's script asks, as a process."""
    asked = {"_LAMBDAMAGIC_COMPLETE": "bash_complete", "COMP_WORDS": "lambdamagic local st", "COMP_CWORD": "2"}
    assert run(tmp_path, environment=asked).out.split() == ["plain,start", "plain,status", "plain,stop"]


def test_each_error_of_ours_has_an_exit_status_that_is_documented() -> None:
    """Whatever we raise ends with a status that the help page explains."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 15
    for kind in kinds:
        assert exit_code(kind("x")) in EXIT_HELP


def test_a_closed_pipe_is_no_traceback() -> None:
    """`lambdamagic --help | head -1` ends quietly."""
    line = f"{sys.executable} -c 'from lambdamagic.cli import main; main()' config --json | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_odd_values_are_refused_in_one_line(tmp_path: Path) -> None:
    """Numbers without end, bytes that are no text and JSON that is nested too deeply are no tracebacks."""
    (tmp_path / "odd.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0\n")
    for arguments, status in (
        (("jobs", "-n", "9" * 30), 0),
        (("cost", "--since", "9" * 5000 + "w"), 4),
        (("logs", "--since", "9" * 400 + "w"), 4),
        (("invoke", "--file", str(tmp_path / "odd.py")), 4),
        (("invoke", "--file", str(tmp_path / "nul.py")), 2),
        (("invoke", "f", "--payload", "[" * 100_000), 4),
        (("create", "f", "--memory", "1_"), 2),
    ):
        done = call(*arguments)
        assert done.status == status, arguments[:3]
        assert "Traceback" not in done.err
        assert len(done.err) < 1_000
