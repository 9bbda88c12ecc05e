"""Functions defined in the cell, and functions of the notebook that the cell uses."""

from __future__ import annotations

import sys

import pytest

from lambdamagic.capture import plan_callable, plan_cell
from tests.capture.cells import check, notebook

DF = "df = [1]; k = 2; other = 3"


def test_a_function_reads_when_it_is_used() -> None:
    """What f reads counts where f is loaded: by then df is new."""
    check("def f(): return df\ndf = load()\nf()", given=DF + "\ndef load(): pass", captured="load", bound="f df")


def test_a_function_that_is_used_before_the_binding() -> None:
    """f() comes first: the old df is read."""
    check("def f(): return df\nf()\ndf = 1", given=DF, captured="df", bound="f df")


def test_a_function_that_is_only_defined_reads_nothing() -> None:
    """It comes back to the notebook and finds its names there."""
    check("def f(): return df", given=DF, bound="f")


def test_functions_use_each_other() -> None:
    """Loading g counts what f reads, through g."""
    check("def f(): return df\ndef g(): return f()\ng()", given=DF, captured="df", bound="f g")


def test_mutually_recursive_functions_in_the_cell() -> None:
    """even and odd end somewhere."""
    cell = "def even(n): return n == 0 or odd(n - k)\ndef odd(n): return n != 0 and even(n - k)\neven(4)"
    check(cell, given=DF, captured="k", bound="even odd")


def test_a_redefined_function_counts_as_it_is_then() -> None:
    """Only the second f is called."""
    check("def f(): return df\ndef f(): return k\nf()", given=DF, captured="k", bound="f")


def test_a_function_defined_on_either_branch() -> None:
    """Both may be the one that is called."""
    check(
        "if other:\n    def f(): return df\nelse:\n    def f(): return k\nf()",
        given=DF,
        captured="other df k",
        bound="f",
    )


def test_a_function_rebound_to_a_value() -> None:
    """f is no longer the function."""
    check("def f(): return df\nf = 1\nf", given=DF, bound="f")


def test_a_function_that_may_be_the_notebooks_own() -> None:
    """On one path f is the old one, which reads other."""
    given = DF + "\ndef f(): return other"
    check("if k:\n    def f(): return df\nf()", given=given, captured="k f df other", bound="f")


def test_defaults_are_evaluated_at_once() -> None:
    """Default arguments read where the def stands."""
    check("def f(a=df, *, b=k): return other", given=DF, captured="df k", bound="f")


def test_decorators_are_read_at_once_and_may_call() -> None:
    """A decorated function's reads count at the def: the decorator may call it."""
    check("@dec\ndef f(): return df\ndf = 1", given=DF + "\ndef dec(fn): return fn", captured="dec df", bound="f df")


def test_annotations_are_evaluated_at_once() -> None:
    """Annotations of a def read where it stands."""
    check("def f(a: T) -> k: pass", given=DF + "; T = int", captured="T k", bound="f")


def test_lambdas() -> None:
    """A lambda passed on reads where it stands; its parameters are its own."""
    check("sorted(df, key=lambda other: other + k)", given=DF, captured="df k")


def test_a_lambda_bound_to_a_name_is_a_function() -> None:
    """f = lambda: ... counts where f is loaded, as def does."""
    check("f = lambda: df\ndf = 1\nf()", given=DF, bound="f df")


def test_global_in_a_function() -> None:
    """A function that binds a global: the name may be bound; its own earlier value is read by +=."""
    check("def f():\n    global k\n    k += 1\nf()", given=DF, captured="k", bound="f k")
    check("def f():\n    global k\n    k = 1\n    return k\nf()", given=DF, bound="f k")


def test_a_global_bound_by_a_call_is_not_surely_bound() -> None:
    """Whether f was called is not followed: the old value is kept."""
    check("def f():\n    global k\n    k = 1\nf()\nk", given=DF, captured="k", bound="f k")


def test_del_of_a_global_in_a_function() -> None:
    """A deleted name has to be there; its value does not."""
    cell = "def f():\n    global k\n    del k\nf()"
    check(cell, given=DF, captured="k", bound="f", deleted="k", deleted_only="k")


