"""A chunk of tasks: one callable or cell body, called for each item, with an outcome each."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterator
from types import CoroutineType
from typing import Any

from lambdamagic.codec.each import Unreadable, iter_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import ErrorRecord, comes_from_the_object, error_line, safe_str
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.codec.picklers import KINDS
from lambdamagic.errors import ResultEncodeError
from lambdamagic.protocol.envelope import Request, TaskSummary
from lambdamagic.protocol.payload import Payload
from lambdamagic.protocol.stayed import Stayed
from lambdamagic.worker import written_files
from lambdamagic.worker.blobs import BlobCache, read_frames
from lambdamagic.worker.execution import CellSurroundings, run_code
from lambdamagic.worker.memory import Memory
from lambdamagic.worker.program import LoadedProgram, collection_paused
from lambdamagic.worker.stays import Leaving, StayedFrames, Stays
from lambdamagic.worker.watchdog import Interrupted
from lambdamagic.worker.within import Held, holding


def failed_summary(seconds: float, records: list[ErrorRecord], request: Request) -> TaskSummary:
    """Return how a task failed, and of what kind the exception is if the client decides by that."""
    kinds = records[0].kinds if request.options.get("retry_on") else ()
    return TaskSummary(seconds, error_line(records), kinds)


class Chunk:
    """The tasks of one invocation and their outcomes.

    Attributes:
        outcomes: For each finished task, in order: `{"value": ...}`, `{"stayed": place}` for a value in the bucket,
            `{"within": True}` for one that only tasks of this invocation took, or `{"error": [ErrorRecord, ...]}`; with
            `seconds` that it took.
        interrupted: The reason why the rest did not run, or None.
    """

    def __init__(
        self,
        request: Request,
        program: LoadedProgram,
        environment: CellSurroundings,
        cache: BlobCache,
        memory: Memory,
        stayed: StayedFrames,
    ) -> None:
        self._request, self._program, self._environment, self._memory = request, program, environment, memory
        self._leaving = None
        kinds = KINDS[request.options.get("serializer", "auto")]
        if request.stay is not None:
            self._leaving = Leaving(program.home, kinds, stayed)
        self._held = Held(program.home, kinds)
        self.outcomes: list[dict[str, Any]] = []
        self.interrupted: Interrupted | None = None
        self._cache = cache

    def run(self) -> None:
        """Run the tasks one after the other; an exception of one does not stop the others."""
        assert self._request.items is not None
        program, sent = self._program, self._request.items
        with collection_paused():
            program.extend(sent, self._cache)
        call = self._call()
        fetch = self._request.options.get("fetch", ())
        with self._environment.active(), holding(self._held), contextlib.closing(self._items(sent)) as items:
            if (broken := self._environment.set_up()) is not None:
                self.outcomes += [{"error": broken, "seconds": 0.0} for _ in items]
                return
            around = None if fetch else written_files.Watched()
            for number, item in enumerate(items):
                program.tasks += 1
                self._environment.outputs.begin_task(number)
                watched = written_files.Watched() if fetch else None
                outcome: dict[str, Any]
                began = time.perf_counter()
                try:
                    if type(item) is Unreadable:
                        raise item.error
                    value = call(item)
                    marked = value if type(value) is Stays else None
                    if marked is not None:
                        value = marked.value
                    if type(value) is CoroutineType:
                        import asyncio

                        value = asyncio.run(value)
                    seconds = time.perf_counter() - began
                    outcome = {"value": value} if marked is None else self._placed(number, value, marked)
                    self._held.ran()
                except Interrupted as interrupted:
                    self.interrupted = interrupted
                    break
                except BaseException as error:  # noqa: BLE001  # SystemExit of one task must not take its siblings
                    seconds = time.perf_counter() - began
                    outcome = {"error": self._environment.failure(error)}
                    self._held.failed(number, error)
                outcome["seconds"] = seconds
                self.outcomes.append(outcome)
                value = item = marked = None
                if watched is not None:
                    self._environment.outputs.add_files(watched.entries(fetch, task=number))
                if not self._held.left():  # else memory has grown for a reason
                    self._memory.settle_after(outcome["seconds"])
            if around is not None:
                self._environment.outputs.add_files(around.entries(()))
            for number, value in self._held.left().items():
                if self.outcomes[number].pop("within", False):
                    self.outcomes[number].update(self._placed(number, value, Stays(value)))

    def _placed(self, number: int, value: Any, marked: Stays) -> dict[str, Any]:
        """Return where a task's value is found; what later tasks take is held for them."""
        outcome: dict[str, Any] = {"value": value}
        if marked.goes == "nowhere":
            outcome = {"within": True}
        elif marked.goes == "bucket" and self._leaving is not None and self._leaving.take(number, value):
            outcome = {"stayed": number}
        if marked.uses:
            self._held.hold(number, value, marked.uses, is_written_later="value" in outcome)
        return outcome

    def _items(self, sent: Payload) -> Generator[Any, None, None]:
        """Yield the items: one by one where they hold values that stay, which may be large together."""
        program, is_lazy = self._program, any(shared.stayed for shared in sent.shared)
        with program.current(), collection_paused(), program.shared.reading(sent):
            found: Iterator[Any] = iter_items(read_frames(sent, self._cache), program.home)
            if not is_lazy:
                found = iter(list(found))
        if pick := self._request.options.get("pick"):
            found = itertools.islice(found, pick[0], pick[0] + pick[1])
        yield from self._one_by_one(found, sent) if is_lazy else found

    def _one_by_one(self, items: Iterator[Any], sent: Payload) -> Iterator[Any]:
        while True:
            with self._program.current(), collection_paused(), self._program.shared.reading(sent):
                item = next(items, self)
            if item is self:
                return
            yield item
            del item

    def leave(self, left_s: float) -> Stayed | None:
        """Leave values that stay in the bucket; None without any."""
        if self._leaving is None or self._request.stay is None:
            return None
        return self._leaving.leave(self._request.stay, left_s)

    def _call(self) -> Callable[[Any], Any]:
        fn, header, options = self._program.fn, self._program.header, self._request.options
        if fn is not None:
            if options.get("star"):
                return lambda item: fn(*item)
            if options.get("call"):
                return lambda item: fn(*item[0], **item[1])
            return fn
        namespace = self._program.main.__dict__
        target, code, value_name = header["loop_code"], header["code"], header["value_name"]
        before = dict(namespace)

        def body(item: Any) -> Any:
            namespace["__lambdamagic_item__"] = item
            try:
                exec(target, namespace)
                run_code(code, namespace)
                return namespace.get(value_name) if value_name else None
            finally:
                # Each item finds the namespace as it was captured, whoever else ran in this environment before.
                namespace.clear()
                namespace.update(before)

        return body

    def summaries(self) -> list[TaskSummary]:
        """Return how each finished task ended."""
        return [
            failed_summary(outcome["seconds"], outcome["error"], self._request)
            if "error" in outcome
            else TaskSummary(outcome["seconds"])
            for outcome in self.outcomes
        ]

    def frames(self) -> Frames:
        """Write the outcomes; one that no pickler can carry becomes a separate error."""
        wanted = KINDS[self._request.options.get("serializer", "auto")]
        with self._program.current():
            for kind in wanted:
                try:
                    return self._write(kind, self.outcomes)
                except NEVER_THE_OBJECTS:
                    raise
                except BaseException:  # noqa: BLE001, S112  # code of the values' classes; found out below which it was
                    continue
            self.outcomes = [self._carried(wanted[-1], outcome) for outcome in self.outcomes]
            return self._write(wanted[-1], self.outcomes)

    def _write(self, kind: str, outcomes: list[dict[str, Any]]) -> Frames:
        encoder = Encoder(self._program.home, kind=kind)
        encoder.refer_to_functions()
        for outcome in outcomes:
            encoder.dump(outcome)
        return encoder.frames()

    def _carried(self, kind: str, outcome: dict[str, Any]) -> dict[str, Any]:
        try:
            self._write(kind, [outcome])
        except NEVER_THE_OBJECTS:
            raise
        except BaseException as error:  # noqa: BLE001  # code of the value's class
            records = outcome.get("error")
            if records is not None:
                for record in records:
                    record.exception = None
                return outcome
            kept = type(outcome["value"]).__name__
            message = f"the task's result, a {kept}, cannot come back: {safe_str(error)}"
            if not isinstance(error, Exception) or comes_from_the_object(error):
                error.add_note(message)
                return self._carried(kind, {"error": self._environment.failure(error), "seconds": outcome["seconds"]})
            lost = ResultEncodeError(message, hint="Return what can be pickled, such as list(...) of a generator")
            record = ErrorRecord("lambdamagic.errors.ResultEncodeError", message, [], text=message, exception=lost)
            return {"error": [record], "seconds": outcome["seconds"]}
        return outcome
