"""`%lambda_map` and `%%lambda_map`: one task for each item."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

from IPython.core.error import UsageError

from lambdamagic.api.maps import LOOK_AHEAD
from lambdamagic.capture import plan_callable
from lambdamagic.codec.fingerprint import NoFingerprintError
from lambdamagic.codec.frames import Frames
from lambdamagic.config import ResolvedSettings
from lambdamagic.events import TaskFinished
from lambdamagic.jobs.encoding import Program, encode_program
from lambdamagic.jobs.estimate import map_estimate
from lambdamagic.jobs.job import Arrival
from lambdamagic.jobs.memo import Memo, callable_key
from lambdamagic.jobs.outcomes import Failure, encode_items
from lambdamagic.jobs.prices import Prices
from lambdamagic.magics.cell import names_read, plan_body
from lambdamagic.magics.handle import BackgroundJob
from lambdamagic.magics.map_syntax import split_call, split_loop
from lambdamagic.magics.plan_view import plan_table
from lambdamagic.magics.remote_errors import local_exception
from lambdamagic.magics.running import JobRunner, ready, replay, tell
from lambdamagic.magics.session import Session
from lambdamagic.runs.durable import Keep
from lambdamagic.runs.sources import ChunkedItems, Sizing, runs_of
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.tasks import TaskTable
from lambdamagic.targets.secret import cache_secret

#: For how long items of an iterator are pulled before results are looked at again.
_PULL_S = 0.1


class MapRun:
    """One map.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        arguments: The magic's parsed options.
    """

    is_shown = False

    def __init__(self, session: Session, resolved: ResolvedSettings, arguments: Any) -> None:
        self.session, self.resolved, self.arguments = session, resolved, arguments
        self.table = TaskTable(session.home, self._exception)
        self._program: Program | None = None
        self._label = ""
        self._pull_more: Callable[[], None] = lambda: None
        self._cached: tuple[int, ...] = ()
        self._runner: JobRunner | None = None
        self._background: BackgroundJob | None = None
        self._wants_retry = False

    @property
    def can_run_again(self) -> bool:
        """Whether the items are still there."""
        return self.table.items is not None

    @property
    def results(self) -> list[Any]:
        """What its tasks gave, as far as it came."""
        return self.table.results

    def over_callable(self, text: str, *, include: list[str], exclude: list[str]) -> Any:
        """Run `%lambda_map fn items`."""
        fn_text, items_text = split_call(text)
        self.session.background.read(
            sorted((names_read(self.session, f"({fn_text})({items_text})") - {*exclude}) | set(include)),
            reader="the map",
        )
        fn, items = self._evaluate(fn_text), self._items(items_text)
        if not callable(fn):
            raise UsageError(f"%lambda_map needs a callable first; {fn_text} is a {type(fn).__name__}")
        plan = plan_callable(
            fn, self.session.shell.user_ns, include=include, exclude=exclude, hidden=self.session.hidden
        )
        program = encode_program(
            self.session.home,
            plan,
            serializer=self.resolved.settings.serializer,
            fn=fn,
            exclude=frozenset(exclude),
            hidden=self.session.hidden,
        )
        return self._run(plan, program, items, fn_text, fn)

    def over_body(self, magic_line: str, text: str, body: str, *, include: list[str], exclude: list[str]) -> Any:
        """Run `%%lambda_map x in xs`."""
        target, items_text, names = split_loop(text)
        self.session.background.read(sorted(names_read(self.session, items_text)), reader="the map")
        items = self._items(items_text)
        plan = plan_body(self.session, magic_line, body, include=include, exclude=exclude, bound_before=names)
        program = encode_program(
            self.session.home,
            plan,
            serializer=self.resolved.settings.serializer,
            loop_code=compile(f"{target} = __lambdamagic_item__", "<lambda_map>", "exec"),
            exclude=frozenset(exclude),
            hidden=self.session.hidden,
        )
        return self._run(plan, program, items, f"for {target} in {items_text}")

    def _evaluate(self, text: str) -> Any:
        return eval(compile(text, "<lambda_map>", "eval"), self.session.shell.user_ns)  # noqa: S307  # the user's code

    def _items(self, text: str) -> Sequence[Any] | Iterator[Any]:
        """Return the items: what has a length as a sequence, else an iterator."""
        found = self._evaluate(text)
        try:
            if isinstance(found, list | tuple | range):
                return found
            items: Iterator[Any] = iter(found)
            # Nobody waits who could pull an iterator while a background job runs.
            return list(items) if isinstance(found, Sized) or self.arguments.bg else items
        except TypeError as error:
            raise UsageError(f"%lambda_map needs items to go through; {text} is a {type(found).__name__}") from error

    def _run(self, plan: Any, program: Program, items: Sequence[Any] | Iterator[Any], what: str, fn: Any = None) -> Any:
        settings = self.resolved.settings
        if self.arguments.plan:
            where = settings.resolved_target()
            return plan_table(
                plan,
                program,
                inline_limit_bytes=settings.inline_limit_bytes,
                where=where,
                more=[self._estimate(what, items)],
            )
        self.resolved = ready(self.session, self.resolved, program)
        memo = self._memo(program, fn)
        self.table = TaskTable(self.session.home, self._exception, memo=memo)
        self._program, self._label = program, what
        units = self._units(items, joins=memo is not None)
        if not self.results:
            return self.results
        count = None
        if isinstance(items, Sequence):
            self.table.items, count, self._label = items, len(items), f"{what} × {len(items):,}"
        # What is known already has no place among the attempts that another process could read.
        keep = units.keep if memo is None else None
        return self._go(units, count, keep, is_background=self.arguments.bg)

    def again(self, *, failed: bool) -> list[Any]:
        """Run the tasks that have no result, and those that failed if they are asked for; return all results.

        Raises:
            UsageError: The items came from an iterator and are gone.
        """
        if self.table.items is None:
            raise UsageError("the items came from an iterator, which is used up: give %lambda_map a list to resume it")
        units = self._unfinished(failed=failed)
        if units is not None:
            self._go(units, len(self.results), None)
        return self.results

    def retry(self) -> None:
        """Have both run again in the background, as soon as the job has ended and no cell runs. For any thread."""
        self._wants_retry = True
        self.session.background.soon(self._retry)

    def to_csv(self) -> str:
        """Return a line for each task: number, state, run time in seconds, argument, result, error. For any thread."""
        assert self._runner is not None, "it has run"
        return self._runner.details.results_csv()

    def _retry(self) -> None:
        before = self._background
        if not self._wants_retry or (before is not None and not before.has_ended):
            return  # its end asks again
        self._wants_retry = False
        if before is not None:
            self.session.background.settle(before)
        units = self._unfinished(failed=True)
        if units is None:
            return
        job = self._go(units, len(self.results), None, is_background=True, stops_early=False)
        if before is not None:
            before.follower = job
            self.session.background.raised(before)
        job.show_in_place()

    def _retry_if_wanted(self) -> None:
        if self._wants_retry:
            self.session.background.soon(self._retry)

    def _unfinished(self, *, failed: bool) -> ChunkedItems | None:
        """Return the work of the tasks that are to run again; to a view the others are known already."""
        tasks = self.table.unfinished(failed=failed)
        if not tasks:
            return None
        self.table.forget(tasks)
        chosen = set(tasks)
        self._cached = tuple(n for n in range(len(self.results)) if n not in chosen)
        return ChunkedItems(self._encode, self._sizing, self.table.items, runs=runs_of(tasks))

    def _go(
        self,
        units: ChunkedItems,
        count: int | None,
        keep: Callable[[Keep], None] | None,
        *,
        is_background: bool = False,
        stops_early: bool = True,
    ) -> Any:
        settings, program, before = self.resolved.settings, self._program, self._runner
        assert program is not None
        if before is not None and before.record is not None:
            before.record.map = None  # what can be run again is told by the latest job
        runner = self._runner = JobRunner(
            self.session,
            self.resolved,
            self._label,
            task_count=count,
            table=self.table,
            is_background=is_background,
            ran_map=self,
            place=None if before is None else before.place,
        )
        request = RunRequest(
            "map",
            self._label,
            units,
            count,
            program,
            is_program_shared=count is None or count > (settings.chunksize or 1),
            cached=self._cached,
            keep=keep,
        )
        if is_background:
            self._background = BackgroundJob(
                self.session.background,
                runner,
                self,
                names=(),
                prepare=lambda: runner.prepare(request),
                stops_early=stops_early and settings.on_error == "raise",
                on_end=self._retry_if_wanted,
            )
            self.session.background.add(self._background)
            return self._background
        try:
            runner.run(request, self._receive, self._pull_more)
        finally:
            self._finish()
        return self._outcomes()

    def conclude(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        """Return the results of a background map, all of whose arrivals were taken."""
        del claim  # a map binds no names
        self._finish()
        return self._outcomes()

    def _finish(self) -> None:
        self.table.end()
        if not self.table.unfinished(failed=True):
            self._program = None  # nothing is left to be run again, and what it captured may be large

    def _outcomes(self) -> list[Any]:
        for notice in self.session.home.take_notices():
            tell(notice)
        if self.table.failures and self.resolved.settings.on_error == "raise":
            self._raise_first(len(self.results))
        return self.results

    def _encode(self, chunk: Sequence[Any], start: int) -> Frames:
        extensions = None if self._program is None else self._program.extensions
        return encode_items(self.session.home, chunk, start, self.resolved.settings.serializer, extensions=extensions)

    @property
    def _sizing(self) -> Sizing:
        return Sizing.of(self.resolved.settings)

    def _units(self, items: Sequence[Any] | Iterator[Any], *, joins: bool) -> ChunkedItems:
        """Return the job's work. An iterator is pulled in the waiting thread, a while at a time."""
        if isinstance(items, Sequence):
            return ChunkedItems(self._encode, self._sizing, items, runs=self._to_run(items), joins=joins)
        feed = ChunkedItems(self._encode, self._sizing, joins=joins)

        def pull_one() -> None:
            found = list(islice(items, 1))
            if runs := self._to_run(found):
                feed.put_items(found, runs)
            if not found:
                feed.close()

        def pull() -> None:
            until = time.monotonic() + _PULL_S
            while not feed.is_closed and feed.waiting < LOOK_AHEAD and time.monotonic() < until:
                pull_one()

        self._pull_more = pull
        pull_one()  # the rest may depend on what comes of it
        return feed

    def _to_run(self, items: Sequence[Any]) -> list[range]:
        """Take in the next items and return the tasks whose outcomes are not known."""
        runs, found = self.table.add(items)
        job = self._runner.job if self._runner is not None else None
        if job is None:
            self._cached = found
        else:
            for task in found:
                job.listeners.emit(TaskFinished(job.job_id, task, False, "", 0.0, time.time(), True))
        return runs

    def _memo(self, program: Program, fn: Any) -> Memo | None:
        if not self.resolved.settings.cache:
            return None
        store, home = self.session.target(self.resolved).stager.store, self.session.home
        try:
            if store is None:
                raise NoFingerprintError("there is no bucket")
            return Memo(store, cache_secret(), callable_key(home, program, fn), home)
        except NoFingerprintError as error:
            tell(f"results are not kept: {error}")
            return None

    def _estimate(self, what: str, items: Sequence[Any] | Iterator[Any]) -> str:
        """Tell what it would cost, from the last map of the same callable if there was one."""
        settings = self.resolved.settings
        before = [record.progress for record in self.session.history if record.progress.label.split(" × ")[0] == what]
        last = next((each for each in reversed(before) if each.finished_tasks and each.billed_ms), None)
        return map_estimate(
            Prices.of(settings.region or ""),
            memory_mb=settings.memory_mb,
            tasks=len(items) if isinstance(items, Sequence) else None,
            billed_s_each=None if last is None else last.billed_ms / 1000 / last.finished_tasks,
        )

    def _receive(self, arrival: Arrival) -> None:
        replay(arrival.outputs)
        self.take(arrival)
        if self.table.failures and self.resolved.settings.on_error == "raise":
            self._raise_first(len(self.results))

    def take(self, arrival: Arrival) -> None:
        """Read an arrival and keep its results."""
        self.table.take(arrival)

    def _exception(self, task: int, failure: Failure, arrival: Arrival) -> BaseException:
        if failure.error is not None:
            return failure.error
        note = f"raised on Lambda by task {task} of {self.table.count:,} (request {arrival.request_id})"
        return local_exception(self.session.shell, failure.records, note)

    def _raise_first(self, count: int) -> None:
        failures = self.table.failures
        first = min(failures)
        done = count - len(self.table.missing) - len(failures)
        kept = f"{done:,} results are kept in `%lambda last`, and " if done else ""
        sys.stderr.write(
            f"lambdamagic: task {first} of {count:,} failed; {kept}"
            f"--on-error return gives exceptions among the results\n"
        )
        raise failures[first]
