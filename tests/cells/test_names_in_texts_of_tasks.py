"""Names that a task looks up by text, in a map and in a program, as the notebook's own process has them."""

from __future__ import annotations

import pytest

_FUNCTIONS = {
    "globals()[...]": "return globals()['scale'] * x",
    "globals() with a computed key": "return globals()[chr(115) + 'cale'] * x",
    "globals().get() with a computed key": "return globals().get('sca' + str(x)[:0] + 'le') * x",
    "globals() in a template": "return '{scale} {x}'.format(**globals(), x=x)",
    "eval": "return eval('scale * x')",
    "import __main__": "import __main__\n    return __main__.scale * x",
    "sys.modules of __main__": "import sys\n    return sys.modules['__main__'].scale * x",
    "sys.modules of __name__": "import sys\n    return vars(sys.modules[__name__])['scale'] * x",
    "a query": "return len(frame.query('a > @limit')) * x",
    "a nested function": "def inner():\n        return globals()['scale']\n    return inner() * x",
}


@pytest.fixture(params=_FUNCTIONS)
def task(request, notebook):
    """A notebook with `f`, and the results of `f` there for 1 and 2."""
    notebook.ok("import pandas as pd\nscale, limit, frame = 3, 1, pd.DataFrame({'a': [1, 2, 3]})")
    notebook.ok(f"def f(x):\n    {_FUNCTIONS[request.param]}")
    return notebook, notebook.ok("[f(1), f(2)]").value


def test_a_map_finds_them(task):
    """They were not read by name, so no analysis of the function's own names finds them."""
    notebook, expected = task
    assert notebook.ok("found = %lambda_map f [1, 2]\nfound").value == expected


def test_a_cell_finds_them_through_a_function(task):
    """The cell itself mentions none of them."""
    notebook, expected = task
    assert notebook.ok("%%lambda\n[f(1), f(2)]").value == expected


def test_a_program_finds_them(task):
    """As with a forked ProcessPoolExecutor."""
    notebook, expected = task
    program = "with LambdaExecutor() as executor:\n    found = [*executor.map(f, [1, 2])]\nfound"
    assert notebook.ok(f"from lambdamagic import LambdaExecutor\n{program}").value == expected
