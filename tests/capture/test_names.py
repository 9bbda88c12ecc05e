"""Plain statements: what is read, bound and deleted at the top level of a cell."""

from __future__ import annotations

from lambdamagic.capture import plan_cell
from tests.capture.cells import check, notebook

XY = "x = 1; y = 2; z = 3"


def test_a_read_name_is_captured() -> None:
    """A name that the cell reads is sent."""
    check("print(x)", given=XY, captured="x")


def test_a_name_bound_before_any_read_is_not_captured() -> None:
    """A stale value is not shipped when the cell makes its own."""
    plan = check("x = 10\nx + 1", given=XY, bound="x")
    assert plan.skipped == {"x": "assigned on line 1 before any read"}


def test_a_name_read_and_then_bound_is_captured() -> None:
    """The read comes first, so the old value is needed."""
    check("y = x\nx = 2", given=XY, captured="x", bound="x y")


def test_augmented_assignment_reads() -> None:
    """x += 1 needs the old x."""
    check("x += 1", given=XY, captured="x", bound="x")


def test_augmented_item_assignment_reads_and_binds_nothing() -> None:
    """d[k] += v changes d in place."""
    check("d[x] += y", given=XY + "; d = {1: 1}", captured="d x y")


def test_attribute_and_item_assignment_read_the_object() -> None:
    """o.a = 1 and d[0] = 1 bind no name."""
    check("o.a = 1; d[0] = x", given=XY + "; o = print; d = []", captured="o d x")


def test_chained_assignment_binds_all() -> None:
    """a = b = x binds both."""
    check("a = b = x", given=XY, captured="x", bound="a b")


def test_unpacking_binds_all() -> None:
    """Nested and starred targets are bound."""
    check("a, (b, *c), [d] = x, y, z\na, b, c, d", given=XY, captured="x y z", bound="a b c d")


def test_swap_reads_both() -> None:
    """x, y = y, x reads before it binds."""
    check("x, y = y, x", given=XY, captured="x y", bound="x y")


def test_walrus_binds() -> None:
    """A walrus at the top level binds as an assignment does."""
    check("(x := 5) + x", given=XY, bound="x")


def test_walrus_behind_and_is_bound_on_one_branch_only() -> None:
    """After `y and (x := 1)` x may be the old one."""
    check("y and (x := 1)\nx", given=XY, captured="x y", bound="x")


def test_walrus_of_the_condition_is_bound_in_its_branch() -> None:
    """`if (n := f()):` binds n on every path."""
    check("if (x := y):\n    x\nelse:\n    x", given=XY, captured="y", bound="x")


def test_conditional_expression_reads_both_branches() -> None:
    """Any of the three can be read."""
    check("a = x if y else z", given=XY, captured="x y z", bound="a")


def test_annotated_assignment_evaluates_its_annotation() -> None:
    """x: T = v reads T at module level."""
    check("a: T = x\nb: T2", given=XY + "; T = int; T2 = str", captured="x T T2", bound="a")


def test_annotations_are_not_evaluated_with_the_future_import() -> None:
    """With postponed evaluation annotations are text."""
    cell = "from __future__ import annotations\na: T = x\ndef f(p: T) -> T: return p\nf(1)"
    check(cell, given=XY + "; T = int", captured="x", bound="a f annotations")


def test_the_notebooks_future_flags_are_kept() -> None:
    """A __future__ import of an earlier cell holds in this one."""
    import __future__

    check("a: T = x", given=XY + "; T = int", captured="x", bound="a", flags=__future__.annotations.compiler_flag)


def test_this_packages_own_future_imports_do_not_leak() -> None:
    """Without the import annotations are evaluated, whatever our own modules do."""
    check("def f(p: T): pass", given="T = int", captured="T", bound="f")


def test_del_needs_the_name_and_not_its_value() -> None:
    """del x is shipped as a name alone."""
    check("del x", given=XY, captured="x", deleted="x", deleted_only="x")


def test_del_then_read_still_needs_no_value() -> None:
    """What is read after del cannot be the old value."""
    check("del x\ntry:\n    x\nexcept NameError:\n    y", given=XY, captured="x y", deleted="x", deleted_only="x")


