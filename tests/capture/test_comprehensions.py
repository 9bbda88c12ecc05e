"""Comprehensions of every kind: inlined by 3.12 and later, their own functions before."""

from __future__ import annotations

import pytest

from tests.capture.cells import check

XY = "x = 1; y = 2; xs = [1]; ys = [2]; f = abs"


@pytest.mark.parametrize("form", ["[{}]", "{{{}}}", "list({})"])
def test_comprehensions_read_all_but_their_own_variables(form: str) -> None:
    """i is the comprehension's own, in every kind."""
    check(form.format("f(i) + x for i in xs if i > y"), given=XY + "; i = 0", captured="f x xs y")


def test_dict_comprehension() -> None:
    """Key and value are read."""
    check("{f(i): x for i in xs}", given=XY, captured="f x xs")


def test_nested_comprehensions() -> None:
    """Inner and outer variables are no globals."""
    check("[[i + j + x for j in ys] for i in xs]", given=XY + "; i = j = 0", captured="ys xs x")
    check("[i + j for i in xs for j in f(i)]", given=XY + "; i = j = 0", captured="xs f")


def test_a_variable_named_like_a_global() -> None:
    """[x for x in x] reads the outer x once."""
    check("[x for x in x]", given="x = [1]", captured="x")
    check("[y for y in xs]\ny", given=XY, captured="xs y")


def test_a_walrus_within_a_comprehension_binds_a_global() -> None:
    """It may be bound, if there is an item."""
    check("[last := i for i in xs]\nlast", given=XY + "; last = 0", captured="xs last", bound="last")


def test_a_walrus_of_the_condition_is_bound_for_the_element() -> None:
    """The element reads the new value only."""
    check("[last for i in xs if (last := f(i))]", given=XY + "; last = 0", captured="xs f", bound="last")


def test_names_bound_before_are_not_captured_for_a_comprehension() -> None:
    """The comprehension reads the cell's own x."""
    check("x = 5\n[i + x for i in xs]", given=XY, captured="xs", bound="x")


def test_async_comprehensions() -> None:
    """They make the cell a coroutine."""
    plan = check("[f(i) async for i in xs if await x]", given=XY, captured="f xs x")
    assert plan.is_async


def test_comprehensions_in_functions() -> None:
    """A function's comprehension reads the function's variables and the globals."""
    check("def g(y): return [x + y + i for i in xs]\ng(1)", given=XY, captured="x xs", bound="g")


def test_comprehensions_in_class_bodies_do_not_see_the_body() -> None:
    """Within a class body, the comprehension's x is the global one."""
    check("class A:\n    x = 5\n    l = [x + i for i in xs]", given=XY, captured="x xs", bound="A")


def test_lambdas_in_comprehensions() -> None:
    """The lambda's reads count too."""
    check("[lambda: i + x for i in xs]", given=XY, captured="x xs")


def test_a_comprehension_in_a_try_sees_the_old_name_in_the_handler() -> None:
    """It may fail before the name is bound."""
    check("try:\n    x = [f(i) for i in xs]\nexcept Exception:\n    x", given=XY, captured="f xs x", bound="x")
