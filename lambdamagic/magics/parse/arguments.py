"""The options of the magics, and the help that they print."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, argument

from lambdamagic.config.fields import whole_amount
from lambdamagic.config.settings import SPECS
from lambdamagic.runs.variables import values_of

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MEMORY = f"the function's memory, {SPECS['memory_mb'].allowed}; also 512MB, 2GB"
_TIMEOUT = f"the function's timeout, {SPECS['timeout_s'].allowed}; also 90s, 5m"
_INPUT = "also send these names, which the code does not mention: -i a,b"


_FILE = "also send this file, folder or glob, under its relative path. Repeatable"
_FETCH = "bring back this file, folder or glob if it was written; without a value: all written files"
_ENV = "send this environment variable, for example a token; its value is neither shown nor stored"


class PrintHelp(Exception):
    """-h was given."""


def split_names(values: list[str] | None) -> list[str]:
    """Return names given as `-i a -i b`, `-i a,b` or quoted."""
    return [name for value in values or () for name in unquote(value).replace(",", " ").split()]


def unquote(text: str) -> str:
    """Take away the quotes that IPython's splitting leaves on."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def whole_number(text: str) -> int:
    """Read a number such as 4096, 4_096 or '4096'."""
    return _amount(text, "")


def megabytes(text: str) -> int:
    """Read an amount of memory such as 512, 512MB or 1.5GB."""
    return _amount(text, "MB")


def seconds(text: str) -> int:
    """Read a time such as 300, 90s, 5m or 1h."""
    return _amount(text, "seconds")


def _amount(text: str, unit: str) -> int:
    found = whole_amount(unquote(text), unit)
    if found is None:
        raise ValueError(text)
    return found


whole_number.__name__ = "whole number"  # argparse names the type in its message
megabytes.__name__ = "amount of memory (512, 512MB, 1.5GB)"
seconds.__name__ = "time (300, 90s, 5m)"


def choice(option: str, *values: str, help: str) -> Decorator:
    """Return an option that takes one of a few values, shown as people read them."""
    found: Decorator = argument(option, choices=values, metavar="|".join(values), help=help)
    return found


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all magics that run something share."""
    options: list[Decorator] = [
        argument("-m", "--memory", type=megabytes, metavar="MB", help=_MEMORY),
        argument("-t", "--timeout", type=seconds, metavar="S", help=_TIMEOUT),
        argument("-i", "--input", action="append", metavar="NAMES", help=_INPUT),
        argument(
            "--exclude", action="append", metavar="NAMES", help="do not send these names, even if the code reads them"
        ),
        argument("--file", action="append", metavar="PATH", help=_FILE),
        argument("--fetch", action="append", nargs="?", const=".", metavar="PATH", help=_FETCH),
        argument("--env", action="append", metavar="NAME", help=_ENV),
        choice("--serializer", "auto", "dill", "cloudpickle", help="how values are pickled"),
        choice("--target", "auto", "local", "aws", help="where to run: on this machine, or on AWS"),
        choice("--mode", "auto", "sync", "event", "trigger", help="how invocations are made"),
        argument("--max-cost", type=float, metavar="USD", help="launch nothing more when the job has cost this much"),
        argument("--retries", type=whole_number, metavar="N", help="retry a failed task up to N times"),
        argument("--retry-on", metavar="TYPES", help="retry only these exceptions: ValueError,TimeoutError"),
        argument(
            "--retry-memory",
            type=megabytes,
            metavar="MB",
            help="retry after out of memory with twice as much, up to this",
        ),
        argument("--name", metavar="TITLE", help="the job's title in its card, in the panel and in lists"),
        argument("--bg", action="store_true", help="run in the background; cells that read its names wait for it"),
        argument("--plan", action="store_true", help="show what would be sent, and send nothing"),
        argument("-q", "--quiet", action="store_true", default=None, help="show results only"),
        argument("-h", "--help", action="store_true", help="show this help"),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def parse(method: Callable[..., Any], tokens: list[str]) -> Any:
    """Parse tokens with a magic's own parser.

    Raises:
        UsageError: An option is unknown or its value is wrong; the message suggests the nearest.
        PrintHelp: Help was asked for.
    """
    parser: MagicArgumentParser = method.parser  # type: ignore[attr-defined]  # magic_arguments puts it there
    parser.allow_abbrev = False  # what is abbreviated today is ambiguous when another option comes
    if "-h" in tokens or "--help" in tokens:
        raise PrintHelp(parser.format_help())
    parsed = _parsed(parser, tuple(tokens))
    arguments = copy.copy(parsed)
    vars(arguments).update((name, [*value]) for name, value in vars(parsed).items() if type(value) is list)
    return arguments


@functools.lru_cache(maxsize=16)  # most cells of a notebook begin with the same line
def _parsed(parser: MagicArgumentParser, tokens: tuple[str, ...]) -> Any:
    arguments, unknown = parser.parse_known_args([unquote(token) for token in tokens])
    if unknown:
        _refuse(parser, unknown[0])
    return arguments


def _refuse(parser: MagicArgumentParser, option: str) -> NoReturn:
    from difflib import get_close_matches

    if not option.startswith("-"):
        raise UsageError(f"{parser.prog} takes options only, not {option!r} (`{parser.prog}?` lists them)")
    near = get_close_matches(option.split("=")[0], option_strings(parser), n=1)
    suggestion = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"{parser.prog} has no option {option}{suggestion} (`{parser.prog}?` lists them)")


def option_strings(parser: MagicArgumentParser) -> dict[str, bool]:
    """Return the parser's options, and whether each takes a value."""
    # argparse has no public way to list the options of a parser.
    return {name: action.nargs != 0 for name, action in parser._option_string_actions.items()}