def test_nonlocal_and_closures_in_the_cell() -> None:
    """Variables of enclosing functions are no globals."""
    cell = """
    def outer():
        df = k
        def inner():
            nonlocal df
            df += other
            return df
        return inner
    outer()()
    """
    check(cell, given=DF, captured="k other", bound="outer")


def test_generators_and_async_functions() -> None:
    """Functions of every kind are followed."""
    check("def g():\n    yield df\nlist(g())", given=DF, captured="df", bound="g")
    check(
        "async def g():\n    async for i in df: yield k\n[x async for x in g()]", given=DF, captured="df k", bound="g"
    )


def test_a_function_reached_through_globals_of_unknown_name() -> None:
    """With globals() any function may be called, so each counts where it stands."""
    check("def f(): return df\nglobals()['f']()", given=DF, captured="df", bound="f")


def test_a_function_is_followed_to_its_globals() -> None:
    """A captured function's globals are sent, and theirs."""
    given = "k = 1\ndef g(): return k\ndef f(): return g()\nunused = 1"
    plan = check("f()", given=given, captured="f g k")
    assert plan.captured["g"].reason == "read by function f (line 3 of its cell)"
    assert plan.captured["k"].reason == "read by function g (line 2 of its cell)"


def test_visited_functions_and_their_sources_are_reported() -> None:
    """The encoder leaves the globals of these alone, and tracebacks show their lines."""
    namespace = notebook("k = 1\ndef f(): return k\n")
    plan = plan_cell("f()", namespace, filename="<cell-7>", first_line=2)
    code = namespace["f"].__code__
    assert plan.visited_functions == {id(code)}
    assert plan.sources == {"<cell-7>": "\nf()", code.co_filename: "k = 1\ndef f(): return k\n"}


def test_what_a_captured_function_reads_is_not_shipped_when_bound_by_then() -> None:
    """df is the cell's own when f is loaded."""
    check("df = 2\nf()", given=DF + "\ndef f(): return df", captured="f", bound="df")


def test_a_captured_function_uses_a_function_of_the_cell() -> None:
    """f calls helper, which the cell redefines; the new helper reads k."""
    given = DF + "\ndef helper(): return other\ndef f(): return helper()"
    check("def helper(): return k\nf()", given=given, captured="f k", bound="helper")


def test_mutually_recursive_functions_of_the_notebook() -> None:
    """Cycles end."""
    given = "def a(): return b()\ndef b(): return a() + k\nk = 1"
    check("a()", given=given, captured="a b k")


def test_functions_that_share_and_mutate_a_global() -> None:
    """The name that captured functions bind may be bound by the cell."""
    given = "n = 0\ndef up():\n    global n\n    n += 1\ndef get(): return n"
    check("up()\nget()", given=given, captured="up get n", bound="n")


def test_a_captured_function_may_bind_a_new_name() -> None:
    """init() makes conf: it is neither unresolved nor captured."""
    check("init()\nconf", given="def init():\n    global conf\n    conf = 1", captured="init", bound="conf")


def test_a_captured_function_may_delete() -> None:
    """Deletes of captured functions count too."""
    given = "n = 0\ndef drop():\n    global n\n    del n"
    check("drop()", given=given, captured="drop n", deleted="n", deleted_only="n")


@pytest.mark.parametrize(
    "maker",
    [
        "def make():\n    inner = lambda: k\n    return lambda: inner()\nfn = make()",  # closure cells
        "g = lambda: k\ndef fn(a=g): return a()\ndel g",  # defaults
        "g = lambda: k\ndef fn(*, a=g): return a()\ndel g",  # keyword defaults
        "def fn(): pass\nfn.hook = lambda: k",  # attributes of the function
        "import functools\nfn = functools.partial(lambda a, b: k, 1)\ndel functools",
        "import functools\nfn = functools.partial(map, lambda a: k)\ndel functools",
        "import functools\nfn = functools.lru_cache(lambda: k)\ndel functools",
        "import functools\nfn = functools.wraps(print)(lambda: k)\ndel functools",
        "import functools\nfn = functools.singledispatch(lambda a: k)\ndel functools",
        "import contextlib\nfn = contextlib.contextmanager(lambda: (yield k))\ndel contextlib",
        "class A:\n    def m(self): return k\nfn = A().m\ndel A",  # bound method
        "fn = [1, {'a': (lambda: k,)}]",  # containers
        "fn = {len: 1, (lambda: k): 2}",  # keys
        "fn = {frozenset([lambda: k])}",
        "import collections\nfn = collections.deque([lambda: k])\ndel collections",
        "import collections\nfn = collections.defaultdict(lambda: k)\ndel collections",
        "fn = staticmethod(lambda: k)",
        "fn = property(lambda s: k)",
        "import types\nfn = types.MappingProxyType({1: lambda: k})\ndel types",
    ],
)
def test_code_is_found_behind_values(maker: str) -> None:
    """Whatever holds a function of the notebook leads to the globals that it reads."""
    check("fn", given="k = 1\n" + maker, captured="fn k", exclude=["make"])


