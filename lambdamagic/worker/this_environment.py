"""What a job finds in its execution environment for its own time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from lambdamagic.codec.picklers import serializer_versions


def importable_serializers(wanted: dict[str, str]) -> dict[str, str]:
    """Import the pickling libraries that the payload needs, and no others."""
    import importlib

    for name in wanted:
        if name in ("dill", "cloudpickle"):
            try:
                importlib.import_module(name)
            except ImportError:
                continue  # the version check says what is missing
    return serializer_versions()


def raw_environment() -> dict[bytes, bytes]:
    """Return the process's variables as they are kept; decoding them takes longer than a trivial task."""
    kept: dict[bytes, bytes] = os.environb._data  # type: ignore[attr-defined]  # in all Pythons so far
    return kept


@contextlib.contextmanager
def variables_set(given: Mapping[str, str]) -> Iterator[None]:
    """Have environment variables set for the time of a run; no later job in this environment finds them."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