def option_choices(parser: MagicArgumentParser) -> dict[str, tuple[str, ...]]:
    """Return the values that options can take, where they are few."""
    return {name: tuple(action.choices) for name, action in parser._option_string_actions.items() if action.choices}


def split_expression(method: Callable[..., Any], tokens: list[str]) -> tuple[list[str], str]:
    """Separate the options of a line from the Python expression."""
    known = option_strings(method.parser)  # type: ignore[attr-defined]  # as above
    options: list[str] = []
    rest: list[str] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        name = token.split("=", 1)[0]
        if name in known:
            options.append(token)
            if known[name] and "=" not in token and position + 1 < len(tokens):
                position += 1
                options.append(tokens[position])
        elif token.startswith("--") and not rest:
            options.append(token)  # unknown: the parser says so
        else:
            rest.append(token)
        position += 1
    return options, " ".join(rest)


#: How a line writes the settings whose options have other names.
SPELLED = {
    **{name: f"--{name.replace('_', '-')}" for name in SPECS},
    "memory_mb": "--memory",
    "timeout_s": "--timeout",
    "retry_memory_mb": "--retry-memory",
    "max_cost_usd": "--max-cost",
}


def variables(arguments: Any) -> dict[str, Any]:
    """Return the request's option that says which environment variables are sent, if any.

    Raises:
        ConfigError: One is not set here, or is given with its value.
    """
    names = split_names(getattr(arguments, "env", None))
    values_of(names)  # as early as possible, and before anything is captured
    return {"env": names} if names else {}


def overrides(arguments: Any) -> dict[str, Any]:
    """Return the settings that the options set."""
    return {
        "memory_mb": arguments.memory,
        "timeout_s": arguments.timeout,
        "serializer": arguments.serializer,
        "target": arguments.target,
        "retries": arguments.retries,
        "retry_on": arguments.retry_on,
        "retry_memory_mb": arguments.retry_memory,
        "backups": getattr(arguments, "backups", None),
        "max_cost_usd": arguments.max_cost,
        "mode": arguments.mode,
        "quiet": arguments.quiet,
        "max_concurrency": getattr(arguments, "max_concurrency", None),
        "chunksize": getattr(arguments, "chunksize", None),
        "cache": getattr(arguments, "cache", None),
        "on_error": getattr(arguments, "on_error", None),
    }
