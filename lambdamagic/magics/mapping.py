"""`%lambda_map` and `%%lambda_map`: one task for each item."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from functools import partial
from itertools import islice
from typing import Any

from IPython.core.error import UsageError

from lambdamagic.capture import CallablePlan, plan_callable
from lambdamagic.codec.fingerprint import NoFingerprintError
from lambdamagic.config import ResolvedSettings
from lambdamagic.jobs.encoding import Program, encode_program
from lambdamagic.jobs.estimate import map_estimate
from lambdamagic.jobs.job import Arrival, FunctionRef
from lambdamagic.jobs.memo import Memo
from lambdamagic.jobs.outcomes import Failure, encode_items
from lambdamagic.jobs.prices import Prices
from lambdamagic.magics.background_job import BackgroundJob
from lambdamagic.magics.cards import NOTHING, Card
from lambdamagic.magics.front import replay, show_files, show_note
from lambdamagic.magics.parse.arguments import split_names, variables
from lambdamagic.magics.parse.map_syntax import split_call, split_loop, split_name
from lambdamagic.magics.parse.source import CellText, named_expression
from lambdamagic.magics.pickling import PicklingSign
from lambdamagic.magics.plan_view import plan_table
from lambdamagic.magics.planning import names_read, plan_body, ready, wait_for_names
from lambdamagic.magics.remote_errors import local_exception, shown_from
from lambdamagic.magics.session import Session
from lambdamagic.magics.setup_cell import setup_note, with_setup
from lambdamagic.runs.files_along import found, left_there, saved
from lambdamagic.runs.map_work import MapWork, Repeatable
from lambdamagic.runs.opened import Place
from lambdamagic.runs.sources import LOOK_AHEAD, ChunkedItems, Encode, Sizing
from lambdamagic.runs.spec import RunRequest
from lambdamagic.runs.stored import StoredWork
from lambdamagic.runs.tasks import TaskTable, memo_of

#: For how long items of an iterator are pulled before results are looked at again.
_PULL_S = 0.1


class MapRun:
    """One map.

    Args:
        session: The notebook's session.
        resolved: The settings in force.
        arguments: The magic's parsed options.

    Attributes:
        table: The outcomes of its tasks.
        stops_early: Whether the first task that fails ends it.
    """

    is_shown = False

    def __init__(self, session: Session, resolved: ResolvedSettings, arguments: Any) -> None:
        self._session, self._resolved, self._arguments = session, resolved, arguments
        self._asked = [split_names(getattr(arguments, name, None)) for name in ("input", "exclude")]
        self._place: Callable[[], Place] = lambda: session.place(self._resolved)
        self.table = TaskTable(session.home, self._exception)
        self.stops_early = resolved.settings.on_error == "raise"
        self._work: Repeatable | None = None
        self._pull: Callable[[], None] | None = None
        self._card: Card | None = None
        self._job: BackgroundJob | None = None
        self._wants_retry = False
        self._left: list[dict[str, Any]] = []
        self._name = ""
        style = "star" if getattr(arguments, "star", False) else "plain"
        fetch = getattr(arguments, "fetch", None)
        self._options = {style: True, **({"fetch": fetch} if fetch else {}), **variables(arguments)}

    @property
    def can_run_again(self) -> bool:
        """Whether the items are still there."""
        return self.table.items is not None

    @property
    def results(self) -> list[Any]:
        """The outcomes of its tasks so far."""
        return self.table.results

    def over_callable(self, text: str) -> Any:
        """Run `%lambda_map fn items`."""
        session, fn_text, items_text = self._session, *split_call(text, fetches="fetch" in self._options)
        read = names_read(session, f"({fn_text})({items_text})")
        wait_for_names(session, read, *self._asked, reader="the map")
        fn, items = self._evaluate(fn_text), self._items(items_text)
        if not callable(fn):
            raise UsageError(f"%lambda_map needs a callable first; {fn_text} is of type {type(fn).__name__}")
        include, exclude = self._asked
        plan = plan_callable(fn, session.shell.user_ns, include=include, exclude=exclude, hidden=session.hidden)
        return self._run(plan, self._encoded(plan, fn=fn), items, fn_text, fn)

    def over_body(self, magic_line: str, text: str, body: str) -> Any:
        """Run `%%lambda_map x in xs`."""
        self._name, loop = split_name(text)
        target, items_text, names = split_loop(loop)
        wait_for_names(self._session, names_read(self._session, items_text), reader="the map")
        items = self._items(items_text)
        cell = CellText.of(self._session.shell, magic_line, body)
        include, exclude = self._asked
        plan = plan_body(self._session, cell, include=include, exclude=exclude, bound_before=names)
        loop_code = compile(f"{target} = __lambdamagic_item__", plan.filename, "exec")
        return self._run(plan, self._encoded(plan, loop_code=loop_code), items, f"for {target} in {items_text}")

    def _encoded(self, plan: CallablePlan, **more: Any) -> Program:
        plan, setup = with_setup(self._session, plan)
        settings = self._resolved.settings
        with PicklingSign(self._session, self._arguments.name or "map", is_quiet=settings.quiet) as sign:
            program = encode_program(
                self._session.home,
                plan,
                serializer=settings.serializer,
                exclude=frozenset(self._asked[1]),
                hidden=self._session.hidden,
                files=found(self._arguments.file or ()),
                with_modules=True,
                setup=setup,
                wrote=sign.wrote,
                **more,
            )
        sign.clear()
        return program

    def _evaluate(self, text: str) -> Any:
        shell = self._session.shell
        try:
            return eval(compile(*named_expression(shell, text), "eval"), shell.user_ns)  # noqa: S307  # the user's code
        except Exception as error:  # noqa: BLE001  # whatever the user's code raises
            raise shown_from(self._session.shell, error, 1) from error.__cause__

    def _items(self, text: str) -> Sequence[Any] | Iterator[Any]:
        """Return the items: what has a length as a sequence, else an iterator."""
        found = self._evaluate(text)
        try:
            if isinstance(found, list | tuple | range):
                return found
            items: Iterator[Any] = iter(found)
            # While a background job runs, no thread waits that could pull an iterator.
            return list(items) if isinstance(found, Sized) or self._arguments.bg else items
        except TypeError as error:
            raise UsageError(
                f"%lambda_map needs items to go through; {text} is of type {type(found).__name__}"
            ) from error

    def _run(
        self,
        plan: CallablePlan,
        program: Program,
        items: Sequence[Any] | Iterator[Any],
        what: str,
        fn: Callable[..., Any] | None = None,
    ) -> Any:
        session = self._session
        if self._arguments.plan:
            return plan_table(
                plan,
                program,
                self._resolved.settings,
                more=[self._estimate(what, items), *setup_note(session)],
                env=self._options.get("env", ()),
            )
        self._resolved, function = ready(session, self._resolved, program)
        style = "star" if "star" in self._options else "plain"
        self.table = TaskTable(session.home, self._exception, memo=self._memo(program, fn), style=style)
        if isinstance(items, Sequence):
            request = self._request_for(items, what, program, function)
        else:
            request = self._request_for_stream(items, what, program, function)
        if not self.results:
            return self._bound()
        return self._go(request, is_background=self._arguments.bg)

    def _request_for(
        self, items: Sequence[Any], what: str, program: Program, function: FunctionRef | None
    ) -> RunRequest:
        runs, known = self.table.add(items)
        self.table.items = items
        label = self._arguments.name or f"{what} × {len(items):,}"
        sizing = Sizing.of(self._resolved.settings)
        work = self._work = MapWork(label, program, function, items, self._encoder(program), sizing, self._options)
        return work.request([task for run in runs for task in run] if known else range(len(items)), len(items))

    def _request_for_stream(
        self, items: Iterator[Any], what: str, program: Program, function: FunctionRef | None
    ) -> RunRequest:
        """Return the request; the iterator is pulled in the waiting thread, a while at a time."""
        settings = self._resolved.settings
        feed = ChunkedItems(self._encoder(program), Sizing.of(settings), joins=settings.cache)

        def pull_one() -> tuple[int, ...]:
            try:
                found = list(islice(items, 1))
            except Exception as error:  # noqa: BLE001  # whatever the user's code raises
                raise shown_from(self._session.shell, error, 1) from error.__cause__
            runs, known = self.table.add(found)
            if runs:
                feed.put_items(found, runs)
            if not found:
                feed.close()
            return known

        def pull() -> None:
            assert self._card is not None, "it runs"
            until = time.monotonic() + _PULL_S
            while not feed.is_closed and feed.waiting < LOOK_AHEAD and time.monotonic() < until:
                self._card.run.found(pull_one())

        self._pull = pull
        cached = pull_one()  # the rest may depend on its outcome
        keep = None if settings.cache else feed.keep
        label = self._arguments.name or what
        return RunRequest("map", label, feed, None, program, function, self._options, cached=cached, keep=keep)

    def again(self, *, failed: bool) -> list[Any]:
        """Run the tasks that have no result, and those that failed if they are asked for; return all results.

        Raises:
            UsageError: The items came from an iterator and are gone.
        """
        if self.table.items is None:
            raise UsageError(
                "the items came from an iterator, which is exhausted: pass %lambda_map a list to resume the map"
            )
        request = self._request_again(failed=failed)
        if request is not None:
            self._go(request)
        return self.results

    def retry(self) -> None:
        """Run both in the background, as soon as the job has ended and no cell runs. For any thread."""
        self._wants_retry = True
        self._session.background.soon(self._retry)

    def to_csv(self) -> str:
        """Return a line for each task: number, state, run time in seconds, argument, result, error. For any thread."""
        assert self._card is not None, "it has run"
        return self._card.details.results_csv()

    def _retry(self) -> None:
        before, background = self._job, self._session.background
        if not self._wants_retry or (before is not None and not before.has_ended):
            return  # its end asks again
        self._wants_retry = False
        if before is not None:
            background.settle(before)
        request = self._request_again(failed=True)
        if request is None:
            return
        self.stops_early = False
        job = self._go(request, is_background=True)
        if before is not None:
            before.follower = job
            background.raised(before)
        job.show_in_place()

    def _retry_if_wanted(self) -> None:
        if self._wants_retry:
            self._session.background.soon(self._retry)

    def attached(self, work: StoredWork, place: Callable[[], Place]) -> list[Any]:
        """Continue a map whose kernel has gone, to its end, and return all results."""
        self._work, self._place, self.stops_early = work, place, False
        work.fill(self.table)
        request = self._request_again(failed=False)
        return list(self._outcomes() if request is None else self._go(request))

    def _request_again(self, *, failed: bool) -> RunRequest | None:
        tasks = self.table.unfinished(failed=failed)
        if not tasks:
            return None
        self.table.forget(tasks)
        assert self._work is not None, "something is left to be run"
        return self._work.request(tasks, self.table.count)

    def _go(self, request: RunRequest, *, is_background: bool = False) -> Any:
        before = self._card
        if before is not None and before.record is not None:
            before.record.map = None  # the latest job knows what can be run again
        card = self._card = Card(
            self._session,
            self._place(),
            request,
            self.table,
            is_background=is_background,
            ran_map=self,
            spot=None if before is None else before.spot,
        )
        if is_background:
            names = [self._name] if self._name else []
            job = self._job = BackgroundJob(self._session.background, card, self, names=names)
            job.start()
            job.run.when_ended(self._retry_if_wanted)
            return job
        try:
            card.carry(self._receive, self._pull)
        finally:
            self._finish()
            if card.prints is not None:
                card.prints.show()
            if self.table.has_failures and card.spot.is_taken and not card.spot.has_below:
                card.spot.make_below(NOTHING)  # what is run again later prints here, not into another cell
        return self._outcomes()

    def _receive(self, arrival: Arrival) -> None:
        assert self._card is not None, "it runs"
        if self._card.prints is None:
            replay(arrival.outputs)
        self.take(arrival)
        if self.stops_early:
            self._check_failures()

    def take(self, arrival: Arrival) -> None:
        """Read an arrival and keep its results, and the files that came with it."""
        self.table.take(arrival)
        self._left += [entry for entry in arrival.outputs if "written" in entry]
        show_files(saved(arrival.outputs, arrival.unit.tasks), quiet=self._resolved.settings.quiet)

    def conclude(self, claim: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        """Return the results of a background map, all of whose arrivals were taken."""
        self._finish()
        return self._outcomes(claim)

    def forget(self) -> None:
        """Do nothing: no job is queued behind a map."""

    def _finish(self) -> None:
        self.table.end()
        if not self.table.unfinished(failed=True):
            self._work = None  # nothing is left to be run again, and what it captured may be large

    def _outcomes(self, claim: Callable[[dict[str, Any]], dict[str, Any]] = lambda bound: bound) -> Any:
        for notice in self._session.home.take_notices():
            show_note(notice)
        left, self._left = self._left, []
        for remark in left_there(left, is_map=True):
            show_note(remark, quiet=self._resolved.settings.quiet)
        self._check_failures()
        return self._bound(claim)

    def _bound(self, claim: Callable[[dict[str, Any]], dict[str, Any]] = lambda bound: bound) -> Any:
        """Give the results the name that the line has for them; they are shown only if it has none, as in Python."""
        if not self._name:
            return self.results
        self._session.shell.push(claim({self._name: self.results}))
        return None

    def _encoder(self, program: Program) -> Encode:
        home, serializer = self._session.home, self._resolved.settings.serializer
        return partial(encode_items, home, serializer=serializer, extensions=program.extensions)

    def _memo(self, program: Program, fn: Callable[..., Any] | None) -> Memo | None:
        if not self._resolved.settings.cache:
            return None
        try:
            target = self._session.target(self._resolved)
            return memo_of(target.stager.store, self._session.home, program, fn)
        except NoFingerprintError as error:
            show_note(f"results are not cached: {error}")
            return None

    def _estimate(self, what: str, items: Sequence[Any] | Iterator[Any]) -> str:
        """Show the estimated cost, from the last map of the same callable if there was one."""
        settings = self._resolved.settings
        before = [record.progress for record in self._session.history if record.progress.label.split(" × ")[0] == what]
        last = next((each for each in reversed(before) if each.finished_tasks and each.billed_ms), None)
        return map_estimate(
            Prices.of(settings.region or ""),
            memory_mb=settings.memory_mb,
            tasks=len(items) if isinstance(items, Sequence) else None,
            billed_s_each=None if last is None else last.billed_ms / 1000 / last.finished_tasks,
        )

    def _exception(self, task: int, failure: Failure, arrival: Arrival) -> BaseException:
        if failure.error is not None:
            return failure.error
        note = f"raised on Lambda by item {task + 1:,} of {self.table.count:,} (request {arrival.request_id})"
        return local_exception(self._session.shell, failure.records, note)

    def _check_failures(self) -> None:
        """Raise what the first task raised that failed, unless exceptions are to be among the results."""
        if not self.table.has_failures or self._resolved.settings.on_error != "raise":
            return
        failures, count = self.table.failures, self.table.count
        first = min(failures)
        done = count - len(self.table.missing) - len(failures)
        kept = f"{done:,} result{'s are' if done != 1 else ' is'} in `%lambda last`; " if done else ""
        sys.stderr.write(
            f"lambdamagic: item {first + 1:,} of {count:,} failed; {kept}"
            f"--on-error return returns exceptions among the results\n"
        )
        raise failures[first]
