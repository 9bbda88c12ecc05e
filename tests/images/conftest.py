"""buildah with a separate store, and the images that are built once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from lambdamagic.deploy.container_tools import ContainerTool, find_engine
from lambdamagic.deploy.images import Image, build_derived_image, build_handler_image
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.deploy.wheels import WheelSource
from tests.images.base import PYTHON, base_tar, cache_folder

_CACHE = cache_folder()  # looked up now: during the tests the home is another one
_ON_CI = bool(os.environ.get("CI"))


def _cannot(reason: str) -> None:
    """Skip, but not in CI: there these tests must run."""
    if _ON_CI:
        pytest.fail(f"images cannot be built in CI: {reason}")
    pytest.skip(f"images cannot be built here: {reason}")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerTool]:
    """buildah, with nothing in its store."""
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    if missing:
        _cannot(f"{' and '.join(missing)} not installed (`make image-tools` installs them on Debian, as root)")
    if os.geteuid() != 0:
        _cannot("debootstrap needs root")
    folder = tmp_path_factory.mktemp("buildah")
    options = ("--root", str(folder / "store"), "--runroot", str(folder / "run"))
    found = find_engine("buildah", options=options)
    yield found
    subprocess.run([*found.command, "rm", "--all"], capture_output=True, check=False, timeout=60)
    subprocess.run([*found.command, "rmi", "--all", "--force"], capture_output=True, check=False, timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def base(engine: ContainerTool) -> str:
    """Debian with Python and pip."""
    made = engine.run(["from", "scratch"], doing="make a container").strip()
    engine.run(["add", made, str(base_tar(_CACHE)), "/"], doing="add Debian")
    engine.run(["commit", "--rm", made, "localhost/debian:python"], doing="commit Debian")
    return "localhost/debian:python"


@pytest.fixture(scope="session")
def handler_image(engine: ContainerTool, base: str) -> Image:
    """The function's image."""
    return build_handler_image(engine, "localhost/lambdamagic:test", LambdaPlatform(PYTHON), base=base)


@pytest.fixture(scope="session")
def derived_image(engine: ContainerTool, handler_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """One with NumPy and a module of the user's."""
    own = tmp_path_factory.mktemp("own") / "ownmodule.py"
    own.write_text("import numpy\n\ndef solve(n):\n    return numpy.linalg.solve(numpy.eye(n) * 4, numpy.ones(n))\n")
    return build_derived_image(
        engine,
        "localhost/lambdamagic:numpy",
        LambdaPlatform(PYTHON),
        WheelSource(("numpy>=2,<3",)),
        base=handler_image.name,
        paths=[own],
    )
