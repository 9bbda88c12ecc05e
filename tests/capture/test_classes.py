"""Classes defined in the cell, and classes and instances of the notebook."""

from __future__ import annotations

import pytest

from lambdamagic.capture import plan_cell
from tests.capture.cells import check, notebook

XY = "x = 1; y = 2; B = object; M = type; dec = print"


def test_a_class_body_reads_outer_names() -> None:
    """Bases, keywords, decorators and the body are read where the class stands."""
    check("@dec\nclass A(B, metaclass=M):\n    a = x", given=XY, captured="dec B M x", bound="A")


def test_a_class_bodys_own_names_are_not_captured() -> None:
    """An earlier name of the body wins over the global."""
    check("class A:\n    x = 5\n    z = x + y", given=XY, captured="y", bound="A")


def test_a_class_body_reads_the_global_of_the_same_name() -> None:
    """x = x in a class body reads the outer x."""
    check("class A:\n    x = x", given=XY, captured="x", bound="A")


def test_a_class_bodys_name_bound_on_one_branch() -> None:
    """The other branch shows the global."""
    check("class A:\n    if y:\n        x = 1\n    z = x", given=XY, captured="x y", bound="A")


def test_a_class_bodys_deleted_name_shows_the_global_again() -> None:
    """del in a class body deletes the body's own."""
    check("class A:\n    x = 1\n    del x\n    z = x", given=XY, captured="x", bound="A")


def test_methods_read_the_globals_of_their_class() -> None:
    """A metaclass or decorator may call them."""
    check("class A:\n    x = 1\n    def m(self): return x + y", given=XY, captured="x y", bound="A")


def test_global_in_a_class_body() -> None:
    """`global x` in a body binds the global."""
    check("class A:\n    global x\n    x = y\n    z = x", given=XY, captured="y", bound="A x")


def test_annotations_of_a_class_body_are_evaluated() -> None:
    """Dataclass fields read their types."""
    cell = "@dataclass\nclass P:\n    a: T\n    b: T = y"
    check(cell, given=XY + "; T = int\nfrom dataclasses import dataclass", captured="dataclass T y", bound="P")


def test_nested_classes_and_super() -> None:
    """super() and __class__ are no globals."""
    cell = "class A(B):\n    class In:\n        v = x\n    def m(self): return super().m() + __class__.z"
    check(cell, given=XY, captured="B x", bound="A")


def test_a_class_of_the_notebook_leads_to_what_its_methods_read() -> None:
    """Methods, properties, class and static methods, and attributes."""
    given = """
    a = b = c = d = e = f = g = 1
    class A:
        def m(self): return a
        @property
        def p(self): return b
        @classmethod
        def k(cls): return c
        @staticmethod
        def s(): return d
        hook = [lambda: e]
        class In:
            def m(self): return f
        at_definition = g
    """
    check("A()", given=given, captured="A a b c d e f")


def test_bases_and_metaclasses_are_followed() -> None:
    """Inherited methods read globals too."""
    given = """
    a = b = 1
    class Meta(type):
        def __call__(cls): return a
    class Base(metaclass=Meta):
        def m(self): return b
    class A(Base): pass
    """
    check("A", given=given, captured="A a b")


def test_annotations_of_a_notebook_class_are_not_followed() -> None:
    """A type that only annotates needs none of its globals here."""
    given = "k = 1\nclass T:\n    def m(self): return k\nclass A:\n    t: T"
    check("A", given=given, captured="A")


def test_dataclasses_and_enums_of_the_notebook() -> None:
    """What the standard library generates leads nowhere; the user's methods do."""
    given = """
    import dataclasses, enum
    k = 1; j = 2; factory = 3
    @dataclasses.dataclass(order=True)
    class P:
        a: int = 0
        b: list = dataclasses.field(default_factory=lambda: [factory])
        def m(self): return k
    class Color(enum.Enum):
        RED = 1
        def m(self): return j
    """
    check("P(1)", given=given, captured="P k factory")
    check("Color.RED", given=given, captured="Color j")


def test_instances_lead_to_their_class_and_attributes() -> None:
    """An object of a notebook class needs what its methods read, and what it holds."""
    given = """
    a = b = c = 1
    class A:
        def m(self): return a
    class H:
        def m(self): return b
    o = A(); o.held = H(); o.fn = lambda: c
    """
    check("o", given=given, captured="o a b c")


def test_objects_of_the_notebook_in_a_container() -> None:
    """A list of a thousand objects leads to their one class."""
    given = "a = 1\nclass A:\n    def m(self): return a\nos = [A() for _ in range(1000)]"
    check("os", given=given, captured="os a")


def test_a_super_call_of_the_notebook() -> None:
    """The __class__ cell makes a cycle, which ends."""
    given = "k = 1\nclass A:\n    def __init__(self): super().__init__(); self.k = k\no = A()"
    check("o", given=given, captured="o k")


def test_looking_at_objects_runs_none_of_their_code() -> None:
    """Properties, __getattr__ and __class__ of the user's are not called."""
    given = """
    ran = []
    class Nosy:
        def __getattribute__(self, name):
            ran.append(name)
            return object.__getattribute__(self, name)
        def __iter__(self): ran.append('iter')
        def __len__(self): ran.append('len')
        def __eq__(self, other): ran.append('eq')
        __hash__ = None
    o = Nosy()
    class L(list):
        def __iter__(self): ran.append('iter'); return iter(())
    l = L([1, o])
    """
    namespace = notebook(given)
    plan = plan_cell("o, l", namespace)
    assert set(plan.captured) == {"o", "l", "ran"}
    assert namespace["ran"] == []


@pytest.mark.parametrize("size", [200_000])
def test_a_large_container_is_not_walked_in_python(size: int) -> None:
    """Types are looked at in C, up to a bound."""
    check("data", given={**notebook("k = 1"), "data": [*range(size), print]}, captured="data")


def test_instances_need_the_module_of_their_class() -> None:
    """A Decimal needs decimal to be unpickled."""
    plan = check("d, l", given="import decimal\nd = decimal.Decimal(1)\nl = [d]", captured="d l")
    assert plan.imports == {"decimal"}
