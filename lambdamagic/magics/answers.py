"""A cell that was sent: reads its answer, and applies it to the notebook."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from lambdamagic.codec import process_settings
from lambdamagic.codec.answer import Effects, read_answer
from lambdamagic.codec.earlier import Numbered
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.codec.tracking import Tracker
from lambdamagic.config import Settings
from lambdamagic.jobs import loaded_modules
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival
from lambdamagic.magics.front import show_files, show_note
from lambdamagic.magics.remote_errors import local_exception
from lambdamagic.magics.session import Session
from lambdamagic.runs.files_along import left_there, saved

Grant = Callable[[dict[str, Any]], dict[str, Any]]


#: The name in the message of a NameError, Python's or pandas'.
_MISSING_NAME = re.compile(r"(?:name|variable) '(\w+)'")


def _bound_by_with(python: str) -> frozenset[str]:
    """Return the names that with statements of a cell bind: what they hold is done with when the statement ends."""
    try:
        tree = ast.parse(python)
    except SyntaxError:
        return frozenset()
    withs = (node for node in ast.walk(tree) if isinstance(node, ast.With | ast.AsyncWith))
    targets = (item.optional_vars for node in withs for item in node.items if item.optional_vars is not None)
    return frozenset(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


class CellWork:
    """State of a sent cell until its answer is applied and no queued cell needs it.

    Args:
        session: The notebook's session.
        settings: The settings in force.
        program: What was sent; None where another kernel sent it.
        known: Returns what knows the objects that the answer refers to; by default the program's encoder.
        out: The names that were asked for.
        mutates: Whether changes in place come to the notebook's objects.
        python: The cell's code; empty where another kernel sent it.

    Attributes:
        answer: The answer, until it was read.
        effects: What the cell did, once that was read.
    """

    is_shown, stops_early = True, False

    def __init__(
        self,
        session: Session,
        settings: Settings,
        program: Program | None = None,
        *,
        known: Callable[[], Numbered] | None = None,
        out: Sequence[str] = (),
        mutates: bool = True,
        python: str = "",
    ) -> None:
        self._python = python
        self._session, self._settings, self._out, self._mutates = session, settings, out, mutates
        self._program, self._known = program, known
        self.answer: Arrival | None = None
        self.effects: Effects | None = None
        self._pictures: Tracker | None = None

    @property
    def program(self) -> Program:
        """What was sent; not after `forget`."""
        assert self._program is not None, "no longer needed"
        return self._program

    def take(self, arrival: Arrival) -> None:
        """Keep the answer until it is applied to the notebook."""
        self.answer = arrival

    def outputs(self) -> Sequence[dict[str, Any]]:
        """Return what the cell printed, displayed and wrote."""
        return self.answer.outputs if self.answer is not None else ()

    def missing_name(self) -> str:
        """Return the name of the notebook that whose absence ended the cell; empty if none did."""
        if self.answer is None or self.answer.error is not None:
            return ""
        return self._would_have_helped(self._read(self.answer))

    def _read(self, arrival: Arrival) -> Effects:
        if self.effects is None:
            assert arrival.response is not None
            known = self.program.encoder if self._known is None else self._known()
            numbers = unpack_numbers(arrival.response.numbers)
            self.effects = read_answer(self._session.home, known, numbers, arrival.frames)
        return self.effects

    def conclude(self, claim: Grant = lambda bound: bound) -> Any:
        """Apply the cell's effects to the notebook and return its shown value.

        Args:
            claim: Returns those of the bound names that may be put into the namespace.

        Raises:
            BaseException: What the cell raised, with its own type.
            LambdaMagicError: Its environment died.
        """
        arrival, self.answer = self.answer, None
        assert arrival is not None, "a job that ends without error has had an arrival"
        if arrival.error is not None:
            raise arrival.error
        effects = self._read(arrival)
        show_files(saved(arrival.outputs), quiet=self._settings.quiet)
        for remark in left_there(arrival.outputs):
            show_note(remark, quiet=self._settings.quiet)
        self._apply(effects, claim)
        if effects.error:
            request = f", request {arrival.request_id}" if arrival.request_id else ""
            where = f"raised on Lambda ({self._settings.resolved_target()}{request})"
            if name := self._would_have_helped(effects):
                where += f"\n{name} exists in the notebook: add -i {name} to send it"
            raise local_exception(self._session.shell, effects.error, where)
        return effects.values[0] if effects.values else None

    def _would_have_helped(self, effects: Effects) -> str:
        """Return the name that was missing, if the notebook has it and no analysis found it in the cell."""
        if not effects.error:
            return ""
        first = effects.error[0]
        found = _MISSING_NAME.search(first.message) if "NameError" in str(first.kinds) else None
        name = found[1] if found else ""
        if name not in self._session.shell.user_ns or name in self.program.values or name in effects.bound:
            return ""
        return name

    def _apply(self, effects: Effects, claim: Grant) -> None:
        shell = self._session.shell
        if not self._mutates:
            if effects.unreturned:
                names = ", ".join(dict.fromkeys(effects.unreturned))
                show_note(f"in-place changes stayed on Lambda (--no-mutations): {names}", quiet=self._settings.quiet)
        else:
            for problem in effects.apply_in_place():
                show_note(problem)
        for name in effects.deleted:
            shell.user_ns.pop(name, None)
            shell.user_ns_hidden.pop(name, None)
        if annotations := effects.bound.pop("__annotations__", None):
            shell.user_ns.setdefault("__annotations__", {}).update(annotations)
        if bound := claim(effects.bound):
            shell.push(bound)
        process_settings.brought_back(effects.settings)
        loaded_modules.note(self._session.home.imported_there)
        left = _bound_by_with(self._python) if effects.lost else frozenset()
        for lost in effects.lost:
            if lost.section == "bound" and (lost.has_ended or lost.what in left):
                continue  # its use raises what became of it, and hardly any code uses it
            if lost.section == "kept":
                show_note(f"{lost.what} ({lost.type_name}) stayed in the notebook: {lost.reason}; on Lambda it was new")
                continue
            is_change = lost.section == "update"
            stayed = "was changed on Lambda, and the change stayed there" if is_change else "stayed on Lambda"
            show_note(f"{lost.what} ({lost.type_name}) {stayed}: {lost.reason}")
        for name in self._out:
            if name not in effects.bound and name not in shell.user_ns:
                show_note(f"--out {name}: the cell did not bind this name")
        for notice in self._session.home.take_notices():
            show_note(notice)

    def watch(self) -> None:
        """Take snapshots of the sent objects: queued cells are sent only new ones."""
        self._pictures = Tracker(
            list(self.program.values.values()),
            memo=dict(enumerate(self.program.encoder.objects_in_order())),
            home=self._session.home,
            pristine={},
            is_deep=False,
        )

    def is_as_sent(self) -> bool:
        """Whether the objects that were sent are still as they were."""
        return self._pictures is not None and self._pictures.changes() == ([], [])

    def forget(self) -> None:
        """Release what only queued successors needed, including what was sent: it may be large."""
        self.effects = self._program = self._pictures = None
