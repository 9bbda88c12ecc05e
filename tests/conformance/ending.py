"""A program that submits and maps while the interpreter ends; prints its outcome as JSON."""

from __future__ import annotations

import atexit
import json
import multiprocessing
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

found: dict[str, str] = {}


def tried(name, act):
    """Note what an act raises, or gives."""
    try:
        found[name] = repr(act())
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}"


def behind_main():
    """Use the executor in a thread that outlives the main one: the interpreter waits for it."""
    threading.main_thread().join()
    tried("a thread behind the main one", lambda: executor.submit(abs, -2))


def at_exit():
    """Use it in a function of atexit, and print."""
    tried("submit at exit", lambda: executor.submit(abs, -3))
    tried("map at exit", lambda: list(executor.map(abs, [-3])))
    tried("a result from before", future.result)
    print(json.dumps(found, sort_keys=True), flush=True)


if __name__ == "__main__":
    atexit.register(at_exit)
    if sys.argv[1] == "control":
        executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    else:
        from lambdamagic import LambdaExecutor

        executor = LambdaExecutor(1)
    future = executor.submit(abs, -1)
    future.result()
    future = executor.submit(sum, range(1000))
    threading.Thread(target=behind_main).start()
