"""An exception of the cell is raised in the notebook with its own type and the cell's own lines."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pytest

from lambdamagic.errors import FunctionTimedOutError


def test_its_own_type_and_message(notebook):
    """`except ZeroDivisionError` works, and the note says where it came from."""
    error = notebook.fails("1 / 0").error
    assert type(error) is ZeroDivisionError
    assert str(error) == "division by zero"
    assert error.__notes__[-1].startswith("raised on Lambda (local, request ")


def test_the_traceback_shows_the_cells_own_lines(notebook):
    """The line, its number, the functions of the notebook on the way; and no frame of ours or IPython's."""
    notebook.ok("def inner(x):\n    return 1 / x\n")
    text = notebook.fails("a = 1\ndef outer():\n    return inner(0)\nb = 2\nouter()").traceback
    assert "----> 6 outer()" in text
    assert "----> 4     return inner(0)" in text
    assert "----> 2     return 1 / x" in text
    assert "lambdamagic" not in text
    assert "run_cell_magic" not in text
    assert text.rstrip().splitlines()[-2] == "ZeroDivisionError: division by zero"


def test_empty_lines_at_the_top_count(notebook):
    """IPython drops them from a cell, but the user's editor numbers them."""
    text = notebook.run("%%lambda\n\n  \nfirst = 1\n1 / 0").traceback
    assert "----> 5 1 / 0" in text
    assert "(line 5 of the cell" in str(notebook.run("%%lambda\n\n\nfirst = 1\nnowhere").error)
    assert notebook.ok("%%lambda\n\n%time value = 6 * 7\nvalue").value == 42
    assert "----> 3 1 / item" in notebook.run("%%lambda_map item in [0]\n\n1 / item").traceback


def test_tracebacks_have_the_frames_of_libraries(notebook):
    """A library's frames are between."""
    text = notebook.fails("import json\njson.loads('{')").traceback
    assert "----> 3 json.loads('{')" in text
    assert "json/decoder.py" in text


def test_names_bound_before_the_error_come_back(notebook):
    """As in a kernel."""
    notebook.fails("x = 1\nraise ValueError('v')\ny = 2")
    assert notebook.names["x"] == 1
    assert "y" not in notebook.names


