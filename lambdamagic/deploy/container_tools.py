"""The tools that build images: docker, podman, finch or buildah, whichever works on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lambdamagic.errors import ImageError

EngineName = Literal["docker", "podman", "finch", "buildah"]
ENGINES: tuple[EngineName, ...] = ("docker", "podman", "finch", "buildah")
_PROBE_TIMEOUT_S = 30
COMMAND_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class ContainerTool:
    """One container tool and its command line.

    Attributes:
        name: Which one.
        command: How it is called: its path, and options that go before every subcommand.
    """

    name: EngineName
    command: tuple[str, ...]

    def run(
        self,
        arguments: Sequence[str],
        *,
        doing: str,
        stdin: str | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> str:
        """Run a subcommand to its end and return what it printed.

        Args:
            arguments: The subcommand and its arguments.
            doing: A phrase that continues "could not", for the error.
            stdin: Its input, such as a password, which must not be in the arguments.
            on_line: Called with each line as it comes.

        Raises:
            ImageError: It failed; carries the end of what it said.
        """
        process = subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Lambda refuses the image index that attestations add ("Create a Lambda function using
            # a container image", AWS Lambda Developer Guide).
            env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_BUILDKIT": "1"},
        )
        lines: list[str] = []
        try:
            if process.stdin is not None and stdin is not None:
                process.stdin.write(stdin)
                process.stdin.close()
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if on_line is not None:
                    on_line(line.rstrip())
            status = process.wait(COMMAND_TIMEOUT_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()
        if status:
            said = "".join(lines[-12:]).rstrip()
            raise ImageError(f"could not {doing}: {self.name} ended with status {status}:\n{said}", hint=_hint(said))
        return "".join(lines)

    @property
    def isolation(self) -> tuple[str, ...]:
        """buildah's isolation, unless BUILDAH_ISOLATION is set: chroot works inside containers too."""
        if self.name != "buildah" or os.environ.get("BUILDAH_ISOLATION"):
            return ()
        return ("--isolation", "chroot")


def find_engine(wanted: EngineName | None = None, *, options: Sequence[str] = ()) -> ContainerTool:
    """Return the first tool that works here, or the one that is wanted.

    A client alone is not enough: docker's without its daemon is passed over.

    Args:
        wanted: Only this one.
        options: Options that go before every subcommand, such as podman's `--root`.

    Raises:
        ImageError: None works; says what was tried and why it does not do.
    """
    tried: list[str] = []
    for name in (wanted,) if wanted else ENGINES:
        path = shutil.which(name)
        if path is None:
            tried.append(f"{name}: not installed")
            continue
        engine = ContainerTool(name, (path, *options))
        reason = _why_not(engine)
        if reason is None:
            return engine
        tried.append(f"{name}: {reason}")
    raise ImageError(
        "no tool to build images works here (" + "; ".join(tried) + ")",
        hint="Install one, for example buildah (`apt install buildah`, needs no daemon), or start docker",
    )


def _why_not(engine: ContainerTool) -> str | None:
    try:
        done = subprocess.run(
            [*engine.command, "info"], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"status {done.returncode}"


def certificate_file() -> Path | None:
    """Return the CA file that this machine's tools trust, for networks that re-sign TLS."""
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        value = os.environ.get(name)
        if value and Path(value).is_file():
            return Path(value)
    return None


#: How the tools say that they could not fetch what an image is built from: buildah and podman, docker and finch.
_NO_BASE = ("initializing source", "failed to resolve source metadata", "pull access denied", "manifest unknown")


def _hint(said: str) -> str | None:
    if "no space left" in said.lower():
        return "Free disk space, or remove old images"
    if "exec format error" in said.lower():
        return "Install qemu-user-static, or build on a machine of the other architecture"
    if "certificate" in said.lower():
        return "If a proxy re-signs TLS here, set PIP_CERT to its CA file"
    if any(words in said.lower() for words in _NO_BASE):
        return "Check the name and the network, or build from a local image: `--base IMAGE`"
    return None
