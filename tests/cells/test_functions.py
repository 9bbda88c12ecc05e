"""Functions of the notebook, captured with what they read, give the kernel's answers."""

from __future__ import annotations

import pytest

CASES = {
    "lambda": (
        "double = lambda x: 2 * x",
        "double(21)",
        "42",
    ),
    "lambda in a dictionary": (
        "ops = {'inc': lambda x: x + 1}",
        "ops['inc'](1)",
        "2",
    ),
    "closure": (
        """
        def adder(n):
            def add(x):
                return x + n
            return add
        add5 = adder(5)
        """,
        "add5(1)",
        "6",
    ),
    "two closures over one cell": (
        """
        def counter():
            n = 0
            def inc():
                nonlocal n
                n += 1
                return n
            def get():
                return n
            return inc, get
        inc, get = counter()
        """,
        "inc(); inc(); get()",
        "2",
    ),
    "decorator of the notebook": (
        """
        import functools
        def twice(fn):
            @functools.wraps(fn)
            def wrapper(*args):
                return fn(fn(*args))
            return wrapper
        @twice
        def inc(x):
            return x + 1
        """,
        "inc(1), inc.__name__, inc.__wrapped__(1)",
        "(3, 'inc', 2)",
    ),
    "decorator with arguments": (
        """
        def scaled(by):
            def decorate(fn):
                return lambda x: by * fn(x)
            return decorate
        @scaled(10)
        def one(x):
            return x + 1
        """,
        "one(1)",
        "20",
    ),
    "lru_cache": (
        """
        import functools
        @functools.lru_cache(maxsize=None)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)
        """,
        "fib(30)",
        "832040",
    ),
    "singledispatch": (
        """
        import functools
        @functools.singledispatch
        def kind(x):
            return 'any'
        @kind.register
        def _(x: int):
            return 'int'
        """,
        "kind(1), kind('a')",
        "('int', 'any')",
    ),
    "partial": (
        """
        import functools
        def f(a, b):
            return a - b
        g = functools.partial(f, 10)
        """,
        "g(3)",
        "7",
    ),
    "generator function": (
        """
        def up(n):
            for i in range(n):
                yield i * i
        """,
        "list(up(4))",
        "[0, 1, 4, 9]",
    ),
    "yield from": (
        """
        def a():
            yield 1
        def b():
            yield from a()
            yield 2
        """,
        "list(b())",
        "[1, 2]",
    ),
    "coroutine function": (
        """
        async def f(x):
            return x + 1
        """,
        "await f(1)",
        "2",
    ),
    "async generator": (
        """
        async def up(n):
            for i in range(n):
                yield i
        """,
        "[i async for i in up(3)]",
        "[0, 1, 2]",
    ),
    "recursion": (
        """
        def fact(n):
            return 1 if n == 0 else n * fact(n - 1)
        """,
        "fact(10)",
        "3628800",
    ),
    "mutual recursion": (
        """
        def even(n):
            return True if n == 0 else odd(n - 1)
        def odd(n):
            return False if n == 0 else even(n - 1)
        """,
        "even(10), odd(10)",
        "(True, False)",
    ),
    "recursive lambda": (
        "f = lambda n: 1 if n == 0 else n * f(n - 1)",
        "f(5)",
        "120",
    ),
    "globals through functions": (
        """
        base = 10
        def f(x):
            return g(x)
        def g(x):
            return x + base
        """,
        "f(1)",
        "11",
    ),
    "defaults": (
        """
        def f(a, b=2, *, c=[3]):
            return a, b, c
        """,
        "f(1), f.__defaults__",
        "((1, 2, [3]), (2,))",
    ),
    "mutable default": (
        """
        def f(x, seen=[]):
            seen.append(x)
            return seen
        """,
        "f(1); f(2)",
        "[1, 2]",
    ),
    "star arguments": (
        """
        def f(*a, k=1, **kw):
            return a, k, kw
        """,
        "f(1, 2, k=3, z=4)",
        "((1, 2), 3, {'z': 4})",
    ),
    "positional only": (
        """
        def f(a, /, b):
            return a, b
        """,
        "f(1, b=2)",
        "(1, 2)",
    ),
    "annotations": (
        """
        Number = int
        def f(x: Number, y: 'str' = '') -> list[int]:
            return [x]
        """,
        "f(1), f.__annotations__['x'].__name__, f.__annotations__['return']",
        "([1], 'int', list[int])",
    ),
    "docstring": (
        """
        def f():
            'Says it.'
        """,
        "f.__doc__, f.__module__",
        "('Says it.', '__main__')",
    ),
    "attributes of a function": (
        """
        def f():
            return f.calls
        f.calls = 3
        """,
        "f()",
        "3",
    ),
    "bound method": (
        """
        class A:
            def m(self):
                return self.x
        a = A(); a.x = 5
        m = a.m
        """,
        "m()",
        "5",
    ),
    "function in a default": (
        """
        def g():
            return 7
        def f(g=g):
            return g()
        """,
        "f()",
        "7",
    ),
    "unbound inner name": (
        """
        def outer():
            def f():
                return late
            late = 3
            return f
        f = outer()
        """,
        "f()",
        "3",
    ),
    "functions inside data": (
        """
        factor = 3
        def f(x):
            return factor * x
        steps = [('triple', {'fn': f})]
        """,
        "steps[0][1]['fn'](2)",
        "6",
    ),
    "nested functions and comprehensions": (
        """
        k = 2
        def f(xs):
            return [(lambda y: y * k)(x) for x in xs]
        """,
        "f([1, 2])",
        "[2, 4]",
    ),
    "numpy ufunc and function": (
        """
        import numpy as np
        def norm(v):
            return float(np.sqrt((v ** 2).sum()))
        v = np.array([3.0, 4.0])
        """,
        "norm(v)",
        "5.0",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_function_gives_the_kernels_answer(notebook, name):
    """The value and the output of the cell are those of the same cell in the kernel."""
    setup, body, expected = CASES[name]
    assert notebook.agrees(setup, body).text == expected


def test_functions_share_one_global_namespace(notebook):
    """What one function or the cell writes to a global, every other function reads."""
    notebook.ok("""
        counter = 0
        def bump():
            global counter
            counter += 1
        def read():
            return counter
    """)
    ran = notebook.remote("bump()\ncounter += 10\nbump()\nread(), counter")
    assert ran.value == (12, 12)
    assert notebook.names["counter"] == 12
    assert notebook.ok("bump(); read()").value == 13


def test_a_function_defined_in_the_cell_sees_the_cells_names(notebook):
    """Its globals are the cell's, also those bound after it."""
    ran = notebook.remote("def f():\n    return later + 1\nlater = 1\nf()")
    assert ran.value == 2


def test_setattr_on_globals_through_main(notebook):
    """`__main__` is the cell's own module, and `globals()` its namespace."""
    notebook.ok("x = 1")
    ran = notebook.remote("import __main__\n__main__.y = x + 1\nglobals()['z'] = y + 1\n(y, z, __name__)")
    assert ran.value == (2, 3, "__main__")
    assert (notebook.names["y"], notebook.names["z"]) == (2, 3)
