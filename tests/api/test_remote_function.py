"""`@lambdamagic.remote`, public names, and the types that checkers see."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import lambdamagic
from lambdamagic.errors import ConfigError


@pytest.fixture
def square(define):
    """A function on Lambda."""
    return lambdamagic.remote(memory_mb=512)(define("def square(x):\n    'Squares.'\n    return x * x"))


def test_calls(square):
    """A call runs on Lambda and waits; submit, map and aio are what they are for an executor."""
    assert square(3) == 9
    assert square.local(3) == 9
    assert square.submit(4).result() == 16
    assert list(square.map([1, 2, 3])) == [1, 4, 9]
    assert asyncio.run(square.aio(5)) == 25
    assert (square.__name__, square.__doc__) == ("square", "Squares.")


def test_recursion_stays_in_its_invocation(define):
    """Inside Lambda it is the plain function."""
    define("import lambdamagic\n@lambdamagic.remote\ndef fact(n):\n    return 1 if n < 2 else n * fact(n - 1)")
    fact = sys.modules["__main__"].__dict__["fact"]
    assert type(fact) is lambdamagic.RemoteFunction
    assert fact(10) == 3628800


def test_failures(square):
    """A call, a future, a map and an awaited call each raise what the function raised."""
    with pytest.raises(TypeError):
        square("x")
    assert type(square.submit("x").exception()) is TypeError
    with pytest.raises(TypeError):
        list(square.map([1, "x"], chunksize=1))
    with pytest.raises(TypeError):
        asyncio.run(square.aio("x"))


def test_many_at_once_in_a_coroutine(square):
    """gather runs them side by side."""

    async def main():
        return await asyncio.gather(*(square.aio(number) for number in range(5)))

    assert asyncio.run(main()) == [0, 1, 4, 9, 16]


def test_methods(define):
    """A decorated method is called with its instance."""
    kind = define(
        "import lambdamagic\nclass Adder:\n    def __init__(self, base):\n        self.base = base\n"
        "    @lambdamagic.remote\n    def add(self, x):\n        return self.base + x\n"
    )
    kind = sys.modules["__main__"].__dict__["Adder"]
    assert kind(10).add(5) == 15


def test_wrong_options(define):
    """They are reported at the first call, by name."""
    add = lambdamagic.remote(memory=512)(define("def add(x):\n    return x + 1"))
    with pytest.raises(ConfigError, match="memory"):
        add(1)


def test_importing_the_worker_leaves_the_decorator_alone():
    """`lambdamagic.remote` is the decorator, whatever else was imported."""
    import lambdamagic.api.remote_function
    import lambdamagic.worker.handler

    assert lambdamagic.remote is lambdamagic.api.remote_function.remote
    assert lambdamagic.worker.handler.__name__ == "lambdamagic.worker.handler"


def test_importing_is_light():
    """No public name is loaded before it is asked for."""
    heavy = ("boto3", "IPython", "ipywidgets", "numpy", "joblib", "lambdamagic.api.executor")
    program = f"import lambdamagic, sys; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
    assert set(lambdamagic.__all__) <= set(dir(lambdamagic))
    with pytest.raises(AttributeError):
        _ = lambdamagic.no_such_name


def test_pickle_and_methods(results):
    """A decorated function is found by its name, as `multiprocessing.Pool.map` needs; methods have all that it has."""
    assert results("remote_methods.py", cwd=Path(__file__).parent / "programs") == {
        "pickled": True,
        "method pickled": 10,
        "calls": [2, 10, 15],
        "submit": [2, 10],
        "map": [[2, 4], [5, 10]],
        "passed": [5, 5, 10],
        "a pool of processes": [2, 4],
    }
