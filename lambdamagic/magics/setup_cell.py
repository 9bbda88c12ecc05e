"""`%%lambda_setup`: a cell that runs here, and first in each execution environment of the session's jobs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from IPython.core.error import UsageError

from lambdamagic.capture import CallablePlan
from lambdamagic.jobs.encoding import Setup
from lambdamagic.magics.parse.source import CellText
from lambdamagic.magics.planning import plan_body

if TYPE_CHECKING:
    from lambdamagic.magics.session import Session

P = TypeVar("P", bound=CallablePlan)


def with_setup(session: Session, plan: P) -> tuple[P, Setup | None]:
    """Return a plan with what the session's set-up cell needs, and its code, if there is one."""
    if session.setup is None:
        return plan, None
    text, filename = session.setup
    own = plan_body(session, text, filename=filename)
    digest = hashlib.sha256(f"{filename}\0{text.python}".encode()).hexdigest()
    return plan.with_more(own), Setup(digest, own.code)


def setup_note(session: Session) -> list[str]:
    """Return the plan's line on the set-up cell, if there is one."""
    return [] if session.setup is None else ["Runs first in each execution environment: the set-up cell."]


def define(session: Session, line: str, body: str | None) -> None:
    """Run a set-up cell here and keep it for the jobs that follow; it replaces the one before.

    Args:
        session: The notebook's session.
        line: What follows `lambda_setup`.
        body: The cell; None for the line magic, which shows the cell, or forgets it (`off`).

    Raises:
        UsageError: The line says something else.
        UnsupportedInCellError: The cell has a magic that cannot run on Lambda.
    """
    if body is None:
        if line.strip() not in ("", "off"):
            raise UsageError("%lambda_setup shows the set-up cell, and `%lambda_setup off` removes it")
        if line.strip() == "off":
            session.setup = None
        shown = "No set-up cell." if session.setup is None else session.setup[0].body
        print(shown.rstrip())  # noqa: T201  # what was asked for
        return
    text = CellText.of(session.shell, f"%%lambda_setup {line}".rstrip(), body)
    filename = text.named(session.shell)
    plan_body(session, text, filename=filename)  # what cannot run on Lambda is refused now, not by the next cell
    if not session.shell.run_cell(body, store_history=False).success:
        raise UsageError("the set-up cell failed here, and is not kept")
    session.setup = text, filename
