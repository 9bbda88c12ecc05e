"""Run one cell in the namespace that came with it."""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lambdamagic.codec import figure_settings, logging_settings, process_settings
from lambdamagic.codec.answer import NO_VALUE, Answer, write_answer
from lambdamagic.codec.encode import can_travel
from lambdamagic.codec.failures import ErrorRecord
from lambdamagic.codec.tracking import Tracker
from lambdamagic.protocol.envelope import Request
from lambdamagic.worker import written_files
from lambdamagic.worker.displays import mime_bundle
from lambdamagic.worker.execution import CellSurroundings, run_code
from lambdamagic.worker.program import OWN_NAMES, LoadedProgram
from lambdamagic.worker.this_environment import raw_environment
from lambdamagic.worker.watchdog import Interrupted

#: No code relies on the earlier values of these.
_STREAMS = frozenset({"random", "numpy.random"})
_NOTHING_SET: Mapping[str, Any] = MappingProxyType({})


def run_cell(
    request: Request, program: LoadedProgram, environment: CellSurroundings, *, is_folder_empty: bool = False
) -> Answer:
    """Run the cell and encode its changes.

    Options of the request: `out` (names to return, or null for all), `mutations` (whether changes in place come
    back), `serializer`.

    Raises:
        Interrupted: The deadline came, or the job was cancelled.
    """
    header, options = program.header, request.options
    namespace = program.main.__dict__
    tracker = Tracker(
        [
            *(value for name, value in program.captured.items() if name not in header["deleted_only"]),
            *program.builtins.values(),
            *program.own.values,
            *logging_settings.handlers_in(header.get("settings", {}).get("logging", {})),
        ],
        memo=program.memo(),
        home=program.home,
        pristine=program.pristine,
        temporary=program.temporary,
        shared=[*program.shared.found.values(), *program.home.of_modules],
        ignored=[header, *header.values()],
    )
    program.own.look(tracker.tracked.keys())
    error: list[ErrorRecord] | None = None
    value: Any = NO_VALUE
    watched = written_files.Watched(is_empty=is_folder_empty)
    with environment.active():
        error = environment.set_up()
        uses = header.get("uses", ())
        process_settings.note_first_filters()
        own = process_settings.taken(uses, with_defaults=True)
        sent = process_settings.joined(own, header.get("settings", {}))
        process_settings.give(sent, own)
        figure_settings.sent[:] = [sent.get("figures", {})]
        before = {**own, **sent}
        live = environment.show_live()
        reached: Any = contextlib.nullcontext()
        if options.get("notes_outside"):
            from lambdamagic.worker.outside import Outside

            reached = Outside()
        environ, path, scope = raw_environment().copy(), list(sys.path), dict(vars(builtins))
        kept = scope if not program.builtins else {name: scope[name] for name in scope.keys() - program.builtins.keys()}
        try:
            if error is None:
                try:
                    with reached:
                        run_code(header["code"], namespace)
                finally:  # what follows needs the builtins that the cell found; it looks none up before it has them
                    builtins.__dict__.update(kept)
            if error is None and header["value_name"]:
                value = environment.shown_value = namespace.pop(header["value_name"], NO_VALUE)
        except Interrupted:
            raise
        except BaseException as raised:  # noqa: BLE001  # SystemExit and KeyboardInterrupt too are the user's to see
            error = environment.failure(raised)
            namespace.pop(header["value_name"] or "", None)
        finally:
            live.stop()
        now = process_settings.taken(uses, with_defaults=True)
        changed = process_settings.changed(before, now)
        changed = process_settings.those_that_can(changed, lambda value: can_travel(program.home, value))
        of_cells = header.get("settings", {}).get("environment", {})
        if environ != raw_environment():
            decoded = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
            if variables := process_settings.environment_changes(decoded, of_cells):
                changed["environment"] = variables
        if path != sys.path and (entries := process_settings.path_changes(path)):
            changed["path"] = entries
        program.own.note_builtins(scope, program.builtins)
        if options.get("notes_outside"):
            environment.outputs.add_files([{"outside": sorted(reached.noted)}])
        environment.outputs.add_files(watched.entries(options.get("fetch", ())))
        # Those of a module that the cell itself has loaded were not taken before: nothing was set.
        found = {**dict.fromkeys(now, _NOTHING_SET), **own}
        process_settings.give({name: state for name, state in found.items() if name not in _STREAMS}, now)
    with program.current():
        answer = write_answer(
            program.home,
            tracker,
            captured=program.captured,
            ignored=OWN_NAMES - {"__annotations__"} if namespace.get("__annotations__") else OWN_NAMES,
            wanted=options.get("out"),
            value=value,
            error=error,
            serializer=options.get("serializer", "auto"),
            mutations=options.get("mutations", True),
            settings=changed,
            own=program.own,
        )
    if any(lost.what == "the shown value" for lost in answer.lost):
        environment.outputs.display(*mime_bundle(value))
    return answer
