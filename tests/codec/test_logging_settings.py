"""Levels, switches and handlers of loggers, taken on one side and given to the other."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lambdamagic.codec.logging_settings import bring_back, give, handlers_in, joined, take, those_that_can
from lambdamagic.codec.rebuild_places import SysStream


class _Ours(logging.Handler):
    """A handler of a package."""


def _new() -> Any:
    """Return the module's own parts, new: the process's loggers stay as they are."""
    root = logging.RootLogger(logging.WARNING)
    root.manager = manager = logging.Manager(root)  # type: ignore[misc]  # a separate one
    return SimpleNamespace(
        root=root,
        Logger=logging.Logger,
        NullHandler=logging.NullHandler,
        getLogger=manager.getLogger,
        disable=lambda level: setattr(manager, "disable", level),
    )


def test_nothing_was_set() -> None:
    """Loggers as they are made, those that are only named, and those of Jupyter's parts, are left out."""
    here = _new()
    here.getLogger("a.b")
    here.getLogger("c").addHandler(logging.NullHandler())
    for tool in ("asyncio", "tornado.access", "lambdamagic.jobs"):
        here.getLogger(tool).setLevel(10)
    assert take(here) == {}


def test_what_was_set_is_taken() -> None:
    """Each by its own: level, propagation, being disabled, and handlers; of the root too."""
    here, handler = _new(), logging.StreamHandler(io.StringIO())
    here.getLogger("level.inner").setLevel(10)
    here.getLogger("alone").propagate = False
    here.getLogger("off").disabled = True
    here.getLogger("handled").handlers = [logging.NullHandler(), handler]
    here.getLogger("asynchronous").setLevel(20)
    here.root.setLevel(40)
    here.disable(15)
    assert take(here) == {
        "loggers": {
            "": (40, True, False, []),
            "level.inner": (10, True, False, []),
            "alone": (0, False, False, []),
            "off": (0, True, True, []),
            "handled": (0, True, False, [handler]),
            "asynchronous": (20, True, False, []),
        },
        "disable": 15,
    }
    assert handlers_in(take(here)) == [handler]
    assert handlers_in({}) == []
    here.disable(0)
    assert take(here)["disable"] == 0


def test_only_a_bound_for_all_was_set() -> None:
    """It is a setting too."""
    here = _new()
    here.disable(50)
    assert take(here) == {"loggers": {}, "disable": 50}


def test_another_side_is_given_it() -> None:
    """What is set there and not here is as it is made; a handler that is silent stays."""
    here, there = _new(), _new()
    handler, silent = logging.StreamHandler(io.StringIO()), logging.NullHandler()
    here.root.setLevel(40)
    here.disable(15)
    here.getLogger("a").propagate = False
    here.getLogger("a").handlers = [handler]
    here.getLogger("b").disabled = True
    there.getLogger("c").setLevel(10)
    there.disable(50)
    there.getLogger("a").addHandler(silent)
    listed = there.getLogger("a").handlers
    found = take(here)
    give(there, found)
    assert take(there) == found
    assert there.getLogger("a").handlers == [handler, silent]
    assert listed == [silent], "whoever has the list keeps it"
    give(there, {})
    assert take(there) == {}
    assert (there.root.level, there.getLogger("a").handlers) == (30, [silent])


def test_handlers_that_can_be_sent() -> None:
    """Those of `logging` that write to the notebook or to memory; a logger with nothing else is left out."""
    formatted, filtered = (logging.StreamHandler(io.StringIO()) for _ in range(2))
    formatted.setFormatter(logging.Formatter("%(message)s"))
    filtered.addFilter(logging.Filter("a"))
    able: list[logging.Handler] = [
        logging.StreamHandler(sys.stdout),
        logging.StreamHandler(sys.stderr),
        logging.StreamHandler(SysStream("stdout")),  # type: ignore[type-var]  # as a payload has it
        logging.handlers.MemoryHandler(10),
        formatted,
        filtered,
    ]
    strange, odd = (logging.StreamHandler(io.StringIO()) for _ in range(2))
    strange.setFormatter(type("Strange", (logging.Formatter,), {})())
    odd.addFilter(type("Odd", (logging.Filter,), {})())
    with Path(os.devnull).open("w") as file:
        unable = [logging.StreamHandler(file), _Ours(), strange, odd, logging.StreamHandler(io.StringIO())]
        found: dict[str, Any] = {
            "loggers": {
                "a": (0, True, False, [*able, *unable]),
                "b": (0, True, False, unable),
                "c": (5, True, False, []),
            }
        }
        sent = those_that_can(found, lambda handler: handler is not unable[-1])
    assert sent == {"loggers": {"a": (0, True, False, able), "c": (5, True, False, [])}}
    assert those_that_can({"loggers": {"b": (0, True, False, unable)}, "disable": 0}, lambda _: False) == {}
    assert those_that_can({"loggers": {}, "disable": 50}, lambda _: True) == {"loggers": {}, "disable": 50}
    assert those_that_can({}, lambda _: True) == {}


@pytest.mark.parametrize(
    ("own", "sent", "expected"),
    [
        ({}, {}, {}),
        (
            {"loggers": {"a": 1, "b": 1}, "disable": 9},
            {"loggers": {"a": 2}},
            {"loggers": {"a": 2, "b": 1}, "disable": 0},
        ),
        ({}, {"disable": 5}, {"loggers": {}, "disable": 5}),
        ({"disable": 5}, {}, {}),
    ],
)
def test_the_notebooks_settings_are_over_those_of_the_process(own: Any, sent: Any, expected: Any) -> None:
    """Whose set-up code may have made handlers."""
    assert joined(own, sent) == expected


def test_handlers_that_were_not_sent_stay() -> None:
    """Those that were are replaced by what came back; none is there twice."""
    here = _new()
    sent, kept, new, silent = (logging.StreamHandler(io.StringIO()) for _ in range(3)), _Ours(), _Ours(), None
    first, second, third = sent
    silent = logging.NullHandler()
    logger, other = here.getLogger("a"), here.getLogger("b")
    logger.handlers = [first, kept, silent]
    other.handlers = [second, new]
    those_that_can(take(here), lambda _: True)
    bring_back(here, {"loggers": {"a": (10, True, False, [third, kept])}})
    assert logger.handlers == [third, kept, silent]
    assert other.handlers == [new]
    assert logger.level == 10
