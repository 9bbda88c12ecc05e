"""The end of tests whose process has run jobs through the APIs."""

from __future__ import annotations

import threading

from lambdamagic.api import process


def end_apis() -> None:
    """Close what the APIs have opened, and see that no part of them still runs."""
    process.close()
    for thread in threading.enumerate():
        if thread.name.startswith("lambdamagic-collector"):
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} still runs"
