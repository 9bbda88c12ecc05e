"""Packages that electrons require (`DepsPip`, `DepsBash`), compared with the function's packages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from lambdamagic.errors import ParityError
from lambdamagic.protocol.holdings import normal_name

#: Programs that install for a whole system: Lambda's file system is read-only, and nothing runs there as root.
_INSTALLERS = frozenset({"apt", "apt-get", "dnf", "microdnf", "yum", "apk", "conda", "mamba", "brew", "sudo"})
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&"})
#: Options of `pip install` that take a value.
_PIP_VALUES = frozenset(
    {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-c", "--constraint", "-r", "--requirement"}
    | {"-t", "--target", "--platform", "--python-version"}
)


def check_requirements(requirements: Sequence[str], packages: Mapping[str, str] | None) -> None:
    """Refuse requirements that a function does not fulfil.

    Args:
        requirements: Lines as in `requirements.txt`; comments and options do not name a package.
        packages: What the function holds; None where that is not known, and nothing is compared.

    Raises:
        ParityError: A package is missing or has another version, or a line is no requirement.
    """
    if packages is None:
        return
    from packaging.requirements import InvalidRequirement, Requirement

    lacking, wanted = [], []
    for line in requirements:
        text = line.split(" #")[0].strip()
        if not text or text.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ParityError(
                f"the electron requires {text!r}, which cannot be compared with the function's packages "
                "(nothing was sent)",
                hint="Name a package, as in 'numpy>=2'; add anything else to the function with `lambdamagic deploy -r`",
            ) from error
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        there = packages.get(normal_name(requirement.name))
        if there is not None and requirement.specifier.contains(there, prereleases=True):
            continue
        lacking.append(f"{text} is missing" if there is None else f"{text} is required, the function has {there}")
        wanted.append(text)
    if lacking:
        raise ParityError(
            f"the function lacks packages that the electron requires: {'; '.join(lacking)} (nothing was sent)",
            hint="Add them to the function: `lambdamagic deploy " + " ".join(f"--add '{each}'" for each in wanted) + "`"
            "; on the embedded Lambda, into the environment of Covalent's server",
            requirements=tuple(wanted),
        )


def check_commands(commands: Iterable[str]) -> list[str]:
    """Return the requirements that shell commands would install by pip.

    Raises:
        ParityError: A command installs for a whole system.
    """
    requirements: list[str] = []
    for command in commands:
        for words in _simple_commands(command):
            if words[0] in _INSTALLERS:
                raise ParityError(
                    f"DepsBash runs {words[0]!r}, but nothing can be installed while a function runs: its file system "
                    "is read-only and it is not root (nothing was sent)",
                    hint="Build an image that has it: `lambdamagic image build`",
                )
            requirements += _pip_requirements(words) or []
    return requirements


def only_installs(command: str) -> bool:
    """Whether a shell command installs packages by pip and does nothing else."""
    found = list(_simple_commands(command))
    return bool(found) and all(_pip_requirements(words) is not None for words in found)


def _simple_commands(command: str) -> Iterable[list[str]]:
    lexer = shlex.shlex(command.replace("\n", ";"), posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        tokens = list(lexer)
    except ValueError:
        return  # unbalanced quotes: the shell will say so
    for token in [*tokens, ";"]:
        if token not in _SEPARATORS:
            words.append(token)
        elif words:
            yield words
            words = []


def _pip_requirements(words: list[str]) -> list[str] | None:
    """Return what a command would install by pip, or None if it is not a `pip install`."""
    if words[0].startswith("python") and words[1:2] == ["-m"]:
        words = words[2:]
    if words[:1] not in (["pip"], ["pip3"]) or words[1:2] != ["install"]:
        return None
    found, takes_value = [], False
    for word in words[2:]:
        if not takes_value and word[:1].isalnum():
            found.append(word)
        takes_value = word in _PIP_VALUES
    return found
