"""The IPython extension."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.magics.magics import LambdaMagics

_NAMES = ("lambda", "lambda_map")
_ATTRIBUTE = "_lambdamagic"


def load(shell: InteractiveShell) -> None:
    """Register the magics in a shell; a second time replaces the first."""
    from lambdamagic.codec import settings
    from lambdamagic.magics.magics import LambdaMagics

    settings.note_first_filters()
    unload(shell)
    magics = LambdaMagics(shell)
    shell.register_magics(magics)
    shell.ast_transformers.append(magics.waiting)
    shell.Completer.custom_matchers.append(magics.matcher)
    shell.events.register("pre_run_cell", magics.background.cell_begins)
    shell.events.register("post_run_cell", magics.background.cell_ended)
    setattr(shell, _ATTRIBUTE, magics)
    magics.lab.open()
    atexit.register(magics.close)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away and stop what they started."""
    magics: LambdaMagics | None = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    delattr(shell, _ATTRIBUTE)
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
