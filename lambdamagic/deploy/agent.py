"""The agent: the part of lambdamagic that runs in Lambda, with the two picklers, and without the notebook's side."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import lambdamagic
from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.deploy.zips import write_zip
from lambdamagic.errors import PackageError
from lambdamagic.pythons import find_python

#: What the handler reaches (a test holds it), below the package's folder.
PARTS = (
    *("__init__.py", "errors.py", "clock.py", "limits.py", "protocol", "codec", "aws", "storage", "walks", "worker"),
    *(
        f"graphs/{name}.py" for name in ("__init__", "graph", "fusing", "node_tasks", "presigned_files", "walk_nodes")
    ),  # what nodes of graphs are, and what they read by
)
_LEFT_OUT = ("storage/s3", "aws/access")  # boto3 and its side of S3; the handler has presigned URLs

#: Packaged in the notebook's own versions, since both sides read each other's pickles.
PICKLERS = ("dill", "cloudpickle")

_COMPILE_TIMEOUT_S = 300


def agent_files() -> Iterator[tuple[str, Path]]:
    """Yield lambdamagic's own files of the agent, as names below an import root, with their paths."""
    root = Path(lambdamagic.__file__).parent
    for part in PARTS:
        start = root / part
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start]:
            relative = path.relative_to(root).as_posix()
            if not relative.startswith(_LEFT_OUT):
                yield f"lambdamagic/{relative}", path


def lay_out_agent(folder: Path) -> dict[str, str]:
    """Put the agent and the picklers into a folder as into a site-packages; return the picklers' versions.

    The picklers are copied from this environment: they are pure Python, and no package index is asked.

    Raises:
        PackageError: A pickler is not installed here as an ordinary package.
    """
    for name, path in agent_files():
        _copy(path, folder / name)
    version = lambdamagic.__version__
    about = folder / f"lambdamagic-{version}.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lambdamagic\nVersion: {version}\n")
    return {name: _copy_distribution(name, folder) for name in PICKLERS}


def write_agent_wheel(folder: Path) -> Path:
    """Write lambdamagic's part that runs in Lambda as a wheel, for an image; equal bytes for equal content."""
    version = lambdamagic.__version__
    about = f"lambdamagic-{version}.dist-info"
    files: list[tuple[str, Path | bytes]] = [*agent_files()]
    files.append((f"{about}/METADATA", f"Metadata-Version: 2.1\nName: lambdamagic\nVersion: {version}\n".encode()))
    files.append((f"{about}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"))
    # Digests may be left out of a RECORD; the names suffice for pip.
    record = "".join(f"{name},,\n" for name, _ in [*files, (f"{about}/RECORD", b"")])
    path = folder / f"lambdamagic-{version}-py3-none-any.whl"
    write_zip(path, [*files, (f"{about}/RECORD", record.encode())])
    return path


def compile_tree(folder: Path, platform: LambdaPlatform, shown_as: str) -> bool:
    """Precompile a folder's modules if the platform's Python is on this machine; return whether it was.

    Lambda's file system is read-only: without `.pyc` files every cold start compiles again. They are of the kind that
    is not checked against the source, since a zip file's times say nothing (PEP 552).

    Args:
        folder: Where the modules are.
        platform: Whose Python it is.
        shown_as: Where the folder will be in Lambda, for tracebacks.
    """
    if next(folder.rglob("*.py"), None) is None:
        return True  # a Python's start is a third of a second on a small machine
    python = find_python(platform.runtime)
    if python is None:
        return False
    command = [python, "-S", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [*command, "-s", str(folder), "-p", shown_as, str(folder)],
        capture_output=True,
        env={**environment, "PYTHONHASHSEED": "0"},  # the order of a frozenset goes into its .pyc
        timeout=_COMPILE_TIMEOUT_S,
        check=False,  # files that are no Python of this version (templates, tests) are packed as they are
    )
    return done.returncode in (0, 1)


def _copy_distribution(name: str, folder: Path) -> str:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise PackageError(f"{name} is not installed here", hint=f"pip install {name}") from error
    files = [
        file
        for file in distribution.files or ()
        if ".." not in file.parts and file.suffix != ".pyc" and file.name not in ("RECORD", "INSTALLER", "REQUESTED")
    ]
    if not any(file.suffix == ".py" for file in files) or any(file.suffix in (".so", ".pyd") for file in files):
        raise PackageError(
            f"{name} is not installed here as an ordinary package", hint=f"pip install --force-reinstall {name}"
        )
    for file in files:
        _copy(Path(str(distribution.locate_file(file))), folder / str(file))
    return distribution.version


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
