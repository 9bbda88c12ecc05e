"""Exceptions taken apart and put together."""

from __future__ import annotations

import linecache

import pytest

from lambdamagic.codec.failures import RemoteCodeError, describe, error_line, reassemble, render


def _raised(source, filename="<cell-of-test>"):
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        exec(compile(source, filename, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.fixture
def chained():
    source = (
        "def f():\n    return {}['k']\ntry:\n    f()\nexcept KeyError as e:\n    raise ValueError('outer') from e\n"
    )
    return describe(_raised(source), internal=(__file__,))


def test_frames_begin_with_the_users_own(chained):
    """Frames of ours at the beginning are left out; lines and names are there."""
    outer, inner = chained
    assert [(frame.lineno, frame.name, frame.line) for frame in outer.frames] == [
        (6, "<module>", "raise ValueError('outer') from e")
    ]
    assert [(frame.lineno, frame.name, frame.line) for frame in inner.frames] == [
        (4, "<module>", "f()"),
        (2, "f", "return {}['k']"),
    ]


def test_the_text_is_that_of_python(chained):
    """As traceback prints it."""
    assert render(chained) == (
        "Traceback (most recent call last):\n"
        '  File "<cell-of-test>", line 4, in <module>\n'
        "    f()\n"
        '  File "<cell-of-test>", line 2, in f\n'
        "    return {}['k']\n"
        "KeyError: 'k'\n"
        "\n"
        "The above exception was the direct cause of the following exception:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "<cell-of-test>", line 6, in <module>\n'
        "    raise ValueError('outer') from e\n"
        "ValueError: outer"
    )


def test_put_together_it_has_real_tracebacks(chained):
    """Lines, files and causes; no internal frames."""
    error = reassemble(chained)
    assert type(error) is ValueError
    assert type(error.__cause__) is KeyError
    assert error.__traceback__.tb_lineno == 6
    inner = error.__cause__.__traceback__
    assert (inner.tb_lineno, inner.tb_next.tb_lineno, inner.tb_next.tb_next) == (4, 2, None)
    assert inner.tb_next.tb_frame.f_code.co_name == "f"


def test_an_exception_that_stayed_remote(chained):
    """Its name and message are in one of ours."""
    chained[0].exception = None
    error = reassemble(chained)
    assert type(error) is RemoteCodeError
    assert (str(error), error.type_name) == ("ValueError: outer", "ValueError")
    assert error.remote_traceback.endswith("ValueError: outer")


def test_a_cycle_of_causes_ends():
    """Each exception once."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert [record.message for record in describe(one, internal=())] == ["one", "two"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\nb"), "ValueError: a"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError("x" * 400), "ValueError: " + "x" * 285 + "..."),
    ],
)
def test_one_line(error, line):
    """Bounded, and never more than one."""
    assert error_line(describe(error, internal=())) == line
