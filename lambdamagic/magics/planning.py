"""Plan a magic's code: wait for pending names, capture the code, find the function."""

from __future__ import annotations

import ast
from collections.abc import Collection

from lambdamagic.capture import CapturePlan, plan_cell, touched_names
from lambdamagic.config import ResolvedSettings, Settings
from lambdamagic.config.setting_files import working_folder
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.loaded_modules import edited
from lambdamagic.magics.front import show_note
from lambdamagic.magics.parse.source import FUTURES, CellText
from lambdamagic.magics.remote_errors import shown_in_a_line
from lambdamagic.magics.session import Session
from lambdamagic.widgets.text import size

_INCOMPLETE = 0x4000  # codeop.PyCF_ALLOW_INCOMPLETE_INPUT: a cell that ends too early is "incomplete input", as here


def plan_body(
    session: Session,
    text: CellText,
    *,
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    bound_before: Collection[str] = (),
    filename: str = "",
) -> CapturePlan:
    """Plan a cell's body in the notebook's namespace; waits for what it reads.

    Raises:
        SyntaxError, CaptureError, UnsupportedInCellError: See `plan_cell`.
        NameError: A name that the cell surely reads exists nowhere; nothing was sent.
    """
    shell = session.shell
    wait_for_names(session, names_read(session, text.python) - {*bound_before}, include, exclude, reader="the cell")
    plan = plan_cell(
        text.python,
        shell.user_ns,
        filename=filename or text.named(shell),
        include=include,
        exclude=exclude,
        bound_before=tuple(bound_before),
        hidden=session.hidden,
        first_line=2,
        cell_dir=working_folder(),
        transform=shell.transform_cell,
        flags=shell.compile.flags & (FUTURES | _INCOMPLETE),
    )
    for name, line in plan.unresolved.items():
        error = NameError(f"name {name!r} is not defined (line {line} of the cell; nothing was sent to Lambda)")
        error.name = name
        raise shown_in_a_line(error)
    return plan


def wait_for_names(
    session: Session,
    read: Collection[str],
    include: Collection[str] = (),
    exclude: Collection[str] = (),
    *,
    reader: str,
) -> None:
    """Wait for pending names that are read or asked for, but not for those that are left out."""
    session.background.read(sorted({*read} - {*exclude} | {*include}), reader=reader)


def names_read(session: Session, python: str) -> frozenset[str]:
    """Return the pending names that some Python reads; none of what is no Python, which says so elsewhere."""
    pending = tuple(session.background.claims.pending)
    if not pending:
        return frozenset()
    shell = session.shell
    try:
        tree = compile(python, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return frozenset()
    assert isinstance(tree, ast.Module)
    return touched_names(
        tree,
        pending,
        shell.user_ns,
        hidden=session.hidden,
        transform=shell.transform_cell,
        flags=shell.compile.flags & FUTURES,
    ).read


def ready(
    session: Session, resolved: ResolvedSettings, program: Program
) -> tuple[ResolvedSettings, FunctionRef | None]:
    """Return the settings that a job runs under, its function created or updated if needed; see `first_use.ready`.

    Called in the cell's own thread, since it may ask. Where jobs run here, the function is looked for later: the
    embedded Lambda may have to be started first.
    """
    for edit in edited(program.plan).items() - session.noted:
        session.noted.add(edit)
        show_note(edited_note(edit[0]), quiet=resolved.settings.quiet)
    if resolved.settings.resolved_target() != "aws":
        return resolved, None
    from lambdamagic.magics import first_use

    _warn_of_upload(resolved.settings, program)
    return first_use.ready(session, resolved, program)


def edited_note(name: str) -> str:
    """Return the warning about own modules whose files were edited after the notebook imported them."""
    return (
        f"{name} was edited after the notebook imported it: Lambda runs the new file, the notebook the old code, "
        f"until importlib.reload({name})"
    )


def _warn_of_upload(settings: Settings, program: Program) -> None:
    """Warn before a large upload, with the largest values."""
    limit, sent = settings.warn_upload_mb * 1_000_000, program.frames.size_bytes
    if not limit or sent <= limit:
        return
    largest = sorted(program.names, key=lambda each: -each.size_bytes)[:2]
    what = ", ".join(f"{each.name} {size(each.size_bytes)}" for each in largest)
    show_note(
        f"this job sends {size(sent)} ({what}), except what the bucket has already. Code on Lambda reads large data "
        f"faster from S3; the setting warn_upload_mb ({settings.warn_upload_mb}) is the limit for this warning",
        quiet=settings.quiet,
    )
