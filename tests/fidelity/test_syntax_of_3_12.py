"""Syntax that came with Python 3.12: as the plain kernel runs it."""

from __future__ import annotations

import sys

import pytest

from tests.fidelity.constructs import agrees, constructs

pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(sys.version_info < (3, 12), reason="older Pythons cannot read it"),
]

NEW = constructs("""
= type parameters of functions and classes, and aliases
type Pair[T] = tuple[T, T]
type Nest = int | list[Nest]
class Box[T]:
    def __init__(self, v: T): self.v = v
    def map[U](self, f) -> 'Box[U]': return Box(f(self.v))
def first[T: (int, str)](xs: list[T]) -> T: return xs[0]
b = Box(1)
---
type Tree = int | list['Tree']
class Sub[K, *Ts, **P](Box[K]):
    def w(self, *a: *Ts) -> Pair[K]: return a
c = b.map(lambda v: v + 1)
s = Sub(5)
c.v, first(['a']), Pair.__type_params__, Sub.__type_params__, Tree.__name__, s.w(1, 2), Nest.__value__
---
nested, of_sub = Nest.__value__.__args__, Sub.__orig_bases__[0].__origin__
c.v, type(c) is Box, Box.__type_params__[0].__name__, of_sub is Box, Tree.__value__, nested[1].__args__[0] is Nest
= quotes within f-strings
d = {'a': [1, 2]}
---
f"{d["a"]} {f"{f"{1 + 1}"}"} {'-'.join(map(str, d['a']))}"
---
1
= comprehensions within classes and functions
xs = [1, 2]
---
def f(n): return [n * x for x in xs], {k: n for k in xs}, [y for y in [x for x in xs]]
r = [locals().get('x') for x in xs]
class C: z = 2; w = [each for each in range(2)]
f(3), r, C.w
---
f(1)
= a generic dataclass with slots
from dataclasses import dataclass, replace
@dataclass(slots=True)
class P[T]:
    x: T
    y: list[T]
p = P(1, [2])
---
p.y.append(3); q = replace(p, x=9); q.y is p.y, q, P[int](1, [])
---
q.y, p, P.__type_params__
""")


@pytest.mark.parametrize("title", NEW)
def test_syntax(notebook, title):
    """It is as the plain kernel leaves it."""
    agrees(notebook, NEW[title])
