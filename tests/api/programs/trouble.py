"""Runs calls that go wrong with the standard library's pools or ours, and prints each outcome as JSON."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import sys
from concurrent.futures import CancelledError, ProcessPoolExecutor


class AtPickle:
    """Raises while it is pickled."""

    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        """Raise."""
        raise self.error


def throw(kind, *args):
    """Raise where something is unpickled."""
    raise kind(*args)


class AtUnpickle:
    """Raises while it is unpickled."""

    def __init__(self, kind, *args):
        self.arguments = kind, *args

    def __reduce__(self):
        """Be a call that raises."""
        return throw, self.arguments


def same(value):
    """Return the argument."""
    return value


def frame():
    """Return what no pickler can carry."""
    return sys._getframe()


def make(cls, *args):
    """Return a new object."""
    return cls(*args)


def some(number):
    """Return results of which some cannot come back."""
    return [number, AtPickle(ValueError("x")), sys._getframe(), number, AtUnpickle(KeyError, 1), number][number % 6]


def outcome_of(get):
    """Return a result, or the type of what was raised."""
    try:
        return repr(get())
    except BaseException as error:
        kinds = (pickle.PicklingError, TypeError, AttributeError)
        return "cannot be pickled" if isinstance(error, kinds) else type(error).__name__


def each(iterator):
    """Return what an iterator gives, exceptions included, to its end."""
    found = []
    while True:
        try:
            found.append(repr(next(iterator)))
        except StopIteration:
            return found
        except BaseException as error:
            found.append(type(error).__name__)


def raising(count, when):
    """Yield numbers, and raise."""
    if when < 0:
        raise ZeroDivisionError
    for number in range(count):
        if number == when:
            raise ZeroDivisionError
        yield number


def safe_cases(executor, pool):
    """Yield what the standard library survives too."""
    for error in (ValueError("x"), pickle.PicklingError("x")):
        yield f"argument, {error!r}", outcome_of(executor.submit(same, AtPickle(error)).result)
    yield "argument, frame", outcome_of(executor.submit(same, sys._getframe()).result)
    for error in (ValueError("x"), pickle.PicklingError("x"), SystemExit(3)):
        yield f"result, {error!r}", outcome_of(executor.submit(make, AtPickle, error).result)
    yield "result, frame", outcome_of(executor.submit(make, frame).result)
    yield "task that exits", outcome_of(executor.submit(sys.exit, 3).result)
    yield "task that raises CancelledError", outcome_of(executor.submit(throw, CancelledError).result)
    yield "map of such", each(executor.map(throw, [CancelledError]))
    yield "pool.map of such", outcome_of(lambda: pool.map(throw, [CancelledError]))
    yield "map", each(executor.map(same, [1, AtPickle(ValueError("x")), 3]))
    for name in ("imap", "imap_unordered"):
        run = getattr(pool, name)
        chunked = [(20, 7, 2), (20, 7, 4)] if name == "imap" else []  # the others' order depends on chance
        for count, when, chunksize in [(1, -1, 1), (10, 3, 1), (8, 8, 3), *chunked]:
            found = each(run(same, raising(count, when), chunksize))
            yield f"{name} over an iterable that raises at {when} of {count} by {chunksize}", sorted(found)
    for name in ("map", "starmap"):
        yield (
            f"{name} over an iterable that raises",
            outcome_of(lambda name=name: getattr(pool, name)(same, raising(9, 5))),
        )
        yield (
            f"{name}_async likewise",
            outcome_of(lambda name=name: getattr(pool, f"{name}_async")(same, raising(9, 5)).get()),
        )
    yield "executor.map likewise", outcome_of(lambda: executor.map(same, raising(9, 5)))
    yield "all goes on", [executor.submit(same, 1).result(), pool.map(same, [1, 2])]


def hard_cases(executor, pool):
    """Yield what breaks the standard library's pools, or leaves them waiting for ever."""
    for kind in (ValueError, SystemExit, GeneratorExit):
        others = [executor.submit(same, number) for number in range(3)]
        yield f"argument is not made, {kind.__name__}", outcome_of(executor.submit(same, AtUnpickle(kind)).result)
        yield f"result is not made, {kind.__name__}", outcome_of(executor.submit(make, AtUnpickle, kind).result)
        yield f"others beside {kind.__name__}", [other.result() for other in others]

    def exits(future):
        raise SystemExit(4)

    future = executor.submit(same, 1)
    future.add_done_callback(exits)
    yield "callback that exits", [future.result(), executor.submit(same, 2).result()]
    called = []
    result = pool.apply_async(same, (1,), callback=exits)
    pool.map_async(same, [1], callback=exits).wait()
    pool.apply_async(same, (1,), callback=called.append).wait()
    yield "callback of a pool that exits", [result.get(), called]
    items = [1, sys._getframe(), 3, AtPickle(KeyError(1)), AtUnpickle(IndexError), 6, AtUnpickle(SystemExit), 8]
    yield "imap, one chunk", each(pool.imap(same, items, 8))
    yield "imap, results", each(pool.imap(some, range(12), 6))
    yield "imap, same object twice", each(pool.imap(make_twice, [1, 2, 3], 3))
    yield "map goes on behind", executor.submit(same, 5).result()


KEPT = []


def make_twice(number):
    """Return an object that cannot be made again, twice from one environment."""
    if not KEPT:
        KEPT.append(AtUnpickle(IndexError, 7))
    return number if number == 2 else KEPT[0]


def main():
    """Print the results."""
    which, kind = sys.argv[1:]
    cases = safe_cases if which == "safe" else hard_cases
    if kind == "control":
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context) as executor, context.Pool(2) as pool:
            found = dict(cases(executor, pool))
    else:
        from lambdamagic import LambdaExecutor, LambdaPool

        with LambdaExecutor(2) as executor, LambdaPool(2) as pool:
            found = dict(cases(executor, pool))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
