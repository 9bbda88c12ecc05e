"""Runs calls behind initializers with the standard library's pools or ours, and prints each outcome as JSON."""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

STATUS = ["not initialized"]
COUNT = 0


def initialize(*status):
    """Note what was given."""
    global COUNT
    COUNT += 1
    STATUS[:] = status


def fail(text):
    """Raise."""
    raise ValueError(text)


def status(_=None):
    """Return what the initializer has noted, and how often it has run here."""
    return [*STATUS, COUNT]


def also(_):
    """Return the same by another function."""
    return status()


def cases(make_executor, make_pool):
    """Yield a name and a result for each behavior."""
    for name, executor in {
        "by keyword": make_executor(1, initializer=initialize, initargs=("a", 1)),
        "by place": make_executor(1, None, initialize, ("b",)),
    }.items():
        with executor:
            yield f"submit {name}", executor.submit(status).result()
            yield f"map {name}", list(executor.map(also, range(3)))
            yield f"submit again {name}", executor.submit(also, 1).result()
    for name, pool in {
        "by keyword": make_pool(1, initializer=initialize, initargs=("a",)),
        "by place": make_pool(1, initialize, ("b",)),
    }.items():
        with pool:
            yield f"apply {name}", pool.apply(status)
            yield f"pool.map {name}", pool.map(also, range(3))
            yield f"starmap {name}", pool.starmap(also, [(1,)])
            yield f"imap {name}", list(pool.imap(also, range(3)))
    with make_pool(1, initialize, ("c",), 1) as pool:
        yield "maxtasksperchild", [pool.apply(status), pool.apply(status)]
    with make_executor(1, initializer=fail, initargs=("x",)) as executor:
        # One: the executor may be broken already when a second is submitted.
        yield "an initializer that raises", isinstance(executor.submit(status).exception(), BrokenExecutor)
        try:
            executor.submit(status)
            yield "submit to a broken executor", "taken"
        except BrokenExecutor:
            yield "submit to a broken executor", "refused"
    for wrong in (1, "text"):
        try:
            make_executor(1, initializer=wrong)
        except TypeError as error:
            yield f"initializer={wrong!r}", str(error)
    for wrong in (0, -1, 1.5):
        try:
            make_pool(1, maxtasksperchild=wrong)
        except ValueError as error:
            yield f"maxtasksperchild={wrong!r}", str(error)


def main():
    """Print the results."""
    if sys.argv[1] == "control":
        context = multiprocessing.get_context("fork")
        found = dict(cases(lambda *args, **kwargs: _forked(context, *args, **kwargs), context.Pool))
    else:
        from lambdamagic import LambdaExecutor, LambdaPool

        found = dict(cases(LambdaExecutor, LambdaPool))
    print(json.dumps(found))


def _forked(context, count, _=None, initializer=None, initargs=()):
    return ProcessPoolExecutor(count, context, initializer, initargs)


if __name__ == "__main__":
    main()
