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
        "deploy": _entry(
            "deploy", "deploy", "Create or update everything that cells need on AWS, as one CloudFormation stack."
        ),
        "destroy": _entry("deploy", "destroy", "Delete everything that `lambdamagic deploy` created, after asking."),
        "image": _entry("image", "image", "The function as a container image: build it, push it to ECR, test it here."),
        "status": _entry(
            "function_commands",
            "status",
            "Show a deployment: stack, function, bucket, and its idle cost.",
        ),
        "logs": _entry("logs_command", "logs", "Print what functions logged, from CloudWatch Logs."),
        "policy": _entry(
            "policy_commands",
            "policy",
            "Print an IAM policy: for users, for the person who deploys, for the function's role, or its invoker's.",
        ),
        "template": _entry(
            "policy_commands", "template", "Print the resources of `lambdamagic deploy` as a template for other tools."
        ),
    },
    "Run": {
        "invoke": _entry("invoke_commands", "invoke", "Run Python code on a function, or send it an event."),
        "warm": _entry(
            "invoke_commands",
            "warm",
            "Start N execution environments, so that the next jobs begin without cold starts.",
        ),
        "demo": _entry(
            "invoke_commands",
            "demo",
            "Estimate pi with 16 parallel tasks: on the deployed function, or on a separate embedded Lambda.",
        ),
    },
    "Jobs": {
        "jobs": _entry(
            "job_commands",
            "jobs",
            "List your jobs, latest first: of all kernels and programs, including those that have ended.",
        ),
        "attach": _entry(
            "job_commands",
            "attach",
            "Reattach to a job whose notebook has gone: wait for its results, and print or save them.",
        ),
        "cancel": _entry("job_commands", "cancel", "Stop the running tasks of a job, wherever its client is."),
        "clean": _entry(
            "clean", "clean", "Delete what jobs have left in the bucket: results, reusable values, cached results."
        ),
        "cost": _entry("job_commands", "cost", "Show the cost of your jobs at list price, by day."),
    },
    "More functions": {
        "create": _entry("function_commands", "create", "Create a function in addition to the deployed one."),
        "list": _entry("function_commands", "list_functions", "List the functions that lambdamagic created."),
        "update": _entry(
            "function_commands", "update", "Update a function from `lambdamagic create`: only what differs."
        ),
        "delete": _entry(
            "function_commands",
            "delete",
            "Delete a function from `lambdamagic create`, with its variants and layers.",
        ),
    },
    "This machine": {
        "doctor": _entry(
            "doctor", "doctor", "Check everything that jobs need, in order, and show how to fix what fails."
        ),
        "config": _entry("config", "config", "Show the current settings and the origin of each."),
        "local": _entry("local_commands", "local", "The embedded Lambda: a server on this machine with AWS's APIs."),
        "completion": _entry("shell_completion", "completion", "Print a script for shell completion."),
    },
}

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
