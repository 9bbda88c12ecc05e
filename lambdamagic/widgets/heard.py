"""Hearing a page while a cell runs."""

from __future__ import annotations

from typing import Any

#: ipykernel's note of the subshell that answers to a comm are routed to.
_ROUTE = "_reply_subshell_id"


def hear_in_subshells(comm: Any) -> None:
    """Let a page's messages to this comm be taken by the subshell that they are addressed to; after each sending.

    From 7.4 on ipykernel routes what a page says to where the comm was last used: to the main shell, if a cell's own
    thread sends its progress, which then hears nothing before the cell has ended. That is meant for code that awaits a
    page's answer; here nobody does, and a button must be heard at once. Kernels without that note are left alone.

    Args:
        comm: The comm.
    """
    vars(comm).pop(_ROUTE, None)
