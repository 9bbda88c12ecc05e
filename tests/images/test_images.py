"""The function's image: built by buildah from its Dockerfile, run against the Runtime API, pushed to a registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lambdamagic.deploy.container_tools import ContainerTool, find_engine
from lambdamagic.deploy.image_registry import Login, push_image
from lambdamagic.deploy.images import Image, build_handler_image, inspect_image
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.doctor.image_checks import try_image
from lambdamagic.errors import ImageError, ImageMissingError
from lambdamagic.pythons import python_here
from tests.images.base import PYTHON
from tests.images.registry import PASSWORD, USER, ask, registry

pytestmark = pytest.mark.timeout(900)  # debootstrap alone takes 90 s the first time

same_python = pytest.mark.skipif(
    python_here() != PYTHON, reason=f"Debian's image has Python {PYTHON}; a notebook of another one may not use it"
)


def test_the_image_publishes_its_packages(handler_image: Image, engine: ContainerTool) -> None:
    """The runtime client, the picklers and lambdamagic's part, without the notebook's side. Any user may read it."""
    holdings = handler_image.holdings
    assert holdings.kind == "image" and holdings.python == PYTHON
    assert {"awslambdaric", "dill", "cloudpickle", "lambdamagic"} <= set(holdings.packages)
    assert not {"boto3", "ipython", "moto", "click", "rich"} & set(holdings.packages)
    container = engine.run(["from", "--pull-never", handler_image.name], doing="look").strip()
    try:
        code = "import lambdamagic.worker.invocation as i, os; print(os.getuid(), i.__file__)"
        run = ["run", *engine.isolation, "--user", "65534:65534", container, "--", "python3", "-c", code]
        run[1:1] = ["--env", "PYTHONPATH=/var/task"]
        said = engine.run(run, doing="run as nobody")
        listed = engine.run(["run", *engine.isolation, container, "--", "ls", "/var/task/lambdamagic"], doing="list")
    finally:
        engine.run(["rm", container], doing="remove")
    assert said.strip() == "65534 /var/task/lambdamagic/worker/invocation.py"
    assert not {"magics", "jobs", "local", "deploy", "cli"} & set(listed.split())


def test_packages_are_in_their_own_layer(derived_image: Image, handler_image: Image, engine: ContainerTool) -> None:
    """The derived image adds to the other's layers, so a push sends only what is new."""
    layers = {}
    for image in (handler_image, derived_image):
        shown = json.loads(engine.run(["inspect", "--type", "image", image.name], doing="look"))
        layers[image.name] = shown["OCIv1"]["rootfs"]["diff_ids"]
    below, whole = layers[handler_image.name], layers[derived_image.name]
    assert whole[: len(below)] == below and len(whole) > len(below) > 3
    assert derived_image.holdings.packages["numpy"].startswith("2.")


@same_python
def test_a_cell_runs_in_the_image(derived_image: Image, engine: ContainerTool) -> None:
    """Its own entry point against the embedded Lambda's Runtime API; NumPy of the image does real work."""
    source = (
        "import ownmodule, numpy\nwhere = numpy.__file__\nfound = float(ownmodule.solve(50).sum())\n"
        "eigen = float(numpy.linalg.eigvalsh(numpy.arange(16.0).reshape(4, 4) @ numpy.eye(4)).sum())\n"
    )
    seen = try_image(engine, derived_image.name, source=source)
    assert seen.system.startswith("Debian GNU/Linux 12") and seen.python.startswith(PYTHON)
    assert seen.bound["where"].startswith("/var/task/numpy/")
    assert seen.bound["found"] == 12.5 and abs(seen.bound["eigen"] - 30) < 1e-9
    assert 0 < seen.init_ms < 60_000


def test_it_is_pushed_to_a_real_registry(derived_image: Image, engine: ContainerTool, tmp_path: Path) -> None:
    """Signed in by a password through standard input; the digest that comes back is the registry's."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed (`make image-tools`)")
    with registry(tmp_path) as address:
        target = f"{address}/lambdamagic:numpy"
        with pytest.raises(ImageError, match="could not sign in"):
            push_image(engine, derived_image.name, target, login=Login(address, USER, "wrong"), is_plain_http=True)
        login = Login(address, USER, PASSWORD)
        uri = push_image(engine, derived_image.name, target, login=login, is_plain_http=True)
        name, _, digest = uri.partition("@")
        assert name == f"{address}/lambdamagic" and digest.startswith("sha256:")
        manifest = json.loads(ask(address, f"lambdamagic/manifests/{digest}", password=PASSWORD)[1])
    # What Lambda takes: one image, not an index.
    assert manifest["mediaType"].endswith("manifest.v2+json") and len(manifest["layers"]) > 3
    engine.run(["logout", address], doing="sign out")
    assert PASSWORD not in repr(login)


def test_a_base_image_that_cannot_be_pulled(engine: ContainerTool) -> None:
    """What the tool says is reported, with what to do."""
    with pytest.raises(ImageError, match=r"nowhere\.invalid/base:1") as caught:
        build_handler_image(
            engine, "localhost/never:1", LambdaPlatform(PYTHON, "x86_64"), base="nowhere.invalid/base:1"
        )
    assert "--base" in (caught.value.hint or "")


def test_an_image_that_is_not_ours(base: str, engine: ContainerTool) -> None:
    """It is said before anything is pushed or run."""
    with pytest.raises(ImageError, match="was not built by lambdamagic"):
        inspect_image(engine, base)
    with pytest.raises(ImageMissingError, match="buildah has no image 'localhost/nowhere:1'") as caught:
        inspect_image(engine, "localhost/nowhere:1")
    assert "`lambdamagic image build --tag localhost/nowhere:1`" in (caught.value.hint or "")


def test_a_build_that_fails_says_what_the_tool_said(engine: ContainerTool) -> None:
    """The end of its output, with its status."""
    with pytest.raises(ImageError, match="could not build the image"):
        build_handler_image(engine, "localhost/x:1", LambdaPlatform(PYTHON), base="localhost/not-there:1")


def test_the_commands(derived_image: Image, engine: ContainerTool) -> None:
    """`lambdamagic image build` and `test` as processes, with buildah's own store."""
    options = [f"--engine-option={option}" for option in engine.command[1:]]
    command = ["image", "build", "--engine", "buildah", *options, "--base", "localhost/debian:python"]
    command += ["--tag", "localhost/by:command", "--python", PYTHON, "--json"]
    built = _run(*command)
    assert built.returncode == 0, built.stderr
    shown = json.loads(built.stdout)
    assert shown["image"] == "localhost/by:command" and "awslambdaric" in shown["packages"]
    assert "STEP" in _run(*command[:-1]).stderr
    if python_here() == PYTHON:
        tested = _run("image", "test", derived_image.name, "--engine", "buildah", *options)
        assert tested.returncode == 0, tested.stderr
        assert f"{derived_image.name} runs cells: Python {PYTHON}" in tested.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lambdamagic")
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_where_nothing_builds_it_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tool with its reason: not installed, or not working; and how to get one."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    with pytest.raises(ImageError) as caught:
        find_engine()
    assert "docker: Cannot connect to the Docker daemon; podman: not installed" in caught.value.message
    assert "apt install buildah" in (caught.value.hint or "")
