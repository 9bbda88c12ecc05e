"""Wheels for Lambda's platform, whatever this machine is: resolved and unpacked by uv, or by pip where there is no uv.

Nothing is built here: a package without a wheel would be built for this machine and fail there at its first import.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lambdamagic.deploy.platforms import LambdaPlatform
from lambdamagic.errors import ConfigError, PackageError

Installer = Literal["auto", "uv", "pip"]

RESOLVE_TIMEOUT_S = 600
_MOST_NAMED = 8

# How uv and pip say that a package is not available as a wheel. Both are tried on the whole output.
_NO_WHEEL = (
    re.compile(r"(?:all versions of|only) ([\w.-]+?)(?:[=<>!~][^ ]*)? ha(?:s|ve) no (?:usable )?wheels"),
    re.compile(r"Because ([\w.-]+?)==\S+ has no (?:usable )?wheels"),
    re.compile(r"Because ([\w.-]+?) has no (?:usable )?wheels"),
    re.compile(r"No matching distribution found for ([\w.-]+)"),
)
# uv's two ways to say that a requirement is none, and pip's.
_UNREADABLE = re.compile(r"(?:Failed to parse|Couldn't parse requirement|Invalid requirement)")
_UNKNOWN = re.compile(r"(?:Because|because) ([\w.-]+) was not found in the package registry")


@dataclass(frozen=True, slots=True)
class WheelSource:
    """The requirements to resolve, and where from.

    Attributes:
        requirements: As pip takes them: `numpy==2.3.1`, a URL, or the path of a wheel.
        files: requirements.txt files.
        constraints: Versions for whatever else is pulled in, as `name==version`.
    """

    requirements: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    constraints: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirements or self.files)

    def with_added(self, requirements: Sequence[str]) -> WheelSource:
        """Return it with further requirements; one for the same package takes the place of the one before."""
        names = {_name_of(line) for line in requirements}
        kept = [line for line in self.requirements if _name_of(line) not in names]
        constraints = tuple(line for line in self.constraints if _name_of(line) not in names)
        return WheelSource((*kept, *requirements), self.files, constraints)


@dataclass(slots=True)
class _Tool:
    name: str
    command: list[str] = field(default_factory=list)


def install_wheels(
    source: WheelSource, platform: LambdaPlatform, folder: Path, *, installer: Installer = "auto"
) -> None:
    """Resolve and unpack wheels for a platform into a folder, like `pip install --target`.

    Args:
        source: What to resolve.
        platform: Where it is to run.
        folder: Where to; created if it does not exist.
        installer: Which tool; `auto` takes uv where it is found.

    Raises:
        ConfigError: A requirements file is not there, or a requirement cannot be read.
        PackageError: Something has no wheel for the platform (each such package is named), versions contradict each
            other, or the index cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not source:
        return
    for file in source.files:
        if not file.is_file():
            raise ConfigError(f"no requirements file {file}", hint="Give an existing file with -r FILE")
    tool = _find_tool(installer)
    output = _run(tool, source, platform, folder)
    if output is None:
        return
    if _UNREADABLE.search(output):
        raise ConfigError(
            f"cannot read a requirement:\n{_tail(output)}",
            hint="Write it as pip takes it: NAME, NAME==VERSION, a URL, or the path of a wheel",
        )
    missing = _without_wheel(output)
    if not missing:
        raise PackageError(
            f"{tool.name} could not resolve the packages for {platform}:\n{_tail(output)}",
            hint="Fix the requirements; `-r FILE` takes a pip requirements file",
        )
    named = _all_without_wheel(tool, source, platform, folder, missing)
    unknown = sorted(set(_UNKNOWN.findall(output)))
    if unknown:
        raise PackageError(
            f"unknown package: {', '.join(unknown)}", hint="Check the spelling and the package index's address"
        )
    raise PackageError(
        f"no wheel for {platform}: {', '.join(named)}",
        hint=(
            "Build an image, where pip compiles on Lambda's own system (`lambdamagic image build`), choose a version "
            "that has a wheel, or make a wheel yourself (`pip wheel --no-deps NAME`, if it is pure Python) and name "
            "its file instead"
        ),
        detail=_tail(output),
    )


def _find_tool(installer: Installer) -> _Tool:
    sibling = Path(sys.executable).parent / "uv"
    uv = str(sibling) if sibling.is_file() else shutil.which("uv")
    if uv and installer != "pip":
        return _Tool("uv", [uv, "pip", "install"])
    return _Tool("pip", [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"])


def _arguments(tool: _Tool, source: WheelSource, platform: LambdaPlatform, folder: Path) -> list[str]:
    arguments = ["--target", str(folder), "--only-binary", ":all:"]
    if tool.name == "uv":
        arguments += ["--python-platform", platform.uv_platform, "--python-version", platform.python, "--quiet"]
        arguments += ["--python", sys.executable, "--link-mode", "copy"]
    else:
        arguments += ["--implementation", "cp", "--python-version", platform.python, "--quiet", "--no-compile"]
        arguments += ["--upgrade"]
        for name in platform.pip_platforms():
            arguments += ["--platform", name]
    for file in source.files:
        arguments += ["-r", str(file)]
    if source.constraints:
        constraints = folder.parent / f"{folder.name}-constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in source.constraints))
        arguments += ["-c", str(constraints)]
    return [*arguments, *source.requirements]


def _run(tool: _Tool, source: WheelSource, platform: LambdaPlatform, folder: Path) -> str | None:
    """Return the tool's output if it failed, or None."""
    command = [*tool.command, *_arguments(tool, source, platform, folder)]
    # pip warns on stderr about what it finds in the caller's environment: the target has nothing to do with it.
    # uv's own certificates know no company's proxy; pip takes those of the system.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"{tool.name} did not resolve the packages within {RESOLVE_TIMEOUT_S} s",
            hint="Check the network and the package index's address",
        ) from error
    if done.returncode == 0:
        return None
    if "No module named pip" in done.stderr:
        raise PackageError("neither uv nor pip is installed to resolve packages", hint="Install one: `pip install uv`")
    return done.stderr + done.stdout


def _without_wheel(output: str) -> list[str]:
    # uv wraps its explanation at the terminal's width.
    text = " ".join(output.split())
    return list(dict.fromkeys(name.rstrip(".") for pattern in _NO_WHEEL for name in pattern.findall(text)))


def _all_without_wheel(
    tool: _Tool, source: WheelSource, platform: LambdaPlatform, folder: Path, missing: Sequence[str]
) -> list[str]:
    """Find all packages without a wheel: leave out those found so far, since both tools stop at the first."""
    named = list(missing)
    scratch = folder.with_name(f"{folder.name}-probe")
    left = source
    try:
        while len(named) < _MOST_NAMED:
            smaller = tuple(line for line in left.requirements if _name_of(line) not in map(_normal, named))
            if len(smaller) == len(left.requirements):
                break  # it was pulled in by another, or is in a file
            left = WheelSource(smaller, left.files, left.constraints)
            output = _run(tool, left, platform, scratch) if left else None
            more = _without_wheel(output) if output else []
            if not more:
                break
            named += [name for name in more if name not in named]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return named


def _name_of(requirement: str) -> str:
    return _normal(re.split(r"[\s\[=<>!~;@]", requirement.strip(), maxsplit=1)[0])


def _normal(name: str) -> str:
    """Return a distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _tail(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-6:])
