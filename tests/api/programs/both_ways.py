"""Calls functions with values on Lambda and here, and prints both outcomes as JSON."""

from __future__ import annotations

import json
import operator

from lambdamagic import LambdaExecutor


def compared(cases):
    """Print the results of each case, a name, a function and its argument: on Lambda, and here."""
    names, functions, values = zip(*cases, strict=True)
    with LambdaExecutor(1) as executor:
        there = list(executor.map(operator.call, functions, values))
    here = map(operator.call, functions, values)
    print(json.dumps([dict(zip(names, found, strict=True)) for found in (there, here)]))