def test_del_after_read_needs_the_value() -> None:
    """Read, then deleted: the value is sent."""
    check("print(x)\ndel x", given=XY, captured="x", deleted="x")


def test_del_of_an_own_name_needs_no_value() -> None:
    """The cell's own x is deleted; a stand-in for the notebook's shows afterwards whether that happened."""
    check("n = 1\ndel n", given=XY, bound="n", deleted="n")
    check("x = 1\ndel x", given=XY, captured="x", bound="x", deleted="x", deleted_only="x")


def test_del_on_one_branch_leaves_the_old_value_to_be_read() -> None:
    """On the other branch x is the old one."""
    check("if y:\n    del x\nprint(x)", given=XY, captured="x y", deleted="x")


def test_rebound_after_del() -> None:
    """After del and a new binding the old value is gone."""
    check("del x\nx = 1\nx", given=XY, captured="x", bound="x", deleted="x", deleted_only="x")


def test_del_of_items_and_attributes_reads() -> None:
    """del d[k] deletes no name."""
    check("del d[x], o.a", given="d = {}; x = 1; o = print", captured="d x o")


def test_f_strings_read_nested_fields() -> None:
    """Names in format specifications and nested f-strings are read."""
    check("f'{x:{y}} {f\"{z!r:>{w}}\"}'", given=XY + "; w = 9", captured="x y z w")


def test_builtins_are_not_captured() -> None:
    """print and friends are there remotely."""
    plan = check("print(len([x]))", given=XY, captured="x")
    assert plan.skipped == {"print": "builtin", "len": "builtin"}


def test_a_shadowed_builtin_is_captured() -> None:
    """The user's own `list` wins over the builtin."""
    check("list(x)", given=XY + "; list = set", captured="list x")


def test_a_shadowed_builtin_that_is_deleted_shows_the_builtin_again() -> None:
    """After `del list` the builtin is meant."""
    check("del list\nlist((1,))", given="list = 5", captured="list", deleted="list", deleted_only="list")


def test_module_names_are_never_captured() -> None:
    """__name__ and friends belong to the remote module."""
    check("__name__, __doc__, __builtins__, get_ipython", given={"get_ipython": 1, **notebook(XY)})


def test_hidden_names_are_not_captured() -> None:
    """What the shell put there is not the user's."""
    plan = check("In, x", given={"In": [], **notebook(XY)}, captured="x", hidden={"In"})
    assert plan.skipped["In"] == "the notebook's own"


def test_excluded_names_are_not_captured() -> None:
    """--exclude wins."""
    plan = check("x + y", given=XY, captured="y", exclude=["x"])
    assert plan.skipped["x"] == "excluded"


def test_names_bound_before_the_cell_are_not_captured() -> None:
    """The loop variable of %%lambda_map is there already."""
    check("x + y", given=XY, captured="y", bound_before=["x"])


def test_captured_names_come_in_the_order_of_first_use() -> None:
    """--plan lists them as the reader meets them."""
    plan = plan_cell("try:\n    z\nexcept y:\n    x\nw", notebook(XY + "; w = 1; y = ValueError"))
    assert list(plan.captured) == ["z", "y", "x", "w"]
    assert plan.captured["y"].reason == "read on line 3"


def test_short_circuits_read_all_operands() -> None:
    """Any operand may be evaluated."""
    check("x and y or z", given=XY, captured="x y z")


def test_global_at_module_level_changes_nothing() -> None:
    """`global x` at the top of a cell is allowed and idle."""
    check("global x\nx = 1\nx", given=XY, bound="x")


def test_many_names_need_extended_arguments() -> None:
    """Beyond 256 names opcodes carry prefixes, and jumps land on those."""
    cell = "".join(f"n{i} = o{i}\n" for i in range(600)) + "while n0:\n" + "".join(f"    n{i}\n" for i in range(600))
    given = "".join(f"o{i} = n{i} = 1\n" for i in range(600))
    check(
        cell, given=given, captured=" ".join(f"o{i}" for i in range(600)), bound=" ".join(f"n{i}" for i in range(600))
    )