def test_values_that_hold_no_code_lead_nowhere() -> None:
    """Numbers, strings and their containers are shipped as they are."""
    plan = check("data", given="data = {'a': [1, 2.0, 'k', None, b'', (True, ...)]}; k = 1", captured="data")
    assert plan.imports == frozenset()


def test_cyclic_values_end() -> None:
    """A list that holds itself is looked at once."""
    check("loop", given="k = 1\nloop = [lambda: k]\nloop.append(loop)", captured="loop k")


def test_library_wrappers_do_not_read_the_notebooks_names() -> None:
    """A wrapper made by a library has the library's globals, even where a name is the same."""
    given = """
    import contextlib
    _GeneratorContextManager = 'mine, and not what contextlib means'
    @contextlib.contextmanager
    def cm(): yield
    """
    check("cm", given=given, captured="cm")


def test_local_variables_within_embedded_text_are_not_globals() -> None:
    """!ls {path} in a function reads the function's own variable."""
    cell = "def f(other):\n    get_ipython().system('ls {other} {k}')\nf(1)"
    check(cell, given=DF, captured="k", bound="f")


def test_plan_callable() -> None:
    """A function given as a value has the same closure."""
    namespace = notebook("import json\nk = 1\nunused = 2\ndef g(): return json.dumps(k)\ndef f(): return g()")
    plan = plan_callable(namespace["f"], namespace)
    assert set(plan.captured) == {"g", "json", "k"}
    assert plan.captured["g"].reason == "read by function f (line 5)"
    assert plan.imports == {"json"}
    assert plan.visited_functions == {id(namespace["f"].__code__), id(namespace["g"].__code__)}
    assert len(plan.sources) == 1


def test_plan_callable_of_a_builtin() -> None:
    """A builtin needs nothing."""
    plan = plan_callable(len, notebook())
    assert (dict(plan.captured), plan.imports, plan.own_modules) == ({}, frozenset(), ())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="generic syntax came with Python 3.12")
def test_generic_functions_classes_and_type_aliases() -> None:
    """Type parameters are no globals; bounds, annotations and bodies read what they read."""
    check("def f[T](a: T) -> k: return df", given=DF, captured="k", bound="f")
    check("def f[T](a: T = other) -> T: return df\nf(1)", given=DF, captured="df other", bound="f")
    check("def f[T: k](a): return a\nf(1)", given=DF, captured="k", bound="f")
    check("@dec\ndef f[T](a: T): return df", given=DF + "; dec = print", captured="df dec", bound="f")
    check(
        "class A[T](B):\n    x: T = k\n    def m(self) -> T: return df",
        given=DF + "; B = object",
        captured="B k df",
        bound="A",
    )
    check("type L[T] = list[T] | k\nL", given=DF, captured="k", bound="L")


def test_builtins_of_captured_functions_are_not_reported() -> None:
    """What is skipped is what the reader of the cell would ask about."""
    plan = check("f()", given="def f(): return len(str(1))", captured="f")
    assert plan.skipped == {}


def test_an_unbound_local_is_an_exception_like_others() -> None:
    """The handler of a try that only loads a local can run."""
    cell = "def f(a):\n    if a: b = 1\n    try:\n        b\n    except UnboundLocalError:\n        df\nf(0)"
    check(cell, given=DF, captured="df", bound="f")
