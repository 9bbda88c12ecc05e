"""What the cell prints, warns and logs appears in the cell."""

from __future__ import annotations


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


def test_a_warning_filter_lasts_for_its_cell_only(notebook):
    """The environment is warm, the filters are not."""
    notebook.remote("import warnings\nwarnings.simplefilter('ignore')\nwarnings.warn('one')")
    assert "UserWarning: two" in notebook.remote("import warnings\nwarnings.warn('two')").stderr


def test_logging_appears_as_in_a_kernel(notebook):
    """Warnings of an unconfigured logger go to stderr; a configured one writes where it was told to."""
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
    assert notebook.remote("import logging\nlogging.info('quiet again')").stdout == ""


def test_output_of_threads_and_of_binary_writes(notebook):
    """Both streams are real text streams with a buffer."""
    ran = notebook.remote("""
        import sys, threading
        t = threading.Thread(target=print, args=('from a thread',)); t.start(); t.join()
        sys.stdout.buffer.write(b'bytes\\n'); sys.stdout.flush()
        print('ä€😀')
    """)
    assert ran.stdout == "from a thread\nbytes\nä€😀\n"


def test_output_before_an_error_appears(notebook):
    """What was printed before the exception is shown before it."""
    ran = notebook.fails("print('before')\n1 / 0\nprint('after')")
    assert ran.stdout == "before\n"
    assert isinstance(ran.error, ZeroDivisionError)


def test_very_much_output_is_cut_and_told(notebook):
    """Two million characters are kept, and the rest is counted."""
    ran = notebook.remote("for i in range(30):\n    print('x' * 99_999)")
    assert len(ran.stdout) == 2_000_000
    assert ran.stderr.strip() == "[lambdamagic: 1,000,000 more characters of output were left out]"


def test_nothing_can_be_read_from_stdin(notebook):
    """`input()` raises at once instead of hanging until the timeout."""
    ran = notebook.fails("input('name? ')")
    assert isinstance(ran.error, EOFError | RuntimeError | OSError)


def test_the_kernels_own_stream_is_refused_by_name(kernel):
    """An object that is bound to the kernel's stdout cannot travel, and is not silently replaced."""
    kernel.run("import sys\nout = sys.stdout")
    error = kernel.run("%%lambda -q\nprint('x', file=out)").error
    assert error["ename"] == "EncodeError"
    assert error["evalue"].startswith("out cannot be sent to Lambda")
