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
        "status": _entry(
            "function_commands",
            "status",
            "Show how a deployment is: stack, function, bucket, and what it costs at rest.",
        ),
        "logs": _entry("logs_command", "logs", "Print what functions logged, from CloudWatch Logs."),
        "policy": _entry(
            "policy_commands",
            "policy",
            "Print the IAM policy that somebody needs: who uses, who deploys, the function's role, or its invoker's.",
        ),
        "template": _entry(
            "policy_commands", "template", "Print what `lambdamagic deploy` makes, as a template for other tools."
        ),
    },
    "Run": {
        "invoke": _entry("invoke_commands", "invoke", "Run Python on a function, or send it an event."),
        "warm": _entry(
            "invoke_commands",
            "warm",
            "Have N execution environments ready, so that the next jobs begin without cold starts.",
        ),
        "demo": _entry(
            "invoke_commands",
            "demo",
            "Estimate pi with 16 tasks in parallel: on the deployed function, or on an embedded Lambda of its own.",
        ),
    },
    "Jobs": {
        "jobs": _entry(
            "job_commands",
            "jobs",
            "List this user's jobs, the latest first: of all kernels and programs, also of those that are gone.",
        ),
        "attach": _entry(
            "job_commands", "attach", "Take up a map whose client died: wait for its results, and print or keep them."
        ),
        "cancel": _entry("job_commands", "cancel", "Tell the running tasks of a job to stop, wherever its client is."),
        "cost": _entry("job_commands", "cost", "Add up what this user's jobs cost at list price, day by day."),
    },
    "Functions of your own": {
        "create": _entry("function_commands", "create", "Make a function of your own, beside the deployed one."),
        "list": _entry("function_commands", "list_functions", "List the functions that lambdamagic made."),
        "update": _entry(
            "function_commands", "update", "Change a function that `lambdamagic create` made: only what differs."
        ),
        "delete": _entry(
            "function_commands",
            "delete",
            "Delete a function that `lambdamagic create` made, with its variants and layers.",
        ),
    },
    "This machine": {
        "doctor": _entry("doctor", "doctor", "Check all that jobs need, in order, each with what mends it."),
        "config": _entry("config", "config", "Show the settings in force, and where each comes from."),
        "local": _entry(
            "local_commands", "local", "The embedded Lambda: a server on this machine that speaks AWS's APIs."
        ),
        "completion": _entry("shell_completion", "completion", "Print a script that completes words in a shell."),
    },
}

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
