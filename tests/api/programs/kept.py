"""Counts which objects are still alive after calls and maps, here and where tasks run, and prints them as JSON."""

from __future__ import annotations

import gc
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from counted import ALIVE, Counted, Unsendable


def same(value):
    """Return the argument."""
    return value


def make(_):
    """Return a new object."""
    return Counted()


def fail(value):
    """Raise with the argument in hand."""
    value.fail()


def alive_there(_=None):
    """Count where tasks run."""
    gc.collect()
    return len(ALIVE)


def alive():
    """Count here, once threads have had a moment to release what they hold."""
    for _ in range(15):
        gc.collect()
        if not ALIVE:
            break
        time.sleep(0.02)
    return len(ALIVE)


def cases(executor, pool):
    """Yield a name and what is alive after each."""
    future = executor.submit(same, Counted())
    future.result()
    del future
    yield "submit", alive()
    future = executor.submit(same, Counted())
    future.result()
    yield "submit, the future is held: its result", alive()
    del future
    futures = [executor.submit(make, number) for number in range(3)]
    for done in as_completed(futures):
        futures.remove(done)
        done.result()
    del done
    yield "as_completed", alive()
    most = 0
    for item in executor.map(make, range(5), chunksize=1):
        del item
        most = max(most, alive())
    yield "map, each result as soon as it was taken", most > 4
    list(executor.map(same, [Counted() for _ in range(5)]))
    yield "map", alive()
    results = executor.map(same, [Counted(), Counted()])
    next(results)
    results.close()
    del results
    yield "map that is left", alive()
    for kind in (fail, same):
        kept = []
        items = [Counted() if kind is fail else Unsendable() for _ in range(3)]
        for call in [executor.submit(kind, items[0]), pool.apply_async(kind, (items[1],))]:
            try:
                call.get() if hasattr(call, "get") else call.result()
            except ValueError as error:
                kept.append(error.with_traceback(None))
        del items, call
        yield f"errors of {'tasks' if kind is fail else 'arguments'} are held", alive()
        kept.clear()
    for method in ("map", "imap", "imap_unordered"):
        list(getattr(pool, method)(same, [Counted() for _ in range(10)]))
        yield f"pool.{method}", alive()
    pool.starmap(same, [(Counted(),) for _ in range(10)])
    yield "pool.starmap", alive()
    pool.apply(same, (Counted(),))
    yield "pool.apply", alive()
    yield "where tasks run", [executor.submit(alive_there).result(), pool.apply(alive_there)]
    bulk = bytes(3_000_000)
    done = [executor.submit(same, Unsendable(bulk)) for _ in range(100)]
    [future.exception() for future in done]
    yield "a hundred arguments that could not be sent, held by their futures", alive()


def main():
    """Print the counts."""
    if sys.argv[1] == "control":
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, mp_context=context) as executor, context.Pool(1) as pool:
            found = dict(cases(executor, pool))
    else:
        from lambdamagic import LambdaExecutor, LambdaPool

        with LambdaExecutor(1) as executor, LambdaPool(1) as pool:
            found = dict(cases(executor, pool))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
