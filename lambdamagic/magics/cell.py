"""`%%lambda`: one cell there and back."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lambdamagic.capture import CapturePlan, plan_cell, touched_names
from lambdamagic.codec.answer import Effects, read_answer
from lambdamagic.codec.earlier import WithEarlier
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.config import ResolvedSettings
from lambdamagic.jobs.encoding import Program, encode_program
from lambdamagic.jobs.estimate import cell_estimate
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.prices import Prices
from lambdamagic.magics.handle import BackgroundJob
from lambdamagic.magics.plan_view import plan_table
from lambdamagic.magics.queueing import CellWork, Line, staged
from lambdamagic.magics.remote_errors import local_exception, shown_in_a_line
from lambdamagic.magics.running import JobRunner, ready, replay, tell
from lambdamagic.magics.session import Session
from lambdamagic.magics.source import FUTURES, name_cell, python_of
from lambdamagic.runs.sources import Units
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import TaskTable


def plan_body(
    session: Session,
    magic_line: str,
    body: str,
    *,
    include: list[str],
    exclude: list[str],
    bound_before: tuple[str, ...] = (),
) -> CapturePlan:
    """Plan a cell's body in the notebook's namespace.

    Raises:
        SyntaxError, CaptureError, UnsupportedInCellError: See `plan_cell`.
        NameError: A name that the cell surely reads exists nowhere; nothing was sent.
    """
    shell = session.shell
    python = python_of(shell, body)
    session.background.read(
        sorted((names_read(session, python) - {*bound_before, *exclude}) | set(include)), reader="the cell"
    )
    filename = name_cell(shell, magic_line, body, python)
    plan = plan_cell(
        python,
        shell.user_ns,
        filename=filename,
        include=include,
        exclude=exclude,
        bound_before=bound_before,
        hidden=session.hidden,
        first_line=2,
        cell_dir=Path.cwd(),
        transform=shell.transform_cell,
        flags=shell.compile.flags & FUTURES,
    )
    for name, line in plan.unresolved.items():
        error = NameError(f"name {name!r} is not defined (line {line} of the cell; nothing was sent to Lambda)")
        error.name = name
        raise shown_in_a_line(error)
    return plan


def names_read(session: Session, python: str) -> frozenset[str]:
    """Return the pending names that some Python reads; none of what is no Python, which says so elsewhere."""
    pending = tuple(session.background.pending)
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


class CellRun:
    """One `%%lambda` cell.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        arguments: The magic's parsed options.
    """

    def __init__(self, session: Session, resolved: ResolvedSettings, arguments: Any) -> None:
        self.session, self.resolved, self.arguments = session, resolved, arguments
        self.effects: Effects | None = None
        self._arrival: Arrival | None = None

    def run(self, magic_line: str, body: str, *, include: list[str], exclude: list[str], out: list[str]) -> Any:
        """Run the cell and return what it shows.

        Raises:
            BaseException: What the cell raised, with its own type.
            LambdaMagicError: It could not be sent, or its environment died.
        """
        settings = self.resolved.settings
        line = Line.behind(self._owners(body, include, exclude) if self._can_queue else [])
        queued = line.names if line else frozenset[str]()
        plan = plan_body(
            self.session,
            magic_line,
            body,
            include=[name for name in include if name not in queued],
            exclude=exclude,
            bound_before=tuple(queued),
        )
        program = encode_program(
            self.session.home,
            plan,
            serializer=settings.serializer,
            exclude=frozenset(exclude) | queued,
            hidden=self.session.hidden,
            primed=line.primed if line else (),
        )
        if self.arguments.plan:
            where = settings.resolved_target()
            prices = Prices.of(settings.region or "")
            cost = cell_estimate(prices, memory_mb=settings.memory_mb, timeout_s=settings.timeout_s)
            return plan_table(plan, program, inline_limit_bytes=settings.inline_limit_bytes, where=where, more=[cost])
        options = {"out": out or None, "mutations": not self.arguments.no_mutations, "serializer": settings.serializer}
        self.resolved = ready(self.session, self.resolved, program)
        label = _label(body)
        request = RunRequest("cell", label, Units([Unit((0,))]), 1, program, options=options, is_program_shared=False)
        is_background = self.arguments.bg
        runner = JobRunner(
            self.session,
            self.resolved,
            label,
            task_count=1,
            table=_without_value(self.session),
            is_background=is_background,
        )
        if is_background:
            job = BackgroundJob(
                self.session.background,
                runner,
                CellWork(self, program, out, line),
                names=_pending_names(self.session, plan, out),
                prepare=lambda: staged(runner.prepare(request), line),
                before=line.jobs if line else (),
            )
            self.session.background.add(job)
            return job
        runner.run(request, self._receive)
        arrival = self._arrival
        assert arrival is not None, "a job that ends without error has had an arrival"
        replay(arrival.outputs)
        return self.conclude(arrival, program, out)

    @property
    def _can_queue(self) -> bool:
        settings = self.resolved.settings
        return bool(self.arguments.bg and not self.arguments.plan and settings.mode in ("auto", "sync"))

    def _owners(self, body: str, include: list[str], exclude: list[str]) -> list[BackgroundJob]:
        names = names_read(self.session, python_of(self.session.shell, body))
        return self.session.background.owners((names - {*exclude}) | set(include))

    def _receive(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def conclude(
        self,
        arrival: Arrival,
        program: Program,
        out: list[str],
        claim: Callable[[dict[str, Any]], dict[str, Any]] = lambda bound: bound,
        line: Line | None = None,
    ) -> Any:
        """Put what the cell did into the notebook and return what it shows; see `run`.

        Args:
            arrival: The answer.
            program: What it answers.
            out: The names that were asked for.
            claim: Returns those of the bound names that may be put into the namespace.
            line: The jobs that it was queued behind.
        """
        if arrival.error is not None:
            raise arrival.error
        response = arrival.response
        assert response is not None
        home = self.session.home
        known = WithEarlier(program.encoder, line.memos()) if line else program.encoder
        effects = self.effects = read_answer(home, known, unpack_numbers(response.numbers), arrival.frames)
        self._apply(effects, out, claim)
        if effects.error:
            where = f"raised on Lambda ({self.resolved.settings.resolved_target()}{_request(arrival)})"
            raise local_exception(self.session.shell, effects.error, where)
        return effects.values[0] if effects.values else None

    def _apply(self, effects: Effects, out: list[str], claim: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        quiet = self.resolved.settings.quiet
        shell = self.session.shell
        if self.arguments.no_mutations:
            if effects.unreturned:
                names = ", ".join(dict.fromkeys(effects.unreturned))
                tell(f"changes in place were left on Lambda (--no-mutations): {names}", quiet=quiet)
        else:
            for problem in effects.apply_in_place():
                tell(problem)
        for name in effects.deleted:
            shell.user_ns.pop(name, None)
            shell.user_ns_hidden.pop(name, None)
        if bound := claim(effects.bound):
            shell.push(bound)
        for lost in effects.lost:
            is_change = lost.section == "update"
            stayed = "was changed on Lambda, and the change stayed there" if is_change else "stayed on Lambda"
            tell(f"{lost.what} ({lost.type_name}) {stayed}: {lost.reason}")
        for name in out:
            if name not in effects.bound and name not in shell.user_ns:
                tell(f"--out {name}: the cell did not bind that name")
        for notice in self.session.home.take_notices():
            tell(notice)


def _pending_names(session: Session, plan: CapturePlan, out: list[str]) -> list[str]:
    """Return the names that later cells have to wait for: bound ones, but not modules that are there already."""
    namespace = session.shell.user_ns
    bound = (plan.bound | plan.deleted) & set(out) if out else plan.bound | plan.deleted
    return sorted(name for name in bound if not isinstance(namespace.get(name), ModuleType))


def _without_value(session: Session) -> TaskTable:
    """Return the table of a cell: what its task gives is no value of a task's, but what the cell did."""
    table = TaskTable(session.home, lambda task, failure, arrival: arrival.error or RuntimeError())
    table.reach(1)
    table.put({0: None})
    return table


def _request(arrival: Arrival) -> str:
    return f", request {arrival.request_id}" if arrival.request_id else ""


def _label(body: str) -> str:
    """Return the line of a cell that tells most, shortened: the first of code that is no import."""
    lines = [line.strip() for line in body.splitlines() if line.strip() and not line.strip().startswith("#")]
    telling = [line for line in lines if not line.startswith(("import ", "from "))]
    first = (telling or lines or ["cell"])[0]
    return first if len(first) <= 48 else first[:47] + "…"
