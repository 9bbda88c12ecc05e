"""Constructs as text: `%%lambda` must do with a cell what the plain kernel does.

A construct is a title, cells that set up, the cell under test, and what is looked at afterwards:

    = a list that a function changes
    seen = []
    def note(x): seen.append(x)
    ---
    note(1)
    ---
    seen, note(2)

The middle cell is run once plainly and once with `%%lambda`, each in an empty namespace after the same set-up. Output,
displays, errors and names must be equal, and so must the last cell's value, which is computed in the kernel. Without a
last cell only names are compared. More than three parts are more cells to be run with `%%lambda`.
"""

from __future__ import annotations

import builtins
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|id[-=][0-9a-f]+", re.I)
_ADDED = re.compile(r" \(line \d+ of the cell; nothing was sent to Lambda\)")
#: IPython's own, and what depends on how warnings and figures are shown.
_NOT_COMPARED = r"_+|_i*\d*|_ih|_oh|_dh|In|Out|_exit_code|__warningregistry__|requested_backend"
_PLAIN = (int, float, complex, str, bytes, bool, type(None), range, slice)


@dataclass(frozen=True)
class Construct:
    """One construct: `cells` are run with `%%lambda`, `options` are the magic's."""

    title: str
    setup: str
    cells: tuple[str, ...]
    look: str
    options: str = ""


def constructs(text: str) -> dict[str, Construct]:
    """Read constructs, by title."""
    found = {}
    for block in re.split(r"^= ", text, flags=re.M)[1:]:
        title, _, rest = block.partition("\n")
        setup, *cells = (part.strip("\n") for part in re.split(r"^---\n", rest, flags=re.M))
        look = cells.pop() if len(cells) > 1 else ""
        assert title not in found, f"two constructs are called {title}"
        found[title] = Construct(title, setup, tuple(cells), look)
    return found


@dataclass
class Seen:
    """What a construct left behind, as far as it can be compared."""

    outputs: list[Any] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    looked: Any = None
    note: str = ""


def seen(notebook: Any, construct: Construct, *, remotely: bool) -> Seen:
    """Run a construct in an empty namespace."""
    notebook.reset()
    if construct.setup.strip():
        notebook.ok(construct.setup)
    result = Seen()
    for cell in construct.cells:
        ran = notebook.run(f"%%lambda {construct.options}\n{cell}" if remotely else cell)
        error = (
            None if ran.error is None else (type(ran.error).__name__, plain_text(numbered(str(ran.error), remotely)))
        )
        result.note += ran.stderr + ran.traceback
        bundles = [sorted(bundle.items()) for bundle in ran.displays]
        result.outputs.append((error, plain_text(ran.stdout), plain_text(str(ran.out)), plain_text(str(bundles))))
    vars(builtins).pop("_", None)  # left by doctest; IPython keeps no results while it is there
    hidden = notebook.session.hidden
    for name, value in notebook.names.items():
        if name not in hidden and not re.fullmatch(_NOT_COMPARED, name):
            result.names[name] = picture(value)
    if construct.look.strip():
        ran = notebook.run(construct.look)
        result.looked = (str(ran.error) if ran.error else picture(ran.value), plain_text(ran.stdout))
    return result


def agrees(notebook: Any, construct: Construct) -> None:
    """Fail unless a construct leaves the notebook as the plain kernel does."""
    here = seen(notebook, construct, remotely=False)
    there = seen(notebook, construct, remotely=True)
    differing = list(_differences(here, there))
    if differing:
        pytest.fail("\n".join([*differing, there.note[-2000:]]), pytrace=False)


def _differences(here: Seen, there: Seen) -> Iterator[str]:
    for number, (wanted, found) in enumerate(zip(here.outputs, there.outputs, strict=True)):
        for part, one, other in zip(("error", "stdout", "value", "displays"), wanted, found, strict=True):
            if one != other:
                yield f"cell {number}, {part}:\n  plain {one}\n  lambda {other}"
    if here.looked != there.looked:
        yield f"afterwards:\n  plain {here.looked}\n  lambda {there.looked}"
    for name in {**here.names, **there.names}:
        one, other = (each.names.get(name, "not bound") for each in (here, there))
        if one != other:
            yield f"name {name}:\n  plain {one}\n  lambda {other}"


def numbered(error: str, lines_above: int) -> str:
    """Return an error with the lines of the cell's own code: a magic is the first line of what the page shows."""
    text = re.sub(r"\((?:\d+\.py|<[^>]*>), line (\d+)\)", r"(line \1)", error)
    if text == error:
        return error
    return re.sub(r"\bline (\d+)", lambda found: f"line {int(found[1]) - lines_above}", text)


def plain_text(text: str) -> str:
    """Return a text without addresses, and without what we add to the message of a NameError."""
    return _ADDED.sub("", _ADDRESS.sub("0x", text))


def picture(value: Any, depth: int = 0, around: tuple[int, ...] = ()) -> Any:
    """Return what can be compared of a value: plain data whole, anything else by type and repr."""
    if isinstance(value, _PLAIN):
        return (type(value).__name__, repr(value))
    if id(value) in around or depth > 12:
        return "..."
    inner = (depth + 1, (*around, id(value)))
    if isinstance(value, dict):
        return (type(value).__name__, [(picture(k, *inner), picture(v, *inner)) for k, v in list(value.items())])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [picture(item, *inner) for item in value])
    if isinstance(value, set | frozenset):
        return (type(value).__name__, sorted(str(picture(item, *inner)) for item in value))
    if isinstance(value, types.ModuleType | type):
        return (type(value).__name__, value.__name__)
    if isinstance(value, types.FunctionType):
        return ("function", value.__qualname__, picture(vars(value), *inner))
    return (f"{type(value).__module__}.{type(value).__qualname__}", plain_text(repr(value)))
