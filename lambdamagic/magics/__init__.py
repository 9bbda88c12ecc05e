"""The IPython extension.

Decisions
---------

A waiting cell is an AST transformer's work
    That can stop a cell before its first line; hooks cannot. A cell that cannot run is exchanged for one that raises
    the job's error (`refusal.py`), since `InputRejected` would hide the error's type.

A background job's thread only gathers
    The namespace belongs to the main thread, which reads answers between cells (`background.py`), in the order of the
    jobs. Large results that only bind names stay in the bucket until a cell reads them.

A cell behind another sends its bytes again, not its code
    The function reads the first cell's program and answer, applies the answer as the notebook would, and reads the
    second program, whose encoder began with the first's memo (`queueing.py`). What both hold is written once, and
    identity holds across all three. The links of the first answer are given when its signature was checked.

Output so far comes from the log
    A synchronous invocation has no other way out before its answer, and a link for another object would cost each
    invocation requests to S3 (`api/live_output.py`).

A retry is a background job that replaces the old job
    Messages of a page come in any thread, so `Background.soon` has the main thread do it while no cell runs. Tasks that
    do not run again count as known, so the picture stays that of the whole map.

A job that waits before it begins has its own event
    Views, the panel and `%lambda jobs` learn about it from `JobQueued`, and receive its end although no engine
    ever had it.

Runners are recognized by their requests
    nbclient and papermill do not allow input. They take an update only while they run the cell that it belongs to, so
    the end of a background job is shown again at the next boundary. Jobs that run when the notebook ends are stopped.

The first cell deploys before there is a job
    It does so in the cell's own thread, which alone can ask (`first_use.py`). An existing deployment is only added
    to, since others may use it. Programs never deploy: they cannot ask.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.magics.magics import LambdaMagics

_NAMES = ("lambda", "lambda_map", "lambda_setup")
_ATTRIBUTE = "_lambdamagic"


def load(shell: InteractiveShell) -> None:
    """Register the magics in a shell; a second time replaces the first."""
    from lambdamagic.codec import process_settings
    from lambdamagic.magics.front import show_figures, show_kernel_problem
    from lambdamagic.magics.magics import LambdaMagics

    process_settings.note_first_filters()
    unload(shell)
    magics = LambdaMagics(shell)
    shell.register_magics(magics)
    shell.ast_transformers.append(magics.waiting)
    shell.Completer.custom_matchers.append(magics.matcher)
    shell.events.register("pre_run_cell", magics.background.cell_begins)
    shell.events.register("post_run_cell", magics.background.cell_ended)
    setattr(shell, _ATTRIBUTE, magics)
    show_figures(shell)
    show_kernel_problem(shell)
    magics.lab.open()
    atexit.register(magics.close)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away and stop what they started."""
    magics: LambdaMagics | None = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    from lambdamagic.magics.front import forget_figures

    delattr(shell, _ATTRIBUTE)
    forget_figures(shell)
    if magics.waiting in shell.ast_transformers:
        shell.ast_transformers.remove(magics.waiting)
    if magics.matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(magics.matcher)
    shell.events.unregister("pre_run_cell", magics.background.cell_begins)
    shell.events.unregister("post_run_cell", magics.background.cell_ended)
    atexit.unregister(magics.close)
    registered: dict[str, Any] = shell.magics_manager.magics
    for kind in ("line", "cell"):
        for name in _NAMES:
            registered[kind].pop(name, None)
    shell.magics_manager.registry.pop("LambdaMagics", None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    magics.close()
