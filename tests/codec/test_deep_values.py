"""Values that are nested deeper than C code can follow: written by a thread with a large stack."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import threading

import pytest

from lambdamagic.codec.picklers import dump_deep


def _nested(depth: int) -> list:
    found: list = []
    for _ in range(depth):
        found = [found]
    return found


def _unnest(value: list) -> None:
    while value:  # an end of such a list at once could be too deep for the collector's own stack
        value = value.pop()


class _Waiting(pickle._Pickler):
    """Writes when it is allowed to."""

    def __init__(self, go: threading.Event) -> None:
        super().__init__(io.BytesIO())
        self.began, self._go = threading.Event(), go

    def dump(self, value: object) -> None:
        self.began.set()
        assert self._go.wait(60)
        super().dump(value)


def test_two_at_the_same_moment_leave_the_limit_as_it_was():
    """The first to end does not take the other's limit away, and the other does not keep it."""
    limit, size = sys.getrecursionlimit(), threading.stack_size()
    first, second = _Waiting(threading.Event()), _Waiting(threading.Event())
    values, failed = [_nested(10), _nested(100_000)], []

    def write(pickler, value):
        try:
            dump_deep(pickler, value)
        except BaseException as error:
            failed.append(error)

    writers = []
    for pickler, value in zip((first, second), values, strict=True):
        writers.append(threading.Thread(target=write, args=(pickler, value)))
        writers[-1].start()
        assert pickler.began.wait(60)
    first._go.set()
    writers[0].join()
    second._go.set()
    writers[1].join()
    for value in values:
        _unnest(value)
    assert not failed
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, size)


def test_one_within_another():
    """An object that writes deep data itself when it is written."""
    limit, inner = sys.getrecursionlimit(), _nested(50_000)

    class Both:
        def __reduce__(self):
            dump_deep(pickle._Pickler(io.BytesIO()), inner)
            return str, ()

    dump_deep(pickle._Pickler(io.BytesIO()), Both())
    _unnest(inner)
    assert sys.getrecursionlimit() == limit


_ENDLESS = """\
import io, pickle, sys
from lambdamagic.codec import picklers

picklers._DEEP_STACKS_BYTES = picklers._DEEP_STACKS_BYTES[-1:]  # as many bytes for each call, and fewer calls

class Endless:
    def __reduce__(self):
        return self.missing

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self, name)

class Property(Endless):
    @property
    def missing(self):
        return self.missing

try:
    picklers.dump_deep(pickle._Pickler(io.BytesIO()), {kind}())
except RecursionError:
    print("raised", sys.getrecursionlimit())
"""


@pytest.mark.parametrize("kind", ["Endless", "Property"])
def test_attributes_that_ask_for_themselves_raise(kind):
    """It is their RecursionError, as in the kernel, and not the end of the process."""
    program = _ENDLESS.replace("{kind}", kind)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("raised 1000\n", 0), ended.stderr


def test_a_machine_without_room_for_a_large_stack():
    """A smaller one does, for data that are less deep."""
    resource = pytest.importorskip("resource")
    program = (
        "import io, pickle, resource, sys\nfrom lambdamagic.codec.picklers import dump_deep\n"
        "d = []\nfor _ in range(10_000): d = [d]\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (500 << 20, {resource.RLIM_INFINITY}))\n"
        "dump_deep(pickle._Pickler(io.BytesIO()), d)\nprint('written', sys.getrecursionlimit())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("written 1000\n", 0), ended.stderr
