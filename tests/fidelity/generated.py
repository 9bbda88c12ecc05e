"""Cells that are put together by Hypothesis: assignments, containers, closures, classes, aliases and exceptions."""

from __future__ import annotations

from hypothesis import strategies as st

SETUP = """
import collections, functools
xs, ys, d, s = [1, 2, 3], [[0], [1]], {'a': 1, 'b': [2]}, {1, 2}
alias, pair, n, t = xs, (xs, d), 3, 'text'
counts, groups, queue = collections.Counter('aab'), collections.defaultdict(list), collections.deque([1], maxlen=4)
def make():
    held, total = {'k': [0]}, 0
    def put(k, v):
        nonlocal total
        total += 1
        held.setdefault(k, []).append(v)
        return total, {key: list(each) for key, each in held.items()}
    return put
put = make()
class Base:
    made = []
    def __init__(self, v=0): self.v, self.next = v, None; type(self).made.append(v)
    def up(self, by=1): self.v += by; return self
    def __repr__(self): return f'{type(self).__name__}({self.v})'
class Child(Base):
    __slots__ = ('extra',)
    def up(self, by=1): return super().up(by * 2)
one, two = Base(1), Child(2)
one.next, two.next = two, one
@functools.lru_cache(maxsize=8)
def square(x): return x * x
a1 = a2 = a3 = None
it = iter([10, 20, 30, 40, 50, 60])
def gen(k):
    for i in range(k): yield i * n
"""

STATEMENTS = (
    "xs.append(n)", "xs[:] = xs[::-1]", "alias.extend([n, 0])", "ys.append(xs)", "ys[0] = ys[-1]", "xs = list(xs)",
    "d['new'] = xs", "d.setdefault('l', []).append(n)", "d.pop('a', None)", "d = {**d, 'c': alias}", "d['self'] = d",
    "s |= {n}", "s.discard(1)", "n += 1", "n = len(xs)", "t = t[1:] + t[:1]", "t = f'{t[:3]}{n}'", "pair[0].append(t)",
    "counts[t[:1]] += 1", "counts.update('ab')", "groups[n % 3].append(n)", "queue.append(n)", "queue.rotate(1)",
    "r = put('k', n)", "r = put(t[:1], xs[:1])", "put = make()", "one.up()", "two.up(n)", "one.next.up()",
    "two.extra = xs", "two.next = Base(n)", "one = Child(n)", "Base.made.append('x')", "Base.tag = n",
    "Child.up = lambda self, by=1: Base.up(self, by)", "one.anew = alias", "square(n % 5)", "r = square(2)",
    "r = square.cache_info()", "r = next(it, None)", "g = gen(3)", "r = list(gen(n % 4))",
    "r = list(g) if 'g' in globals() else 0",
    "del n; n = 7", "del xs[0:1]", "r = [x for x in xs if x != n]", "r = {k: type(v).__name__ for k, v in d.items()}",
    "r = sorted(map(str, s))", "r = functools.reduce(lambda a, b: a + 1, xs, 0)", "r = max(xs, key=str, default=0)",
    "for i in range(2): xs.append(i)", "while len(xs) > 6: xs.pop()", "r = (y := n + 1) * 2", "a, *b = [*xs, 1]",
    "print(n, t, xs)", "print(one, two, sep='|')", "r = xs is alias, pair[1] is d, ys[0] is xs",
    "try:\n    d['missing']\nexcept KeyError as e:\n    r = e.args",
    "try:\n    1 / (n - n)\nexcept ZeroDivisionError as e:\n    err = e\nfinally:\n    n += 1",
    "with __import__('contextlib').suppress(ValueError):\n    xs.remove('nothing')",
    "class New(Base):\n    k = n\n    def up(self, by=1): self.k = by; return self\nthree = New(n)",
    "def later(x, into=[]):\n    into.append(x)\n    return list(into)\nr = later(n)",
    "match xs:\n    case [first, *_]: r = first\n    case _: r = None",
)  # fmt: skip
LOOKS = (
    "a1, a2, a3", "a1 is a2, a2 is ys, getattr(one, 'held', None) is a3", "ys",
    "xs, alias is xs, ys, d.keys()", "counts, dict(groups), list(queue)", "put('q', 0)", "one, two, one.next, two.next",
    "Base.made, getattr(Base, 'tag', None)", "vars(one).keys(), getattr(two, 'extra', None)", "square.cache_info()",
    "next(it, None)", "n, t, sorted(map(str, s))", "pair[0] is xs, pair[1] is d", "xs.nothing", "d['nowhere']",
    "raise ValueError(t)",
)  # fmt: skip


_NAMES = st.sampled_from(("a1", "a2", "a3"))
_ATOMS = st.sampled_from(("n", "t", "xs", "alias", "d", "one", "two.next", "a1", "0", "1.5", "'k'", "None", "b'x'"))


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        several.map("[{}]".format), several.map("list(({}))".format), several.map("tuple([{}])".format),
        inner.map("{{'k': {}}}".format), st.tuples(inner, inner).map(lambda two: "({} or {})".format(*two)),
        st.tuples(inner, inner).map(lambda two: "(lambda v={}: (v, {}))".format(*two)),
    )  # fmt: skip


def _statements() -> st.SearchStrategy[str]:
    """Return statements: fixed ones, and bindings, aliases and changes of values of any depth."""
    value = st.recursive(_ATOMS, _containers, max_leaves=6)
    return st.one_of(
        st.sampled_from(STATEMENTS),
        st.tuples(_NAMES, value).map(lambda found: "{} = {}".format(*found)),
        st.tuples(_NAMES, value).map(lambda found: "ys.append({1}); {0} = ys".format(*found)),
        st.tuples(_NAMES, value).map(lambda found: "one.held = {1}; {0} = one.held".format(*found)),
        st.tuples(_NAMES, _NAMES).map(lambda found: "if type({0}) is list: {0}.append({1})".format(*found)),
        _NAMES.map("r = {0}() if callable({0}) else {0}".format),
        _NAMES.map("del {0}; {0} = None".format),
    )  # fmt: skip


def cells() -> st.SearchStrategy[list[str]]:
    """Return notebooks of a few generated cells, without the set-up."""
    body = st.lists(_statements(), min_size=1, max_size=5).map("\n".join)
    cell = st.tuples(body, st.sampled_from((*LOOKS, ""))).map("\n".join)
    return st.lists(cell, min_size=4, max_size=10)
