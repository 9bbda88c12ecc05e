"""Uses functions and methods that are decorated with `@remote`, and prints its outcome as JSON."""

from __future__ import annotations

import json
import multiprocessing
import pickle

from lambdamagic import LambdaExecutor, remote


@remote
def double(number):
    """Run on Lambda."""
    return number * 2


class Scale:
    """Has a method that runs on Lambda."""

    def __init__(self, by):
        self.by = by

    @remote
    def times(self, number):
        """Run on Lambda."""
        return number * self.by


def uses(number):
    """Call one from another."""
    return double(number) + Scale(3).times(number)


def main():
    """Print the results."""
    scale = Scale(5)
    found = {
        "pickled": pickle.loads(pickle.dumps(double)) is double,
        "method pickled": pickle.loads(pickle.dumps(scale.times)).local(2),
        "calls": [double(1), scale.times(2), scale.times.local(3)],
        "submit": [double.submit(1).result(), scale.times.submit(2).result()],
        "map": [list(double.map([1, 2])), list(scale.times.map([1, 2]))],
    }
    with LambdaExecutor(1) as executor:
        found["passed"] = [executor.submit(uses, 1).result(), *executor.map(scale.times, [1, 2])]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found["a pool of processes"] = pool.map(double, [1, 2])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
