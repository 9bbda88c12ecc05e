"""What the cell prints, warns and logs appears in the cell."""

from __future__ import annotations

import textwrap
from itertools import groupby


def test_stdout_and_stderr_appear(notebook):
    """Each on its own stream."""
    ran = notebook.remote("import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.stdout.write('no newline')")
    assert ran.stdout == "out\nno newline"
    assert ran.stderr == "err\n"
    assert ran.value == 10


def test_order_is_kept_among_streams_and_displays(kernel):
    """A real kernel receives the outputs in the order in which the code made them."""
    replied = kernel.run("""
        %%lambda -q
        import sys
        print('1')
        print('2', file=sys.stderr)
        display('3')
        print('4')
    """)
    kinds = [
        (kind, content.get("text") or content["data"]["text/plain"])
        for kind, content in replied.messages
        if kind in ("stream", "display_data")
    ]
    assert kinds == [("stream", "1\n"), ("stream", "2\n"), ("display_data", "'3'"), ("stream", "4\n")]


def test_warnings_appear(notebook):
    """With the cell's line, as the kernel shows them."""
    ran = notebook.remote("import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)")
    assert "UserWarning: careful" in ran.stderr
    assert "warnings.warn('careful')" in ran.stderr
    assert "DeprecationWarning: old" in ran.stderr


def test_a_warning_filter_lasts_as_in_a_kernel(notebook):
    """Until a cell takes it back: the notebook's filters are sent too, and those of the environment do not count."""
    notebook.remote("import warnings\nwarnings.simplefilter('ignore')\nwarnings.warn('one')")
    assert notebook.remote("import warnings\nwarnings.warn('two')").stderr == ""
    notebook.ok("import warnings\nwarnings.simplefilter('default')")
    assert "UserWarning: three" in notebook.remote("import warnings\nwarnings.warn('three')").stderr


def test_logging_appears_as_in_a_kernel(notebook):
    """Warnings of an unconfigured logger go to stderr; a configured one writes to its stream, in later cells too."""
    ran = notebook.remote(
        "import logging\nlogging.getLogger('app').warning('w %d', 1)\nlogging.getLogger('app').info('i')"
    )
    assert ran.stderr == "w 1\n"
    ran = notebook.remote("""
        import logging, sys
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(levelname)s %(message)s', force=True)
        logging.info('hello')
    """)
    assert ran.stdout == "INFO hello\n"
    assert notebook.remote("import logging\nlogging.info('again')").stdout == "INFO again\n"


def test_output_of_threads_and_of_binary_writes(notebook):
    """Both streams are real text streams with a buffer."""
    ran = notebook.remote("""
        import sys, threading
        t = threading.Thread(target=print, args=('from a thread',)); t.start(); t.join()
        sys.stdout.buffer.write(b'bytes\\n'); sys.stdout.flush()
        print('ä€😀')
    """)
    assert ran.stdout == "from a thread\nbytes\nä€😀\n"


_BELOW_PYTHON = """
    import ctypes, multiprocessing, os, subprocess, sys
    print('print 1')
    os.system('echo from a command; echo its error >&2')
    print('print 2')
    subprocess.run([sys.executable, '-c', 'print("from a program")'], check=True)
    print('print 3')
    ctypes.CDLL(None).puts(b'from C')
    print('print 4')
    os.write(1, 'ä from a descriptor\\n'.encode())
    display('displayed')
    child = multiprocessing.get_context('fork').Process(target=print, args=('from a fork',))
    child.start()
    child.join()
    del child
    print('print 5')
    ctypes.CDLL(None).puts(b'last, from C')
"""


def test_output_below_python_comes_in_order_with_prints(kernel):
    """Commands, programs, C libraries and forks write to descriptors, which lead to the cell while it runs."""
    replied = kernel.run("%%lambda -q\n" + textwrap.dedent(_BELOW_PYTHON))
    shown = ["print 1", "from a command", "print 2", "from a program", "print 3", "from C", "print 4"]
    shown += ["ä from a descriptor", "from a fork", "print 5", "last, from C"]
    assert (replied.stream("stdout").splitlines(), replied.stream("stderr")) == (shown, "its error\n")
    kinds = [content.get("name", kind) for kind, content in replied.messages if kind in ("stream", "display_data")]
    assert [kind for kind, _ in groupby(kinds)] == ["stdout", "stderr", "stdout", "display_data", "stdout"]


