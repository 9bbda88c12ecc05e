"""Runs the same calls with the standard library's pools or ours, and prints each outcome as JSON."""

from __future__ import annotations

import functools
import json
import multiprocessing
import sys
import threading
import types
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

try:
    from . import helper_of_ours  # started by `python -m`
except ImportError:
    import helper_of_ours

OFFSET = 1
NOT_SENT = threading.Lock()  # nothing reads it


def shifted(number):
    """Read a global of the program."""
    return number + OFFSET


class Shift:
    """A class of the program whose method reads its globals."""

    def __init__(self, by):
        self.by = by

    def __call__(self, number):
        """Add."""
        return shifted(number) + self.by


def call_held(holder, number=1):
    """Call what an instance of a library's class holds."""
    while isinstance(holder, types.SimpleNamespace):
        holder = holder.held
    return holder(number)


def same(value):
    """Return the argument."""
    return value


def imported_late(number):
    """Import within the function."""
    from json import dumps

    return dumps(number)


def held(value, levels=1):
    """Put a value into instances of a library's class."""
    for _ in range(levels):
        value = types.SimpleNamespace(held=value)
    return value


def after(count, special):
    """Yield plain items, then one that holds code of the program."""
    for _ in range(count):
        yield held(abs)
    yield special


def cases(executor, pool):
    """Yield a name and a result for each behavior."""
    functions = {
        "function": shifted,
        "instance": Shift(2),
        "bound method": Shift(2).__call__,
        "partial": functools.partial(shifted),
        "own function": helper_of_ours.scaled,
        "own method": helper_of_ours.Scale(3).times,
        "late import": imported_late,
    }
    for name, function in functions.items():
        yield f"submit {name}", executor.submit(call_held, held(function)).result()
        yield f"submit keyword {name}", executor.submit(call_held, holder=held(function), number=2).result()
        yield f"apply {name}", pool.apply(call_held, (held(function),))
    yield "bound method of a library's class", executor.submit(held(shifted).__getattribute__, "held").result()(1)
    yield "nine levels", executor.submit(call_held, held(shifted, 9)).result()
    yield "a function is itself", executor.submit(same, shifted).result() is shifted
    yield "its class is itself", type(executor.submit(same, Shift(1)).result()) is Shift
    yield (
        "module of a function",
        executor.submit(getattr, shifted, "__module__").result() in ("__main__", "__mp_main__"),
    )


def long_cases(executor, pool):
    """Yield the same for items that come late."""
    functions = {"function": shifted, "own method": helper_of_ours.Scale(3).times}
    for name in functions:
        items = [*after(1400, held(functions[name])), held(Shift(3))]
        yield f"map {name}", list(executor.map(call_held, items, chunksize=100))[-2:]
        yield f"pool.map {name}", pool.map(call_held, items)[-2:]
        yield f"starmap {name}", pool.starmap(call_held, [(item, 2) for item in items])[-2:]
        yield f"imap {name}", list(pool.imap(call_held, items, 100))[-2:]
    last = list(executor.map(call_held, after(11_000, held(shifted, 9)), chunksize=1000))
    yield "11,001st of an iterator", [len(last), last[-1]]


def run(kind, chosen=cases):
    """Run cases with one kind of pools."""
    if kind == "control":
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context) as executor, context.Pool(2) as pool:
            return dict(chosen(executor, pool))
    from lambdamagic import LambdaExecutor, LambdaPool

    with LambdaExecutor(2) as executor, LambdaPool(2) as pool:
        return dict(chosen(executor, pool))


def run_in(method):
    """Run ours in a process that multiprocessing starts."""
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(run, ("ours",))


def main():
    """Print the results."""
    how, *rest = sys.argv[1:]
    for path in rest:  # what happens to the program's files while it runs
        Path(path).unlink()
    chosen = long_cases if how.startswith("long") else cases
    found = run_in(how) if how in ("spawn", "forkserver") else run(how.removeprefix("long-"), chosen)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
