"""Every snippet of README.md and docs/ does what its page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdamagic.local.local_server import LocalServer
from tests.api.conftest import one_process_of_apis, programs_environment  # noqa: F401  # fixtures
from tests.docs.snippets import PAGES, ROOT, Block, all_blocks, blocks_of

BLOCKS = all_blocks()
_NOT_RUN = ("", "text", "html")
_OF_THE_EMBEDDED_LAMBDA = ("README.md", "docs/embedded-lambda.md")
_ELSEWHERE = ("docs/recipes.md",)  # test_recipes.py: it needs libraries, and shares one embedded Lambda

# What a page takes for granted before its first snippet.
_BEFORE = {
    "docs/configuration.md": """
        %load_ext lambdamagic
        class Model:
            def fit(self, X, y): return self
        model, X, y = Model(), [[0]], [0]
    """,
}


def _is_ipython(block: Block) -> bool:
    # A page may call a cell `python` for its colors on the web.
    return block.language == "ipython" or (block.language == "python" and block.text.startswith("%"))


def _ids(block: Block) -> str:
    return f"{block.page}-{block.line}"


def _of(language: str) -> list[Block]:
    return [
        block
        for block in BLOCKS
        if block.language == language and not block.no_test and not _is_ipython(block) and block.page not in _ELSEWHERE
    ]


IPYTHON_PAGES = [path for path in PAGES if any(_is_ipython(block) for block in blocks_of(path))]


@pytest.mark.parametrize("path", IPYTHON_PAGES, ids=lambda path: path.name)
def test_the_cells_of_a_page_run_in_its_order(path: Path, notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one shell, on the embedded Lambda; those that are said to raise raise just that."""
    monkeypatch.delenv("LAMBDAMAGIC_QUIET")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a secret")
    page = str(path.relative_to(ROOT))
    if page in _BEFORE:
        notebook.ok(_BEFORE[page])
    for block in blocks_of(path):
        if not _is_ipython(block) or block.no_test:
            continue
        ran = notebook.run(block.text)
        raised = type(ran.error).__name__ if ran.error is not None else ""
        assert raised == block.raises, f"{block}\n{block.text}\n{ran.traceback}"


@pytest.mark.parametrize("block", _of("python"), ids=_ids)
def test_a_program_runs(block: Block, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each ends with status 0, in a process and a separate home; what is a configuration file is read as one.

    Most share an account, which an embedded Lambda is; those of the first page and the embedded Lambda's start theirs.
    """
    text, account = block.text, {}
    if "lambdamagic" in text and block.page not in _OF_THE_EMBEDDED_LAMBDA:
        account = request.getfixturevalue("programs_environment")
    if "s3://my-data/events" in text:
        _store_events(account)
    if text.startswith("# ipython_config.py"):
        text = "from traitlets.config import Config\nc = Config()\n" + text
    own = {"LAMBDAMAGIC_VARIANTS": "always", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    own["LAMBDAMAGIC_MAX_CONCURRENCY"] = "3"  # each environment imports what its tasks use: up to a second of a core
    environment = {**os.environ, **account, **own}
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{block}\n{done.stderr}"


def _store_events(account: dict[str, str]) -> None:
    """Put the data that a page takes for granted into the account."""
    keys = {name.lower(): account[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    with closing(boto3.client("s3", endpoint_url=account["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)) as s3:
        s3.create_bucket(Bucket="my-data")
        for day, amounts in {"monday": "10\n20\n", "tuesday": "30\n"}.items():
            s3.put_object(Bucket="my-data", Key=f"events/{day}.csv", Body=f"amount\n{amounts}".encode())


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user with an account, which an embedded Lambda is, and a separate home."""
    home = str(tmp_path_factory.mktemp("visitor"))
    with LocalServer.start() as server:
        yield {**server.connection.environment(), "HOME": home, "XDG_CONFIG_HOME": home, "XDG_RUNTIME_DIR": home}


@pytest.mark.parametrize("block", _of("console"), ids=_ids)
def test_commands_in_docs_exist(block: Block, tmp_path: Path, visitor: dict[str, str]) -> None:
    """`make` commands are targets of the Makefile; others are run in an account, in the pages' order."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in block.text.splitlines():
        command = line.removeprefix("$ ").strip()
        if not command or command.startswith("#"):
            continue
        if command.startswith("make"):
            assert set(command.split()[1:]) <= targets, f"{block}: {command}"
            continue
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, **visitor, "PATH": path},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{block}: {command}\n{done.stderr}"


@pytest.mark.parametrize("block", _of("shell"), ids=_ids)
def test_a_line_for_the_shell_can_be_parsed(block: Block) -> None:
    """It is the syntax of a shell; what it starts stays open, so it is not run."""
    assert subprocess.run(["sh", "-n"], input=block.text, text=True, timeout=20, check=False).returncode == 0


@pytest.mark.parametrize("block", _of("toml"), ids=_ids)
def test_a_configuration_file_is_read(block: Block) -> None:
    """It is TOML, and its settings exist."""
    from lambdamagic.config import SPECS

    found = tomllib.loads(block.text)
    settings = found.get("tool", {}).get("lambdamagic", found)
    assert set(settings) <= set(SPECS), block


def test_no_block_is_forgotten(record_property: Any) -> None:
    """Every block is of a kind that is checked above, is no program, or says why it is not run; those are listed."""
    known = {"ipython", "python", "console", "shell", "toml", *_NOT_RUN}
    assert {block.language for block in BLOCKS} <= known, [str(b) for b in BLOCKS if b.language not in known]
    # What another test runs, by its own means, is named with that test's file.
    names = {block: re.search(r"tests/\w+/test_\w+\.py", block.no_test) for block in BLOCKS}
    elsewhere = {block: named.group() for block, named in names.items() if named}
    assert all((ROOT / file).is_file() for file in elsewhere.values()), elsewhere
    left_out = [block for block in BLOCKS if block.no_test and block not in elsewhere]
    for block in left_out:
        record_property("not run", f"{block}: {block.no_test}")
        print(f"not run: {block}: {block.no_test}")
    print(f"{len(BLOCKS)} blocks, {len(left_out)} not run")
    assert len(left_out) <= 8, "too much is left out to call the pages tested"
    assert len(BLOCKS) - len(left_out) >= 50


def test_links_lead_somewhere() -> None:
    """Each relative link of a page names an existing file, and each anchor a heading of it."""
    link = re.compile(r'(?:\]\(|src="|srcset=")([^)"\s]+)')
    broken = []
    for path in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in link.findall(re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)):
            name, _, anchor = target.partition("#")
            if "://" in target:
                continue
            to = (path.parent / name) if name else path
            if not to.exists():
                broken.append(f"{path.name}: {target}")
            elif anchor and anchor not in _anchors(to):
                broken.append(f"{path.name}: {target} (no such heading)")
    assert not broken


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pictures_are_small() -> None:
    """A picture of the documentation is less than 200 kB, and some page shows it."""
    shown = "".join(path.read_text() for path in PAGES)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 200_000, picture.name
        assert picture.name in shown, picture.name
