"""Every command: a mistake, and, as a separate process, what it is for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.cli.exits import INVALID, MISSING, USAGE
from lambdamagic.local.local_server import LocalServer
from lambdamagic.protocol.holdings import Holdings
from lambdamagic.pythons import python_here
from tests.cli.calling import Done, call, run
from tests.cli.test_main import ALL

#: What is wrong for each, the exit status that docs/cli.md has for that, and a word of its message.
MISTAKES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "deploy": (("--memory", "64"), INVALID, "128"),
    "destroy": (("--everything",), USAGE, "--everything"),
    "create": (("x", "--timeout", "0"), INVALID, "1800"),
    "list": (("surplus",), USAGE, "surplus"),
    "update": (("no-such-function", "--memory", "512"), MISSING, "no-such-function"),
    "delete": (("no-such-function", "--yes"), MISSING, "no-such-function"),
    "invoke": (("no-such-function", "-c", "1"), MISSING, "no-such-function"),
    "logs": (("--since", "yesteryear"), INVALID, "yesteryear"),
    "status": (("no-such-stack",), MISSING, "no-such-stack"),
    "jobs": (("surplus",), USAGE, "surplus"),
    "cancel": (("no-such-job",), MISSING, "no-such-job"),
    "attach": (("no-such-job",), MISSING, "no-such-job"),
    "cost": (("surplus",), USAGE, "surplus"),
    "clean": (("--older-than", "yesteryear"), INVALID, "yesteryear"),
    "warm": (("none",), USAGE, "none"),
    "config": (("surplus",), USAGE, "surplus"),
    "policy": (("emperor",), USAGE, "emperor"),
    "template": (("cobol",), USAGE, "cobol"),
    "doctor": (("surplus",), USAGE, "surplus"),
    "demo": (("surplus",), USAGE, "surplus"),
    "completion": (("tcsh",), USAGE, "tcsh"),
    "local start": (("--port", "70000"), USAGE, "65535"),
    "local stop": (("surplus",), USAGE, "surplus"),
    "local status": (("surplus",), USAGE, "surplus"),
    "image build": (("--python", "2.7"), INVALID, "2.7"),
    "image push": (("no-such-image",), MISSING, "`lambdamagic image build --tag no-such-image`"),
    "image test": (("no-such-image",), MISSING, "`lambdamagic image build --tag no-such-image`"),
}

_DIGEST = "sha256:" + 64 * "4"

#: Replaces docker, with one image: what is pushed to ECR leaves this machine. Real ones are in tests/images.
_DOCKER = f"""#!/bin/sh
case "$1 $2" in
    create*)
        [ "$4" = held:1 ] || {{ echo "Error response from daemon: No such image: $4" >&2; exit 1; }}
        echo c0ffee ;;
    cp*) cp "$(dirname "$0")/holdings.json" "$3" ;;
    image*Size*|*inspect) case "$4" in *Size*) echo 1000 ;; *) echo "[\\"${{5%:*}}@{_DIGEST}\\"]" ;; esac ;;
    login*) cat > /dev/null ;;
esac
"""

#: What each is for, in an order in which one finds what another left. `image build` and `test` are in tests/images.
HAPPY: tuple[tuple[tuple[str, ...], str], ...] = (
    (("policy", "deployer"), '"cloudformation:CreateStack"'),
    (("template", "terraform"), 'resource "aws_lambda_function"'),
    (("template", "cloudformation"), "AWSTemplateFormatVersion"),
    (("completion", "bash"), "lambdamagic"),
    (("deploy",), "then run a %%lambda cell"),
    (("deploy",), "is up to date"),
    (("status",), "Active"),
    (("config",), "config.toml"),
    (("policy", "user"), '"lambda:InvokeFunction"'),
    (("warm", "1"), "1 of them new"),
    (("invoke", "-c", "print('for the log'); 6 * 7"), "for the log\n42"),
    (("cancel", "no-such-job"), "no-such-job is not in this machine's history"),
    (("demo",), "on AWS (lambdamagic)"),
    (("jobs",), "16/16"),
    (("cost",), "USD"),
    (("clean", "--yes"), "older than"),
    (("logs",), "for the log"),
    (("image", "push", "held:1", "--as", "py3"), f"/lambdamagic@{_DIGEST}"),
    (("doctor",), "round trip"),
    (("create", "own", "--memory", "512"), "created own"),
    (("list",), "own"),
    (("update", "own", "--memory", "640"), "configuration updated"),
    (("update", "own", "--memory", "640"), "is up to date"),
    (("delete", "own", "--yes"), "own"),
    (("destroy", "--yes"), "deleted lambdamagic"),
)
LEAVES = [" ".join(path) for path, command in ALL if not hasattr(command, "commands")]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A separate home, the credentials for an embedded Lambda, and a tool that has one image."""
    tools = tmp_path_factory.mktemp("tools")
    (tools / "docker").write_text(_DOCKER)
    (tools / "docker").chmod(0o755)
    (tools / "holdings.json").write_bytes(Holdings(python_here(), {"numpy": "2.0"}, kind="image").to_json())
    with LocalServer.start() as server:
        known = {**server.connection.environment(), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        yield tmp_path_factory.mktemp("person"), known


def _sound(done: Done) -> bool:
    return "Traceback" not in done.err + done.out


def test_every_command_is_here() -> None:
    """A new command needs its line in these tables."""
    assert sorted(MISTAKES) == sorted(LEAVES)
    used = {" ".join(words[:2]) if words[0] == "image" else words[0] for words, _ in HAPPY}
    elsewhere = {leaf for leaf in LEAVES if leaf.startswith("local ")} | {"image build", "image test", "attach"}
    assert used | elsewhere == set(LEAVES)  # test_local.py, tests/images, test_jobs.py


@pytest.mark.parametrize("leaf", LEAVES)
def test_mistakes(person: tuple[Path, dict[str, str]], leaf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own status and one message on stderr; in this process, for the sake of time."""
    home, known = person
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAMBDAMAGIC_"))]:
        monkeypatch.delenv(name)
    own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home), **known}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    wrong, status, word = MISTAKES[leaf]
    done = call(*leaf.split(), *wrong)
    assert done.status == status, done
    assert done.err.strip() and word in done.err and _sound(done), done


def test_a_mistake_of_a_process(person: tuple[Path, dict[str, str]]) -> None:
    """The status is the process's, and stdout is left to what a command gives."""
    home, known = person
    done = run(home, "delete", "no-such-function", "--yes", environment=known)
    assert (done.status, done.out) == (MISSING, "") and _sound(done), done


@pytest.mark.timeout(900)  # two dozen processes, two of which make packages
def test_what_they_are_for(person: tuple[Path, dict[str, str]]) -> None:
    """From credentials to a deployment, a separate function, and back to nothing."""
    home, known = person
    for words, expected in HAPPY:
        done = run(home, *words, environment=known)
        assert done.status == 0 and _sound(done), (words, done)
        assert expected in done.out + done.err, (words, done)


def test_a_pushed_images_uri_is_printed_in_any_case(person: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """A cache folder that cannot be written to is said, and takes nothing from the push."""
    home, known = person
    (tmp_path / "file").touch()
    unwritable = {**known, "XDG_CACHE_HOME": str(tmp_path / "file" / "cache")}
    done = run(home, "image", "push", "held:1", environment=unwritable)
    assert done.status == 0 and done.out.strip().endswith(f"/lambdamagic@{_DIGEST}"), done
    assert "could not record the image's packages" in done.err