ODD = {
    "required arguments": (
        "class E(Exception):\n    def __init__(self, code, *, why):\n        super().__init__(f'{code}: {why}')\n"
        "        self.code, self.why = code, why",
        "E(3, why='w')",
        {"code": 3, "why": "w"},
        "3: w",
    ),
    "no call to super": (
        "class E(Exception):\n    def __init__(self, code):\n        self.code = code",
        "E(3)",
        {"code": 3},
        "3",
    ),
    "own __str__": (
        "class E(Exception):\n    def __str__(self):\n        return 'mine'",
        "E('other')",
        {},
        "mine",
    ),
    "own __reduce__": (
        "class E(Exception):\n    def __init__(self, a, b):\n        super().__init__(a)\n        self.b = b\n"
        "    def __reduce__(self):\n        return (E, (self.args[0], self.b))",
        "E(1, 2)",
        {"b": 2},
        "1",
    ),
    "subclass of OSError": (
        "class E(OSError):\n    pass",
        "E(2, 'gone', 'file.txt')",
        {"errno": 2, "filename": "file.txt"},
        "[Errno 2] gone: 'file.txt'",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_custom_exceptions_with_odd_constructors(notebook, name):
    """The type is the notebook's, and its attributes are there."""
    setup, made, attributes, text = ODD[name]
    notebook.ok(setup)
    error = notebook.fails(f"raise {made}").error
    assert type(error) is notebook.names["E"]
    assert {key: getattr(error, key) for key in attributes} == attributes
    assert str(error) == text


def test_an_exception_whose_str_raises(notebook):
    """It comes as itself all the same."""
    notebook.ok("class E(Exception):\n    def __str__(self):\n        raise KeyError('no')")
    ran = notebook.ok("""
        try:
            get_ipython().run_cell_magic('lambda', '', "raise E('other')")
        except E as error:
            caught = error.args
        caught
    """)
    assert ran.value == ("other",)


def test_a_custom_exception_defined_in_the_cell(notebook):
    """Its class comes back too."""
    error = notebook.fails("class Here(ValueError):\n    pass\nraise Here('x', 2)").error
    assert type(error) is notebook.names["Here"]
    assert error.args == ("x", 2)


def test_chained_causes(notebook):
    """`raise ... from` and implicit context, each with its own traceback and lines."""
    ran = notebook.fails("""
        try:
            {}['k']
        except KeyError as e:
            raise ValueError('outer') from e
    """)
    assert type(ran.error.__cause__) is KeyError
    assert "----> 3     {}['k']" in ran.traceback
    assert "The above exception was the direct cause of the following exception:" in ran.traceback
    ran = notebook.fails("try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('outer')")
    assert type(ran.error.__context__) is KeyError
    assert ran.error.__cause__ is None
    assert "During handling of the above exception, another exception occurred:" in ran.traceback


def test_a_suppressed_context(notebook):
    """`raise ... from None` hides it."""
    ran = notebook.fails("try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('outer') from None")
    assert ran.error.__suppress_context__
    assert "KeyError" not in ran.traceback.replace("except KeyError", "")


def test_notes(notebook):
    """`add_note` comes along, and is shown."""
    ran = notebook.fails("e = ValueError('v')\ne.add_note('look here')\nraise e")
    assert ran.error.__notes__[0] == "look here"
    assert "look here" in ran.traceback


def test_exception_groups(notebook):
    """`except*` in the notebook works on it."""
    notebook.ok("class Bad(Exception): pass")
    error = notebook.fails("raise ExceptionGroup('several', [ValueError('v'), Bad('b')])").error
    assert type(error) is ExceptionGroup
    assert error.message == "several"
    assert [type(inner) for inner in error.exceptions] == [ValueError, notebook.names["Bad"]]


def test_an_exception_that_cannot_be_pickled(notebook):
    """Its name, message and traceback come, in an error of ours."""
    ran = notebook.fails("e = ValueError('held')\ne.frame = __import__('sys')._getframe()\nraise e")
    assert type(ran.error).__name__ == "RemoteCodeError"
    assert str(ran.error) == "ValueError: held"
    assert ran.error.type_name == "ValueError"
    assert "----> 4 raise e" in ran.traceback


@pytest.mark.filterwarnings("ignore:To exit:UserWarning")
def test_system_exit_and_keyboard_interrupt(notebook):
    """They end the cell as they do in a kernel, and not the kernel."""
    assert type(notebook.fails("import sys\nsys.exit(3)").error) is SystemExit
    assert type(notebook.fails("raise KeyboardInterrupt").error) is KeyboardInterrupt
    assert notebook.remote("1 + 1").value == 2


def test_recursion(notebook):
    """A RecursionError comes back as one, with a traceback of bounded length."""
    ran = notebook.fails("""
        import sys
        usual = sys.getrecursionlimit()
        def f(n):
            return f(n + 1)
        try:
            sys.setrecursionlimit(200)
            f(0)
        finally:
            sys.setrecursionlimit(usual)
    """)
    assert type(ran.error) is RecursionError
    assert "skipping similar frames: f at line 5" in ran.traceback


def test_a_name_error_on_lambda(notebook):
    """A name that is surely missing is reported before anything is sent, others by Python's own error."""
    before = notebook.invocations()
    error = notebook.fails("x = 1\nx + nowhere").error
    assert type(error) is NameError
    assert str(error) == "name 'nowhere' is not defined (line 3 of the cell; nothing was sent to Lambda)"
    assert notebook.invocations() == before
    assert type(notebook.fails("def f():\n    return nowhere\nf()").error) is NameError


def test_an_error_in_an_own_module_names_the_users_file(notebook, tmp_path):
    """The traceback leads to the file on the user's disk."""
    (tmp_path / "breaks.py").write_text("def run():\n    raise LookupError('in the module')\n")
    ran = notebook.fails("import breaks\nbreaks.run()")
    assert type(ran.error) is LookupError
    assert "breaks.py" in ran.traceback
    assert "lambdamagic-modules" not in ran.traceback
    assert "----> 2     raise LookupError('in the module')" in ran.traceback


def test_in_a_real_kernel(kernel):
    """The error message of the protocol has type, value and the cell's lines."""
    error = kernel.run("%%lambda -q\nx = 1\nint('x')").error
    assert (error["ename"], error["evalue"]) == ("ValueError", "invalid literal for int() with base 10: 'x'")
    text = "\n".join(error["traceback"])
    assert "int" in text
    assert "run_cell_magic" not in text


_TERSE = """\
class Terse(Exception):
    def _render_traceback_(self):
        return [f"Terse: {self.args[0].lower()}"]
raise Terse(%r)"""


def test_an_exception_that_renders_itself_does_so(kernel):
    """IPython's hook of a class is asked, as in the kernel; where it fails, the traceback is shown."""
    plain = kernel.run(_TERSE % "A").error["traceback"]
    assert kernel.run(f"%%lambda -q\n{_TERSE % 'A'}").error["traceback"][:-1] == plain == ["Terse: a"]
    broken = "\n".join(kernel.run(f"%%lambda -q\n{_TERSE % 1}").error["traceback"])
    assert "----> 5 raise Terse(1)" in re.sub(r"\x1b\[[0-9;]*m", "", broken)


@pytest.mark.parametrize("lead", ["", "helper = lambda: 1 / 0\n"])
def test_a_traceback_names_its_own_cell(kernel, notebook, lead):
    """In a kernel and in an IPython without one, whenever they count their cells."""
    body = f"%%lambda -q\n{lead}{'helper()' if lead else '1 / 0'}"
    reported = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(kernel.run(body).error["traceback"]))
    number = kernel.run("len(In) - 2").value
    assert f"Cell In[{number}], line 2" in reported
    assert set(re.findall(r"In\[(\d+)\]", reported)) == {number}
    reported = notebook.run(body).traceback
    number = notebook.ok("len(In) - 2").value
    assert set(re.findall(r"In\[(\d+)\]", re.sub(r"\x1b\[[0-9;]*m", "", reported))) == {str(number)}


_CAUGHT = """\
    def fail(n):
        raise OSError(2, f'gone {n}')
    results = %lambda_map --on-error return fail [1]
    caught = results
    for body in ('raise OSError(2, "gone 1")', 'not_there_at_all'):
        try:
            get_ipython().run_cell_magic('lambda', '', body)
        except (OSError, NameError) as error:
            caught.append(error)
    try:
        from lambdamagic.magics.remote_errors import interrupted
        raise interrupted('stopped')
    except KeyboardInterrupt as error:
        caught.append(error)
    from lambdamagic.errors import FunctionTimedOutError
    caught.append(FunctionTimedOutError('late', hint='wait', stacks='Thread', request_id='r'))
"""
_COPIES = {
    "copy": "import copy\ncopies = [copy.copy(each) for each in caught]",
    "deepcopy": "import copy\ncopies = copy.deepcopy(caught)",
    "joblib": "import io, joblib\nfile = io.BytesIO()\njoblib.dump(caught, file)\ncopies = joblib.load(file)",
    "another cell": "%%lambda\ncopies = [each for each in caught]",
    **{
        name: f"import {name}\ncopies = {name}.loads({name}.dumps(caught))"
        for name in ("pickle", "dill", "cloudpickle")
    },
}


def test_caught_exceptions_can_be_sent_again(notebook):
    """Each that we hand out is copied and pickled as one that was raised here, and shows the remote lines then too."""
    notebook.ok(_CAUGHT)
    reported = [(type(each), each.args, str(each)) for each in notebook.names["caught"]]
    kinds = [FileNotFoundError, FileNotFoundError, NameError, KeyboardInterrupt, FunctionTimedOutError]
    assert [kind for kind, *_ in reported] == kinds
    for name, code in _COPIES.items():
        notebook.ok(code)
        copies = notebook.names["copies"]
        assert [(type(each), each.args, str(each)) for each in copies] == reported, name
        assert [bool(each._render_traceback_()) for each in copies] == [True] * 5, name
        assert copies[0].__notes__[0].startswith("raised on Lambda by item 1 of 1")
    copied = pickle.loads(pickle.dumps(notebook.names["caught"][1]))
    assert copied._render_traceback_()[-1] == "FileNotFoundError: [Errno 2] gone 1"


def test_a_syntax_error_is_shown_as_in_a_cell(kernel):
    """The line and the place, and no frames; likewise where a map's callable or items cannot be evaluated."""
    reported = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(kernel.run("%%lambda -q\nx = 1\ny = = 2").error["traceback"]))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(kernel.run("x = 1\ny = = 2").error["traceback"]))
    assert (
        reported.splitlines()[-3:]
        == plain.splitlines()[-3:]
        == ["    y = = 2", "        ^", "SyntaxError: invalid syntax"]
    )
    assert re.match(r"  Cell In\[\d+\], line 3", reported) and "lambdamagic" not in reported
    kernel.run("def items():\n    return [1 / 0]\ndef few():\n    yield 1\n    raise KeyError('few')")
    lines = {
        "nosuch [1]": "Name",
        "len items()": "in items()",
        "abs few()": "in few()",
        "(lambda v: v.no) [1]": "in <lambda>()",
    }
    for line, shown in lines.items():
        error = kernel.run(f"x = 1\n%lambda_map -q {line}").error
        reported = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
        assert "File" not in reported and "get_ipython" not in reported, reported
        assert shown in reported and ("line 2" in reported or line == "abs few()"), reported
    error = kernel.run("%%lambda_map -q a, b in [1]\na").error
    assert "---> 1 %%lambda_map -q a, b in [1]" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))