def test_very_much_output_of_a_command_is_not_waited_for(notebook):
    """It is read as it comes: no pipe is full for long, and the log has it too."""
    ran = notebook.remote("import os\nos.system('seq 300000')\nprint('end')")
    assert ran.stdout == "".join(f"{number}\n" for number in range(1, 300_001)) + "end\n"


def test_the_next_cell_has_no_output_of_what_an_earlier_one_left_running(notebook):
    """Its output after the cell's end goes to the function's log."""
    ran = notebook.remote("""
        import os, subprocess
        left = subprocess.Popen("read go; echo late", shell=True, stdin=subprocess.PIPE)
        descriptor = os.dup(left.stdin.fileno())
        number = left.pid
        del left
        print('early')
    """)
    assert ran.stdout == "early\n"
    ran = notebook.remote("import os\nos.write(descriptor, b'go\\n')\nos.waitpid(number, 0)[0] == number")
    assert (ran.value, ran.stdout) == (True, "")


def test_the_output_of_a_task_below_python_is_that_tasks(notebook):
    """A chunk of tasks has one record, in which each piece is noted with its task."""
    notebook.run("def speak(n):\n    import os\n    os.system(f'echo {n}')\n    return n")
    ran = notebook.ok("%lambda_map --chunksize 4 speak range(4)")
    assert ran.stdout == "0\n1\n2\n3\n"
    details = notebook.session.history[-1].map._card.details
    assert [details.describe(task).output for task in range(4)] == ["0\n", "1\n", "2\n", "3\n"]


def test_output_before_an_error_appears(notebook):
    """What was printed before the exception is shown before it."""
    ran = notebook.fails("print('before')\n1 / 0\nprint('after')")
    assert ran.stdout == "before\n"
    assert isinstance(ran.error, ZeroDivisionError)


def test_very_much_output_is_cut_with_a_note(notebook):
    """Two million characters are kept, and the rest is counted."""
    ran = notebook.remote("for i in range(30):\n    print('x' * 99_999)")
    assert len(ran.stdout) == 2_000_000
    assert ran.stderr.strip() == "[lambdamagic: 1,000,000 more characters of output were left out]"


def test_nothing_can_be_read_from_stdin(notebook):
    """`input()` raises at once instead of hanging until the timeout."""
    ran = notebook.fails("input('name? ')")
    assert isinstance(ran.error, EOFError | RuntimeError | OSError)


def test_the_kernels_own_stream_is_the_cells(kernel):
    """What an earlier cell bound to the kernel's stdout prints into the cell, there and here."""
    kernel.run("import sys\nout = sys.stdout")
    assert kernel.run("%%lambda -q\nprint('x', file=out)").stream("stdout") == "x\n"
    assert kernel.run("out is sys.stdout").value == "True"


def test_an_output_widget_that_is_cleared_keeps_what_the_cell_has_shown(notebook):
    """The kernel clears the widget's area only; without a `with` the cell's whole output, as ever."""
    ran = notebook.remote("""
        import ipywidgets
        from IPython.display import clear_output
        print('before')
        out, other = ipywidgets.Output(), ipywidgets.Output()
        with other:
            print('other')
        for n in range(3):
            with out:
                clear_output(wait=True)
                print('step', n)
                display(n)
        @out.capture(clear_output=True, wait=True)
        def last():
            print('last')
        last()
        other.clear_output()
        with other:
            print('again')
            with out:
                print('inner')
            print('outer')
        print('after')
    """)
    assert ran.stdout.splitlines() == ["before", "last", "again", "inner", "outer", "after"]
    assert ran.displays == []
    ran = notebook.remote("out = ipywidgets.Output()\nwith out:\n    print('there')\nclear_output()\nprint('end')")
    assert ran.stdout == "end\n"
