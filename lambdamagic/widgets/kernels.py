"""Kernels in which the views do not work."""

from __future__ import annotations

#: What to do about a broken kernel.
FIX = "pip install -U ipykernel"
_BROKEN = "7.0.0"


def problem_of(ipykernel: str | None) -> str:
    """Return what is wrong with a version of ipykernel; an empty string for others, or for none."""
    return f"ipykernel {_BROKEN} loses the output of background threads" if ipykernel == _BROKEN else ""
