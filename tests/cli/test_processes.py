"""Every command as a process of its own: its help, a mistake, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lambdamagic.local.launcher import LocalServer
from tests.cli.calling import Done, run
from tests.cli.test_main import ALL

#: What is wrong for each, and a word of its message.
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "deploy": (("--memory", "64"), "128"),
    "destroy": (("--everything",), "--everything"),
    "create": (("x", "--timeout", "901"), "900"),
    "list": (("surplus",), "surplus"),
    "update": (("no-such-function", "--memory", "512"), "no-such-function"),
    "delete": (("no-such-function", "--yes"), "no-such-function"),
    "invoke": (("no-such-function", "-c", "1"), "no-such-function"),
    "logs": (("--since", "yesteryear"), "yesteryear"),
    "status": (("no-such-stack",), "no-such-stack"),
    "jobs": (("surplus",), "surplus"),
    "cancel": (("no-such-job",), "no-such-job"),
    "attach": (("no-such-job",), "no-such-job"),
    "cost": (("surplus",), "surplus"),
    "warm": (("none",), "none"),
    "config": (("surplus",), "surplus"),
    "policy": (("emperor",), "emperor"),
    "template": (("cobol",), "cobol"),
    "doctor": (("surplus",), "surplus"),
    "demo": (("surplus",), "surplus"),
    "completion": (("tcsh",), "tcsh"),
    "local start": (("--port", "70000"), "65535"),
    "local stop": (("surplus",), "surplus"),
    "local status": (("surplus",), "surplus"),
    "image build": (("--python", "2.7"), "2.7"),
    "image push": (("no-such-image",), ""),
    "image test": (("no-such-image",), ""),
}

#: What each is for, in an order in which one finds what another left. `image build|push|test` are in tests/images.
HAPPY: tuple[tuple[tuple[str, ...], str], ...] = (
    (("policy", "deployer"), '"cloudformation:CreateStack"'),
    (("template", "terraform"), 'resource "aws_lambda_function"'),
    (("template", "cloudformation"), "AWSTemplateFormatVersion"),
    (("completion", "bash"), "lambdamagic"),
    (("deploy",), "the next %%lambda cell runs there"),
    (("deploy",), "nothing to change"),
    (("status",), "Active"),
    (("config",), "config.toml"),
    (("policy", "user"), '"lambda:InvokeFunction"'),
    (("warm", "1"), "1 of them new"),
    (("invoke", "-c", "6 * 7"), "42"),
    (("demo",), "on AWS (lambdamagic)"),
    (("jobs",), "16/16"),
    (("cost",), "USD"),
    (("logs",), "LAMBDAMAGIC job="),
    (("doctor",), "round trip"),
    (("create", "own", "--memory", "512"), "own is made"),
    (("list",), "own"),
    (("update", "own", "--memory", "640"), "configuration changed"),
    (("update", "own", "--memory", "640"), "nothing changed"),
    (("delete", "own", "--yes"), "own"),
    (("destroy", "--yes"), "lambdamagic is deleted"),
)
LEAVES = [" ".join(path) for path, command in ALL if not hasattr(command, "commands")]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A home of its own, and the credentials for an embedded Lambda."""
    with LocalServer.start() as server:
        yield tmp_path_factory.mktemp("person"), server.connection.environment()


def _sound(done: Done) -> bool:
    return "Traceback" not in done.err + done.out


def test_every_command_is_here() -> None:
    """A new command needs its line in these tables."""
    assert sorted(MISTAKES) == sorted(LEAVES)
    used = {" ".join(words[:2]) if words[0] == "local" else words[0] for words, _ in HAPPY}
    elsewhere = {leaf for leaf in LEAVES if leaf.startswith(("image ", "local "))} | {"attach", "cancel"}
    assert used | elsewhere == set(LEAVES)  # tests/images, test_local.py, test_jobs.py


def test_help_and_mistakes(person: tuple[Path, dict[str, str]]) -> None:
    """Help ends with 0 on standard output; a mistake with another status, one message on stderr and no traceback."""
    home, known = person

    def ask(leaf: str) -> tuple[str, Done, Done]:
        wrong, _ = MISTAKES[leaf]
        words = leaf.split()
        return leaf, run(home, *words, "--help", environment=known), run(home, *words, *wrong, environment=known)

    wrong = []
    with ThreadPoolExecutor(2) as threads:
        for leaf, helped, mistaken in threads.map(ask, LEAVES):
            if (helped.status, helped.err) != (0, "") or not helped.out.startswith(f"Usage: lambdamagic {leaf} "):
                wrong.append((leaf, helped))
            told = mistaken.err.strip() and MISTAKES[leaf][1] in mistaken.err and _sound(mistaken)
            if mistaken.status == 0 or not told:
                wrong.append((leaf, mistaken))
    assert not wrong


def test_what_they_are_for(person: tuple[Path, dict[str, str]]) -> None:
    """From credentials to a deployment, a function of one's own, and back to nothing."""
    home, known = person
    for words, expected in HAPPY:
        done = run(home, *words, environment=known)
        assert done.status == 0 and _sound(done), (words, done)
        assert expected in done.out + done.err, (words, done)
