"""`%%lambda`: run one cell on Lambda."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

from IPython.core.error import UsageError

from lambdamagic.capture import CapturePlan
from lambdamagic.codec.earlier import WithEarlier
from lambdamagic.config import ResolvedSettings
from lambdamagic.jobs.encoding import encode_program
from lambdamagic.jobs.estimate import cell_estimate
from lambdamagic.jobs.job import Unit, new_job_id
from lambdamagic.jobs.prices import Prices
from lambdamagic.magics.answers import CellWork
from lambdamagic.magics.background_job import BackgroundJob
from lambdamagic.magics.cards import Card
from lambdamagic.magics.front import replay_cell, show_note
from lambdamagic.magics.parse.arguments import split_names, variables
from lambdamagic.magics.parse.source import FUTURES, CellText
from lambdamagic.magics.pickling import PicklingSign
from lambdamagic.magics.plan_view import plan_table
from lambdamagic.magics.planning import names_read, plan_body, ready
from lambdamagic.magics.queueing import Line, staged
from lambdamagic.magics.session import Session
from lambdamagic.magics.setup_cell import setup_note, with_setup
from lambdamagic.runs.files_along import found
from lambdamagic.runs.sources import Units
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import TaskTable


class CellRun:
    """One `%%lambda` cell.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        arguments: The magic's parsed options.
    """

    def __init__(self, session: Session, resolved: ResolvedSettings, arguments: Any) -> None:
        self._session, self._resolved, self._arguments = session, resolved, arguments
        self._include, self._exclude = split_names(arguments.input), split_names(arguments.exclude)
        self._out = split_names(arguments.out)
        self._variables = variables(arguments)

    def run(self, magic_line: str, body: str) -> Any:
        """Run the cell and return what it shows.

        Raises:
            BaseException: What the cell raised, with its own type.
            LambdaMagicError: It could not be sent, or its environment died.
        """
        session, settings, arguments = self._session, self._resolved.settings, self._arguments
        if arguments.bg and arguments.on_missing == "rerun":
            raise UsageError("--on-missing rerun cannot be used with --bg")
        text = CellText.of(session.shell, magic_line, body)
        if body.strip() and text.has_only_comments:
            return None  # as in the kernel
        line = self._line(text)
        queued = line.names if line else frozenset[str]()
        include = [name for name in self._include if name not in queued]
        plan = plan_body(session, text, include=include, exclude=self._exclude, bound_before=queued)
        files = found(arguments.file or ())
        plan, setup = with_setup(session, plan)
        label = arguments.name or _label(body)
        sign = PicklingSign(session, label, is_quiet=settings.quiet)
        with sign:
            program = encode_program(
                session.home,
                plan,
                serializer=settings.serializer,
                exclude=frozenset(self._exclude) | queued,
                hidden=session.hidden,
                primed=line.primed if line else (),
                files=files,
                with_modules=True,
                setup=setup,
                wrote=sign.wrote,
            )
        if arguments.plan or arguments.bg:
            sign.clear()
        if arguments.plan:
            prices = Prices.of(settings.region or "")
            cost = cell_estimate(prices, memory_mb=settings.memory_mb, timeout_s=settings.timeout_s)
            return plan_table(
                plan,
                program,
                settings,
                more=[cost, *setup_note(session)],
                files=files,
                env=self._variables.get("env", ()),
            )
        session.shell.compile.flags |= plan.code.co_flags & FUTURES  # as compiling it in the kernel does
        resolved, function = ready(session, self._resolved, program)
        options = {"out": self._out or None, "mutations": not arguments.no_mutations}
        options |= {"fetch": arguments.fetch} if arguments.fetch else {}
        options |= {"notes_outside": True} if arguments.on_missing == "rerun" else {}
        options |= self._variables
        request = RunRequest(
            "cell",
            label,
            Units([Unit((0,))]),
            1,
            program,
            function,
            options,
            is_program_shared=False,
            job_id=new_job_id(),
        )
        work = CellWork(
            session,
            resolved.settings,
            program,
            out=self._out,
            mutates=not arguments.no_mutations,
            python=text.python,
            known=(lambda: WithEarlier(program.encoder, line.memos())) if line else None,
        )
        place, table = session.place(resolved), table_of_cell(session)
        names = _pending_names(session, plan, self._out)
        if not arguments.bg:
            Card(session, place, request, table, spot=sign.place).carry(work.take, binds=names)
            assert work.answer is not None, "a job that ends without error has had an arrival"
            if arguments.on_missing == "rerun" and self._runs_again(work):
                return self.run(magic_line, body)
            replay_cell(session.shell, work.answer.outputs)
            return work.conclude()
        work.watch()
        card = Card(session, place, replace(request, amend=lambda spec: staged(spec, line)), table, is_background=True)
        job = BackgroundJob(session.background, card, work, names=names, before=line.jobs if line else ())
        job.start()
        return job

    def _runs_again(self, work: CellWork) -> bool:
        """Whether the cell is to run again with a name that was missing; then it is sent, and no effect is applied."""
        name = work.missing_name()
        if not name:
            return False
        outside = [each for entry in work.outputs() for each in entry.get("outside", ())]
        if outside:
            show_note(f"the cell was not run again with {name}: it {' and '.join(outside)}")
            return False
        show_note(f"{name} was missing on Lambda: the cell runs again with it", quiet=self._resolved.settings.quiet)
        self._include.append(name)
        return True

    def _line(self, text: CellText) -> Line | None:
        """Return the jobs that the cell can be queued behind; None if it waits for what it reads, or reads nothing."""
        arguments, settings = self._arguments, self._resolved.settings
        if not arguments.bg or arguments.plan or settings.mode not in ("auto", "sync"):
            return None
        names = names_read(self._session, text.python) - {*self._exclude} | {*self._include}
        return Line.behind(self._session.background.claims.owners(names))


def _pending_names(session: Session, plan: CapturePlan, out: list[str]) -> list[str]:
    """Return the names that later cells have to wait for: bound ones, but not modules that are already imported."""
    namespace = session.shell.user_ns
    bound = (plan.bound | plan.deleted) & set(out) if out else plan.bound | plan.deleted
    return sorted(name for name in bound if not isinstance(namespace.get(name), ModuleType))


def table_of_cell(session: Session) -> TaskTable:
    """Return the table of a cell: what its task gives is no value of a task's, but what the cell did."""
    table = TaskTable(session.home, lambda task, failure, arrival: arrival.error or RuntimeError())
    table.reach(1)
    table.put({0: None})
    return table


def _label(body: str) -> str:
    """Return the most descriptive line of a cell, shortened: the first that is not an import."""
    lines = [line.strip() for line in body.splitlines() if line.strip() and not line.strip().startswith("#")]
    descriptive = [line for line in lines if not line.startswith(("import ", "from "))]
    first = (descriptive or lines or ["cell"])[0]
    return first if len(first) <= 48 else first[:47] + "…"
