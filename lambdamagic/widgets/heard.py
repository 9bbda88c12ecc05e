"""Receive a page's messages while a cell runs."""

from __future__ import annotations

from typing import Any


def hear_in_subshells(comm: Any) -> None:
    """Let a page's messages to this comm be taken by the subshell that they are addressed to, from now on.

    From 7.4 on ipykernel routes what a page says to where the comm was last used: to the main shell, if a cell's own
    thread sends its progress, which then hears nothing before the cell has ended. That is meant for code that awaits a
    page's answer; here no router does, and a button must take effect at once. Kernels that do not route ignore this.

    Args:
        comm: The comm, before a page can answer to it.
    """
    # On the comm itself and for good: the kernel's note of where it was last used, put right after each sending,
    # would be wrong for as long as the sending takes, and a click is lost in such a moment.
    comm._reply_subshell_for = lambda data, addressed_to: addressed_to
