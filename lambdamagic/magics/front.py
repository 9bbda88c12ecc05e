"""The front end of a shell: its displays and prompts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lambdamagic.widgets import kernels
from lambdamagic.widgets.showing import front_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_BUSY_EVERY_S = 0.5
_FIGURE = ("matplotlib.figure", "Figure")
_WITHOUT_WINDOWS = (
    *("agg", "inline", "module://matplotlib_inline.backend_inline"),
    "module://lambdamagic.worker.inline_figures",  # the function's own, in a process that has imported it
)


class BusySign:
    """Repeats the busy status: pages that see a subshell become idle consider the kernel idle.

    Args:
        shell: Whose cell waits.
        monotonic: The clock that says when it is time again.
    """

    def __init__(self, shell: InteractiveShell, monotonic: Callable[[], float] = time.monotonic) -> None:
        kernel = getattr(shell, "kernel", None)
        self._kernel: Any = kernel if getattr(kernel, "iopub_socket", None) is not None else None
        self._monotonic, self._said_at = monotonic, 0.0

    def tick(self) -> None:
        """Send the busy status if it is time to; called often by the cell's thread."""
        kernel = self._kernel
        if kernel is None or self._monotonic() - self._said_at < _BUSY_EVERY_S:
            return
        self._said_at = self._monotonic()
        content, parent = {"execution_state": "busy"}, kernel.get_parent("shell")
        kernel.session.send(kernel.iopub_socket, "status", content, parent=parent, ident=b"status")


def show_figures(shell: InteractiveShell) -> None:
    """Let the notebook show figures as pictures before it has drawn one: pyplot arranges that with its first figure."""
    shell.display_formatter.formatters["image/png"].for_type_by_name(*_FIGURE, _png)


def forget_figures(shell: InteractiveShell) -> None:
    """Undo `show_figures`, unless something else shows figures since."""
    formatter = shell.display_formatter.formatters["image/png"]
    if ".".join(_FIGURE) in formatter and formatter.lookup_by_type(".".join(_FIGURE)) is _png:
        formatter.pop(".".join(_FIGURE))


def _png(figure: Any) -> Any:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and pyplot.get_backend().lower() not in _WITHOUT_WINDOWS:
        return None  # a backend that the user has chosen shows figures as it does
    from IPython.core.pylabtools import print_figure

    return print_figure(figure, fmt="png", base64=True)


def can_ask(shell: InteractiveShell) -> bool:
    """Whether a user seems to be present who can answer a question."""
    front = front_of(shell)
    return front == "notebook" or (front == "terminal" and sys.stdin.isatty())


def ask(shell: InteractiveShell, question: str, explanation: str = "") -> bool | None:
    """Ask the user; None where no prompt is possible, as when a notebook is executed from a script.

    Args:
        shell: The shell.
        question: What is answered by yes or no.
        explanation: What is shown before it, if a user is present.
    """
    from IPython.core.error import StdinNotImplementedError

    if not can_ask(shell):
        return None
    if explanation:
        print(explanation, flush=True)  # noqa: T201  # belongs to the question, which is on stdout too
    try:
        answer = input(f"{question} [y/N] ")
    except (StdinNotImplementedError, EOFError):
        return None
    return answer.strip().lower() in ("y", "yes")


def replay(outputs: list[dict[str, Any]]) -> None:
    """Show in this cell what the remote code printed and displayed, in its order."""
    written: Any = None
    for entry in outputs:
        stream = {"stdout": sys.stdout, "stderr": sys.stderr}.get(entry.get("stream", ""))
        if written is not None and written is not stream:
            written.flush()  # not each text, which would be an output each in a notebook that papermill runs
        written = stream
        if stream is not None:
            stream.write(entry["text"])
        elif "display" in entry:
            from IPython.display import publish_display_data

            options = {"transient": entry["transient"]} if entry.get("transient") else {}
            is_update = {"update": True} if entry.get("update") else {}
            publish_display_data(entry["display"], entry.get("metadata") or {}, **options, **is_update)
    if written is not None:
        written.flush()


def replay_cell(shell: InteractiveShell, outputs: Sequence[dict[str, Any]]) -> None:
    """Show what a cell printed and displayed, and after its value or error the figures that it left open."""
    replay([entry for entry in outputs if not entry.get("after")])
    figures = [entry for entry in outputs if entry.get("after")]
    if figures:

        def show() -> None:
            shell.events.unregister("post_execute", show)
            replay(figures)

        shell.events.register("post_execute", show)


def show_note(message: str, *, quiet: bool = False) -> None:
    """Show the user a message next to the cell's own output."""
    if not quiet:
        sys.stderr.write(f"lambdamagic: {message}\n")


def show_kernel_problem(shell: InteractiveShell) -> None:
    """Show that the kernel which runs is known to be broken; pip cannot refuse it, since a notebook brings its own."""
    running = sys.modules.get("ipykernel") if getattr(shell, "kernel", None) is not None else None
    if problem := kernels.problem_of(getattr(running, "__version__", None)):
        show_note(f"{problem}\n  -> `{kernels.FIX}`, then restart the kernel")


def show_files(lines: Sequence[str], *, quiet: bool) -> None:
    """Report the files that came back; not as a warning."""
    if not quiet:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
