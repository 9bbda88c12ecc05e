"""An object of a notebook's class comes back as an instance of the very class that the notebook has."""

from __future__ import annotations


def test_isinstance_holds(notebook):
    """For new objects, inside containers, and for subclasses."""
    notebook.ok("class A:\n    pass\nclass B(A):\n    pass")
    notebook.remote("a, bs = A(), [B(), {'k': B()}]")
    names = notebook.names
    assert type(names["a"]) is names["A"]
    assert type(names["bs"][0]) is type(names["bs"][1]["k"]) is names["B"]


def test_exceptions_of_the_notebook_are_caught_by_their_class(notebook):
    """`except MyError` in the notebook catches what the cell raised."""
    notebook.ok("class MyError(Exception):\n    pass")
    ran = notebook.fails("raise MyError('x')")
    assert type(ran.error) is notebook.names["MyError"]


def test_enum_members_are_the_notebooks_own(notebook):
    """`is` holds for members that went there and back."""
    notebook.ok("import enum\nclass C(enum.Enum):\n    R = 1\n    G = 2")
    notebook.remote("picked = [c for c in C if c is not C.R]\nd = {C.R: 1}")
    assert notebook.ok("picked[0] is C.G and d[C.R] == 1").value is True


def test_a_class_that_the_cell_redefines(notebook):
    """`class A` in the cell binds a new class, and its instances are of that one; old instances stay old."""
    notebook.ok("class A:\n    v = 1\nold = A()")
    notebook.remote("class A:\n    v = 2\nnew = A()")
    names = notebook.names
    assert type(names["new"]) is names["A"]
    assert names["A"].v == 2
    assert type(names["old"]) is not names["A"]
    assert names["old"].v == 1


def test_a_class_redefined_in_the_notebook_between_two_cells(notebook):
    """The next cell uses the new definition; the old one is not kept in the warm environment."""
    notebook.ok("class A:\n    v = 1")
    assert notebook.remote("A().v").value == 1
    notebook.ok("class A:\n    v = 2")
    assert notebook.remote("A().v").value == 2
    notebook.remote("a = A()")
    assert type(notebook.names["a"]) is notebook.names["A"]


def test_a_class_redefined_while_the_job_ran(notebook):
    """The result is of the new class, and a message says so."""
    notebook.ok("""
        class A:
            v = 1
        items = [1, 2]
        def work(x):
            a = A()
            a.x = x
            return a
        class Items:
            def __len__(self):
                return 2
            def __iter__(self):
                return iter([1, 2])
    """)
    # The items are taken after the callable was captured only for their bytes, so an item whose pickling runs code
    # of the notebook stands for "in the meantime".
    notebook.ok("""
        class Redefines:
            def __reduce__(self):
                global A
                class A:
                    v = 2
                return (int, ('7',))
    """)
    ran = notebook.ok("found = %lambda_map work [Redefines()]")
    names = notebook.names
    assert type(names["found"][0]) is names["A"]
    assert names["found"][0].v == 2
    assert names["found"][0].x == 7
    assert ran.stderr == (
        "lambdamagic: class A was redefined in the notebook while the job ran: "
        "returned objects use the new definition\n"
    )


def test_nested_classes_and_classes_of_functions(notebook):
    """A class that has no global name keeps its identity too, while it lives."""
    notebook.ok("""
        class Outer:
            class Inner:
                pass
        def make():
            class L:
                pass
            return L
        L = make()
    """)
    notebook.remote("i, l = Outer.Inner(), L()")
    assert notebook.ok("type(i) is Outer.Inner, type(l) is L").value == (True, True)