_GROUP = """
import asyncio
async def fails(number):
    await asyncio.sleep(0)
    raise ValueError(number)
async with asyncio.TaskGroup() as tasks:
    for number in range(2):
        tasks.create_task(fails(number))
"""


@pytest.mark.parametrize("code", [_GROUP, "try:\n    1 / 0\nexcept* ZeroDivisionError:\n    raise OSError(2)"])
def test_a_group_is_shown_as_in_the_kernel(kernel, code):
    """With the lines of its members, and without those of IPython; what follows is shown as ever."""
    code = code.lstrip()
    plain, there = kernel.run(f"#\n{code}").stream("stderr"), kernel.run(f"%%lambda -q\n{code}").stream("stderr")

    def shown(text):
        lines = re.sub(r'(File ")[^"]*/\d+\.py"', r'\1cell"', text).splitlines()
        return [line for line in lines if "raised on Lambda" not in line and not re.fullmatch(r"[ |~^]*[~^]+", line)]

    expected = shown(re.sub(r'.*File ".*interactiveshell.py".*\n.*\n', "", plain))
    assert shown(there) == expected
    assert kernel.run("1 / 0").error["ename"] == "ZeroDivisionError"


def test_a_maps_card_shows_the_remote_lines_only(kernel):
    """Also where the map has raised the exception, which passed through our code then."""
    ran = kernel.run("import time\ndef fails(n):\n    time.sleep(1)\n    return 1 / n\n%lambda_map fails [0, 0]")
    shown = [each for kind in ("display_data", "update_display_data") for each in ran.bundles(kind)][-1]["text/html"]
    assert "in fails" in shown and "/lambdamagic/" not in shown


def test_a_value_that_cannot_be_sent_is_one_error_in_a_script():
    """No frames of a pickler's: Python prints causes, and they would hide the work to do."""
    code = """
import threading
from lambdamagic import LambdaExecutor

class Model:
    def __reduce__(self):
        raise TypeError("holds a connection")

model = Model()
with LambdaExecutor(target="local") as executor:
    executor.submit(lambda: model).result()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.count("Traceback (most recent call last)") == 1
    assert "holds a connection" in done.stderr and "dill" not in done.stderr.replace("--serializer dill", "")
