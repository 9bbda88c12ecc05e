"""Every form of the language, in the cell's body, gives the kernel's answers."""

from __future__ import annotations

import pytest

CASES = {
    "list comprehension": (
        "xs = [1, 2]; k = 3",
        "[x * k for x in xs if x < k]",
        "[3, 6]",
    ),
    "nested comprehension": (
        "m = [[1, 2], [3]]",
        "[y for row in m for y in row]",
        "[1, 2, 3]",
    ),
    "dict and set comprehensions": (
        "xs = 'ab'",
        "{x: i for i, x in enumerate(xs)}, {x for x in xs} == {'a', 'b'}",
        "({'a': 0, 'b': 1}, True)",
    ),
    "generator expression": (
        "n = 3",
        "sum(i * n for i in range(n))",
        "9",
    ),
    "walrus": (
        "data = [1, 5, 9]",
        """
        if (big := max(data)) > 3:
            big += 1
        big
        """,
        "10",
    ),
    "walrus in a comprehension": (
        "xs = [1, 2, 3]",
        """
        found = [last := x for x in xs]
        last, found
        """,
        "(3, [1, 2, 3])",
    ),
    "match": (
        """
        class P:
            __match_args__ = ('x', 'y')
            def __init__(self, x, y): self.x, self.y = x, y
        p = P(1, 2)
        """,
        """
        match p:
            case P(0, _):
                r = 'zero'
            case P(x, y) if y > x:
                r = ('up', x, y)
        r
        """,
        "('up', 1, 2)",
    ),
    "match of mappings and sequences": (
        "d = {'k': [1, 2, 3]}",
        """
        match d:
            case {'k': [first, *rest], **others}:
                pass
        first, rest, others
        """,
        "(1, [2, 3], {})",
    ),
    "global": (
        "total = 1",
        """
        def add():
            global total, fresh
            total += 1
            fresh = 'f'
        add()
        total, fresh
        """,
        "(2, 'f')",
    ),
    "augmented assignment": (
        "x = 1; l = [1]",
        """
        x += 1; l += [2]
        x, l
        """,
        "(2, [1, 2])",
    ),
    "unpacking": (
        "pair = (1, [2, 3])",
        """
        a, (b, *c) = pair
        a, b, c
        """,
        "(1, 2, [3])",
    ),
    "delete then bind": (
        "x = 1",
        """
        del x
        x = 2
        x
        """,
        "2",
    ),
    "top-level await": (
        "import asyncio",
        """
        r = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))
        r
        """,
        "[1, 2]",
    ),
    "async for and async with": (
        """
        import contextlib
        @contextlib.asynccontextmanager
        async def ctx():
            yield 5
        async def up():
            yield 1
            yield 2
        """,
        """
        out = []
        async with ctx() as c:
            async for i in up():
                out.append(i + c)
        out
        """,
        "[6, 7]",
    ),
    "f-strings": (
        "name, width = 'ab', 5",
        "f'{name!r:>{width}}|{len(name):03d}|{width=}'",
        "\" 'ab'|002|width=5\"",
    ),
    "in-cell import": (
        "",
        """
        import math as m
        from collections import Counter
        m.floor(2.5), Counter('aab')['a']
        """,
        "(2, 2)",
    ),
    "import in the notebook": (
        "import json, os.path as p",
        "json.dumps({'a': p.basename('/x/y')})",
        '\'{"a": "y"}\'',
    ),
    "submodule by attribute": (
        """
        import os
        import xml.dom.minidom
        """,
        "xml.dom.minidom.parseString('<a/>').documentElement.tagName",
        "'a'",
    ),
    "try, except, else, finally": (
        "log = []",
        """
        try:
            1 / 0
        except ZeroDivisionError as e:
            log.append(str(e))
        else:
            log.append('else')
        finally:
            log.append('end')
        log
        """,
        "['division by zero', 'end']",
    ),
    "except star": (
        "",
        """
        got = []
        try:
            raise ExceptionGroup('g', [ValueError('v'), KeyError('k')])
        except* ValueError as g:
            got += [type(e).__name__ for e in g.exceptions]
        except* KeyError:
            got.append('key')
        got
        """,
        "['ValueError', 'key']",
    ),
    "for, while, else, break": (
        "",
        """
        for i in range(5):
            if i == 3:
                break
        else:
            i = -1
        while i:
            i -= 1
        else:
            i = 'done'
        i
        """,
        "'done'",
    ),
    "class statement in the cell": (
        "base = dict",
        """
        class C(base):
            y = 2
            z = [y for _ in 'ab'][0] if False else y
        C(a=1), C.z
        """,
        "({'a': 1}, 2)",
    ),
    "lambda with a default in a loop": (
        "",
        """
        fs = [lambda i=i: i for i in range(3)]
        [f() for f in fs]
        """,
        "[0, 1, 2]",
    ),
    "lambda over a late global": (
        "",
        """
        fs = [lambda: i for i in range(3)]
        [f() for f in fs]
        """,
        "[2, 2, 2]",
    ),
    "chained comparison and conditional": (
        "x = 5",
        "1 < x < 10, 'a' if x else 'b'",
        "(True, 'a')",
    ),
    "slices and starred subscripts": (
        "l = list(range(6))",
        "l[1:5:2], [*l[:2], *{'k': 1}]",
        "([1, 3], [0, 1, 'k'])",
    ),
    "with several managers": (
        "import io",
        """
        with io.StringIO('a') as a, io.StringIO('b') as b:
            r = a.read() + b.read()
        r
        """,
        "'ab'",
    ),
    "assert": (
        "x = 1",
        """
        assert x == 1, 'no'
        'passed'
        """,
        "'passed'",
    ),
    "annotated names": (
        "Kind = int",
        """
        x: Kind = 3
        y: 'anything'
        x, __annotations__['x']
        """,
        "(3, int)",
    ),
    "eval and exec": (
        "a = 2",
        """
        exec('b = a * 3')
        eval('a + b')
        """,
        "8",
    ),
    "locals and vars": (
        "a = 2",
        "a, vars()['a'], 'a' in globals(), 'a' in dir()",
        "(2, 2, True, True)",
    ),
    "non-ASCII names and texts": (
        "größe = 'Straße'",
        """
        ναι = größe.upper()
        ναι
        """,
        "'STRASSE'",
    ),
    "semicolons and comments": (
        "",
        """
        a = 1; b = 2  # three
        # nothing
        a + b  # shown
        """,
        "3",
    ),
    "multi-line strings": (
        "",
        's = """one\n  two\n"""\ns',
        "'one\\n  two\\n'",
    ),
    "line continuation": (
        "",
        "x = 1 + \\\n    2\nx",
        "3",
    ),
    "numbers": (
        "",
        "0xff, 1_000, 1e3, 2j, 10 ** 30",
        "(255, 1000, 1000.0, 2j, 1000000000000000000000000000000)",
    ),
    "star import": (
        "",
        """
        from math import *
        floor(pi)
        """,
        "3",
    ),
    "star import before": (
        "from string import *",
        "digits + hexdigits[-1]",
        "'0123456789F'",
    ),
    "future annotations": (
        "from __future__ import annotations",
        """
        def f(x: Unknown): return 1
        f.__annotations__
        """,
        "{'x': 'Unknown'}",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_form_of_the_language_gives_the_kernels_answer(notebook, name):
    """The value and the output of the cell are those of the same cell in the kernel."""
    setup, body, expected = CASES[name]
    try:
        assert notebook.agrees(setup or "pass", body).text == expected
    finally:
        notebook.shell.compile.reset_compiler_flags()


def test_a_star_import_that_cannot_be_resolved_fails_as_python_does(notebook):
    """Which names it binds is seen when it runs."""
    ran = notebook.fails("x = 1\nfrom no_such_module_here import *\nfoo()")
    assert type(ran.error).__name__ == "ModuleNotFoundError"
