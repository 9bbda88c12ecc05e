"""Levels, switches and handlers of loggers: the notebook's are used in a cell, and the cell's in the notebook."""

from __future__ import annotations

import io
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from lambdamagic.codec.rebuild_places import SysStream

#: Loggers that Jupyter's own parts and we have set up for themselves.
_TOOLS = frozenset(
    {"IPKernelApp", "IPython", "ipykernel", "traitlets", "tornado", "asyncio", "parso", "lambdamagic", "py.warnings"}
)
#: Where the classes of handlers that are sent are defined; one of another package would bring that package along.
_TRAVELING = frozenset({"logging", "logging.handlers", "__main__"})
_WARNING = 30  # logging.WARNING; code that does not log has not imported logging
_Loggers = dict[str, tuple[int, bool, bool, list[Any]]]
#: Handlers of this process that have gone to the other side.
_gone: weakref.WeakSet[Any] = weakref.WeakSet()


def take(logging: Any) -> dict[str, Any]:
    """Return what differs from how loggers are made: by name level, propagate, disabled and handlers."""
    found: _Loggers = {}
    for name, logger in _loggers(logging):
        handlers = [each for each in logger.handlers if type(each) is not logging.NullHandler]
        state = (logger.level, logger.propagate, logger.disabled, handlers)
        if state != _default(name):
            found[name] = state
    least = logging.root.manager.disable
    return {"loggers": found, "disable": least} if found or least else {}


def _loggers(logging: Any) -> Iterator[tuple[str, Any]]:
    """Yield the root and those of which something was set: few of hundreds, and each cell looks at them all."""
    yield "", logging.root
    made = logging.Logger
    for name, logger in list(logging.root.manager.loggerDict.items()):
        is_set = isinstance(logger, made) and (
            logger.level or logger.handlers or logger.disabled or not logger.propagate
        )
        if is_set and name.partition(".")[0] not in _TOOLS:
            yield name, logger


def _default(name: str) -> tuple[int, bool, bool, list[Any]]:
    return (0 if name else _WARNING, True, False, [])


def those_that_can(found: dict[str, Any], can_travel: Callable[[Any], bool]) -> dict[str, Any]:
    """Return the same without handlers that cannot be sent, such as those that write to a file or a package's own."""
    loggers = {}
    for name, (level, propagate, disabled, handlers) in found.get("loggers", {}).items():
        able = [each for each in handlers if _is_plain(each) and can_travel(each)]
        _gone.update(able)
        if (state := (level, propagate, disabled, able)) != _default(name):
            loggers[name] = state
    return {**found, "loggers": loggers} if loggers or found.get("disable") else {}


def joined(own: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook's settings over those of this process, whose set-up code may have made handlers."""
    loggers, least = {**own.get("loggers", {}), **sent.get("loggers", {})}, sent.get("disable", 0)
    return {"loggers": loggers, "disable": least} if loggers or least else {}  # as `take` says that nothing is set


def _is_plain(handler: Any) -> bool:
    parts = (handler, *handler.filters, *([handler.formatter] if handler.formatter is not None else ()))
    stream = getattr(handler, "stream", None)
    is_known = stream is None or stream in (sys.stdout, sys.stderr) or type(stream) in (io.StringIO, SysStream)
    return is_known and all(type(part).__module__ in _TRAVELING for part in parts)


def handlers_in(found: dict[str, Any]) -> list[Any]:
    """Return all handlers."""
    return [handler for state in found.get("loggers", {}).values() for handler in state[3]]


def give(logging: Any, found: dict[str, Any]) -> None:
    """Set it."""
    loggers: _Loggers = found.get("loggers", {})
    for name in {*take(logging).get("loggers", ()), *loggers}:
        logger = logging.getLogger(name) if name else logging.root
        level, logger.propagate, logger.disabled, handlers = loggers.get(name, _default(name))
        logger.setLevel(level)
        silent = [each for each in logger.handlers if type(each) is logging.NullHandler]
        logger.handlers = [*handlers, *silent]  # another list: whoever has this one keeps it
    logging.disable(found.get("disable", 0))


def bring_back(logging: Any, found: dict[str, Any]) -> None:
    """Set in the notebook what a cell has set; handlers that were not sent stay."""
    stayed = {
        logger: [each for each in logger.handlers if type(each) is not logging.NullHandler and each not in _gone]
        for _, logger in _loggers(logging)
    }
    give(logging, found)
    for logger, handlers in stayed.items():
        logger.handlers += [each for each in handlers if each not in logger.handlers]
