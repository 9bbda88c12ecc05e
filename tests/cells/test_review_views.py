"""Arrays that share memory in the notebook share it on Lambda, and what is written shows in all of them."""

from __future__ import annotations

import pytest

VIEWS = {
    "an array and a part of it": ("a = np.zeros(4); v = a[:2]", "a[0] = 5; v[1] = 7; v.tolist(), a.tolist()"),
    "parts that overlap": ("a = np.zeros(6); v = a[:4]; w = a[2:]", "v[2] = 5; w[1] = 7; v.tolist(), w.tolist()"),
    "large parts": (
        "a = np.zeros((3000, 200)); v = a[:1000]; w = a[500:]",
        "v[600] = 5; w[0] = 7; float(v.sum()), float(w.sum())",
    ),
    "transposed": ("a = np.zeros((2, 3)); v = a.T", "v[2, 0] = 5; a[0, 0] = 1; a.tolist(), v.tolist()"),
    "of a Fortran array": (
        "a = np.zeros((2, 3), order='F'); v = a[1]",
        "v[2] = 5; a[1, 0] = 1; a.tolist(), v.tolist()",
    ),
    "backwards": ("a = np.arange(5); v = a[::-1]", "v[0] = 9; a[0] = 7; a.tolist(), v.tolist()"),
    "in another shape": ("a = np.zeros(6); v = a.reshape(2, 3)", "v[1, 0] = 5; a.tolist(), v.tolist()"),
    "of another type": ("a = np.zeros(2); v = a.view('i8')", "v[0] = 1; a.tolist(), v.tolist()"),
    "of dates": ("a = np.zeros(3, 'M8[D]'); v = a[1:]", "v[0] = '2020-01-01'; str(a[1]), str(v[0])"),
    "in a list": ("a = np.zeros(6); v = [a[:3], a[3:]]", "v[0][0] = 5; a[4] = 6; a.tolist(), v[1].tolist()"),
    "read by a function": ("a = np.zeros(6); v = a[:3]\ndef f(): v[0] = 9", "f(); a.tolist(), v.tolist()"),
    "that may not be written": ("a = np.zeros(3); v = a[1:]; v.flags.writeable = False", "a[1] = 2; v.tolist()"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_stay_views(notebook, name):
    """The cell sees what the kernel would see, and the notebook's arrays hold it afterwards."""
    setup, body = VIEWS[name]
    notebook.agrees("import numpy as np\n" + setup, body)
    shown = notebook.ok("[x.tolist() for x in [a, *(v if isinstance(v, list) else [v])]]").value
    notebook.reset()
    notebook.ok("import numpy as np\n" + setup)
    notebook.ok(body)
    assert notebook.ok("[x.tolist() for x in [a, *(v if isinstance(v, list) else [v])]]").value == shown


def test_a_small_part_does_not_bring_a_large_array_along(notebook):
    """Two small views of something large, which the cell does not read itself, are sent alone."""
    notebook.ok("import numpy as np\na = np.zeros(4_000_000); v, w = a[:10], a[5:15]")
    plan = notebook.ok("%%lambda --plan\nv.sum() + w.sum()")
    assert "MB" not in plan.text.split("Cost:")[0]


def test_new_views_of_a_new_array_stay_views(notebook):
    """What the cell makes comes back as it was made: writing into one is seen in the other."""
    notebook.remote("import numpy as np\nb = np.zeros(4); y = b[:2]")
    notebook.ok("y[1] = 8")
    assert notebook.ok("b.tolist()").value == [0, 8, 0, 0]
