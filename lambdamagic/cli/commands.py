"""Every command: its name, where it is, and one line of help.

The lines stand here so that `lambdamagic --help` and completion import no command; a test holds them equal to the
commands' own.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is: `attribute` of `module`."""

    module: str
    attribute: str
    help: str


def _entry(module: str, attribute: str, text: str) -> Entry:
    return Entry(f"lambdamagic.cli.{module}", attribute, text)


#: In the order of the help page, by section.
SECTIONS: dict[str, dict[str, Entry]] = {
    "AWS": {
        "deploy": _entry("deploy", "deploy", "Make or change all that cells need on AWS, as one CloudFormation stack."),
        "destroy": _entry("deploy", "destroy", "Take away what `lambdamagic deploy` made, after asking."),
        "image": _entry("image", "image", "The function as a container image: build it, push it to ECR, try it here."),
    },
    "This machine": {
        "doctor": _entry("doctor", "doctor", "Check all that jobs need, in order, each with what mends it."),
        "config": _entry("config", "config", "Show the settings in force, and where each comes from."),
        "local": _entry("local", "local", "The embedded Lambda: a server on this machine that speaks AWS's APIs."),
        "completion": _entry("completion", "completion", "Print a script that completes words in a shell."),
    },
}

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
