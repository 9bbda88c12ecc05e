"""From a cell's text, or a callable, and the notebook's namespace to a plan: the face of this package."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from lambdamagic.capture.cell_code import compile_cell
from lambdamagic.capture.ipython_calls import refuse_unsupported
from lambdamagic.capture.needs import Needs
from lambdamagic.capture.plan import CallablePlan, CapturePlan
from lambdamagic.capture.summary import Transform


def _unchanged(text: str) -> str:
    return text


def plan_cell(
    source: str,
    namespace: Mapping[str, Any],
    *,
    filename: str = "<cell>",
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    bound_before: Iterable[str] = (),
    hidden: Container[str] = (),
    first_line: int = 1,
    cell_dir: Path | None = None,
    transform: Transform = _unchanged,
    flags: int = 0,
) -> CapturePlan:
    """Plan what a cell needs to run elsewhere. Runs, imports and changes nothing.

    Args:
        source: The cell's Python, with IPython's syntax already transformed.
        namespace: The notebook's globals.
        filename: The name that tracebacks show.
        include: Names to ship in any case.
        exclude: Names never to ship.
        bound_before: Names surely bound before the first instruction (the variable of %%lambda_map).
        hidden: Names of the namespace that are the shell's and not the user's.
        first_line: The line of the notebook's cell on which source begins.
        cell_dir: The notebook's folder, to find modules next to it.
        transform: Turns IPython syntax into Python, for the bodies of %%time and %timeit.
        flags: Compiler flags of the __future__ features on in the notebook.

    Raises:
        SyntaxError: As Python raises it, with the notebook cell's line.
        CaptureError: The cell is empty, an included name does not exist, or own modules are too large.
        UnsupportedInCellError: A magic or star import that cannot run remotely.
    """
    cell = compile_cell(source, filename, first_line, flags)
    needs = Needs(namespace, exclude=exclude, hidden=hidden, cell_dir=cell_dir, transform=transform)
    needs.add_included(include)
    before = tuple(bound_before)
    needs.add_cell(cell, before)
    for call in needs.totals.embedded:
        refuse_unsupported(call)
    if cell.value_name is not None:
        needs.totals.stores.pop(cell.value_name, None)
    parts = needs.finish()
    parts.sources.setdefault(filename, cell.source)
    return CapturePlan(
        **parts.__dict__,
        code=cell.code,
        source=cell.source,
        filename=filename,
        value_name=cell.value_name,
        is_async=cell.is_async,
        unresolved=needs.unresolved(cell, before),
    )


def plan_callable(
    fn: Callable[..., Any],
    namespace: Mapping[str, Any],
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    hidden: Container[str] = (),
    cell_dir: Path | None = None,
    transform: Transform = _unchanged,
) -> CallablePlan:
    """Plan what must be sent with a callable that is given as a value, such as the fn of `%lambda_map fn xs`.

    The arguments are those of `plan_cell`.

    Raises:
        CaptureError: An included name does not exist, or own modules are too large.
    """
    needs = Needs(namespace, exclude=exclude, hidden=hidden, cell_dir=cell_dir, transform=transform)
    needs.add_included(include)
    needs.add_value(fn)
    return needs.finish()


def plan_met(
    functions: Iterable[FunctionType],
    modules: Iterable[str],
    namespace: Mapping[str, Any],
    *,
    exclude: Iterable[str] = (),
    hidden: Container[str] = (),
    cell_dir: Path | None = None,
    transform: Transform = _unchanged,
) -> CallablePlan:
    """Plan what must be sent with code that was found while pickling a value; the other arguments as in `plan_cell`.

    Args:
        functions: The notebook's functions that were written by value.
        modules: Full names of the modules that were referred to.

    Raises:
        CaptureError: Own modules are too large.
    """
    needs = Needs(namespace, exclude=exclude, hidden=hidden, cell_dir=cell_dir, transform=transform)
    needs.add_reached(functions, dict.fromkeys(sorted(modules), "found inside a value"))
    return needs.finish()
