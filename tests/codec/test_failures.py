"""Exceptions taken apart and put together."""

from __future__ import annotations

import linecache
import pickle
from pathlib import Path

import pytest

from lambdamagic.codec import failures
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import (
    FrameRecord,
    RemoteCodeError,
    comes_from_the_object,
    describe,
    error_line,
    let_go,
    reassemble,
    render,
    traceback_of,
)
from lambdamagic.codec.home import Home


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


def _group():
    """Return a group with a member that has a cause, twice, and one that has no frames."""
    member = _raised("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e", "<member>")
    group = ExceptionGroup("both", [member, ValueError("bare"), member])
    return group, member


def test_members_of_a_group_have_their_tracebacks_again():
    """They and what is behind them are sent without frames, which would keep all that the code had in hand."""
    group, member = _group()
    tracebacks = [error.__traceback__ for error in (member, member.__cause__)]
    records = describe(group, internal=(__file__,))
    assert None not in tracebacks
    assert [error.__traceback__ for error in (member, member.__cause__)] == [None, None]
    first, bare, again = records[0].inside
    assert [(frame.filename, frame.lineno) for frame in first.frames] == [("<member>", 4)]
    assert [[frame.lineno for frame in each.frames] for each in first.inside] == [[2], []]
    assert (bare.frames, bare.inside, again.inside) == ([], (), ())
    records[0].rename({"<member>": "<cell>"})
    error = reassemble(records)
    assert error is group
    assert member.__traceback__.tb_frame.f_code.co_filename == "<cell>"
    assert member.__traceback__.tb_lineno == 4
    assert member.__cause__.__traceback__.tb_lineno == 2
    assert group.exceptions[1].__traceback__ is None


def test_a_group_within_a_group():
    """Its members, too."""
    inner = ExceptionGroup("inner", [_raised("raise KeyError('k')", "<member>")])
    reassemble(describe(ExceptionGroup("outer", [inner]), internal=(__file__,)))
    assert inner.exceptions[0].__traceback__.tb_lineno == 1


def test_a_group_that_is_its_own_cause_ends():
    """It is no member of itself, but code can set a cause."""
    member = ValueError("m")
    group = ExceptionGroup("g", [member])
    member.__cause__ = group
    (inside,) = describe(group, internal=())[0].inside
    assert [each.inside for each in inside.inside] == [()]


def test_names_of_files_are_the_users(chained):
    """Of each frame whose file has another name there; the rest stays."""
    frame = chained[0].frames[0]
    chained[0].rename({"<cell-of-test>": "<cell 7>"})
    renamed = chained[0].frames[0]
    assert renamed.filename == "<cell 7>"
    assert (renamed.lineno, renamed.name, renamed.line) == (frame.lineno, frame.name, frame.line)
    assert renamed.first_lineno == frame.first_lineno == 1
    chained[1].rename({"other": "x"})
    assert chained[1].frames[0].filename == "<cell-of-test>"
    assert FrameRecord("f", 1, "n").first_lineno == 0
    assert failures.ErrorRecord("T", "m", []).suppress_context is False


@pytest.mark.parametrize(
    ("last", "links", "is_suppressed"),
    [("raise ValueError from e", ["cause", ""], True), ("raise ValueError", ["context", ""], False),
     ("raise ValueError from None", [""], True)],
)  # fmt: skip
def test_how_exceptions_hang_together(last, links, is_suppressed):
    """As Python has it, and it is the same when they are put together."""
    error = _raised(f"try:\n    raise KeyError('k')\nexcept KeyError as e:\n    {last}")
    before = error.__cause__, error.__context__
    records = describe(error, internal=(__file__,))
    assert [record.link for record in records] == links
    assert records[0].suppress_context is is_suppressed
    for record in records:
        record.exception = None
    made = reassemble(records)
    assert made.__suppress_context__ is is_suppressed
    assert [made.__cause__ is not None, made.__context__ is not None] == ["cause" in links, "context" in links]
    assert len([each for each in before if each]) >= len(links) - 1
    assert ("During handling" in render(records), "direct cause" in render(records)) == (
        "context" in links,
        "cause" in links,
    )


def test_our_own_frames_are_left_out():
    """At the beginning those of internal files, and the worker's anywhere."""
    worker = str(Path(failures.__file__).parents[1] / "worker" / "displays.py")
    inner = compile("def shown(f): f()", worker, "exec")
    internal = compile("def called(f): f()", "/internal/file.py", "exec")
    user = compile("def user(): called(lambda: shown(fail))\ndef fail(): 1 / 0", "<user>", "exec")
    names = {}
    for code in (inner, internal, user):
        exec(code, names)
    with pytest.raises(ZeroDivisionError) as caught:
        names["called"](names["user"])
    found = describe(caught.value, internal=(__file__, "/internal/"))[0].frames
    assert [(frame.filename, frame.name) for frame in found] == [
        ("<user>", "user"),
        ("/internal/file.py", "called"),
        ("<user>", "<lambda>"),
        ("<user>", "fail"),
    ]


class _Odd(ValueError):
    def __str__(self):
        raise KeyError


def test_an_exception_whose_text_cannot_be_made():
    """Its record says so; names have a module outside of the builtins and the notebook."""
    (record,) = describe(_Odd(), internal=())
    assert record.message == "<its __str__ raised KeyError>"
    assert record.type_name == f"{__name__}._Odd"
    names = ("ValueError", "Exception", "BaseException")
    assert record.kinds == (f"{__name__}._Odd", *(f"builtins.{name}" for name in names))
    assert render([record]) == f"{__name__}._Odd: <its __str__ raised KeyError>"
    assert render(describe(ValueError(), internal=())) == "ValueError"


def test_a_line_is_that_of_the_outermost(chained):
    """Of 300 characters at most."""
    assert error_line(chained) == "ValueError: outer"
    for length, expected in ((288, 300), (289, 300)):
        assert len(error_line(describe(ValueError("x" * length), internal=()))) == expected
    assert not error_line(describe(ValueError("x" * 288), internal=())).endswith(".")


def test_a_text_shows_lines_where_they_are_known():
    """As Python does."""
    record = describe(ValueError("v"), internal=())[0]
    record.frames = [FrameRecord("<nowhere>", 3, "f"), FrameRecord("<nowhere>", 4, "g", "g()")]
    lines = [
        "Traceback (most recent call last):", '  File "<nowhere>", line 3, in f', '  File "<nowhere>", line 4, in g',
        "    g()", "ValueError: v",
    ]  # fmt: skip
    assert render([record]) == "\n".join(lines)


def test_lines_of_remote_files_are_remembered():
    """Each at its place, next to those that are known; a file that is here keeps its lines."""
    name = "/nowhere/remote.py"
    try:
        traceback_of([FrameRecord(name, 3, "f", "three")])
        traceback_of([FrameRecord(name, 1, "f", "one"), FrameRecord(name, 4, "f", "four"), FrameRecord(name, 5, "f")])
        assert linecache.getlines(name) == ["one\n", "\n", "three\n", "four\n"]
        assert linecache.cache[name][0] == len("one\n\nthree\nfour\n")
        traceback_of([FrameRecord(name, 3, "f", "other")])
        assert linecache.getline(name, 3) == "three\n"
        unknown = traceback_of([FrameRecord(name, 0, "f")])
        assert unknown.tb_lineno == unknown.tb_frame.f_lineno == 1
        assert traceback_of([]) is None
    finally:
        linecache.cache.pop(name, None)


def _explained(error):
    return getattr(reassemble(describe(error, internal=())), "__notes__", [])


def test_a_file_that_is_here_is_named(tmp_path, monkeypatch):
    """By its path in the working directory there; a library's message may have it only."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    note = (
        "data/a.csv is on this machine and was not sent to Lambda: `%%lambda --file data/a.csv`, or "
        "LambdaExecutor(files=['data/a.csv']), sends it"
    )
    there = "/tmp/lambdamagic-scratch/work/"
    for name in ("data/a.csv", there + "data/a.csv"):
        assert _explained(FileNotFoundError(2, "No such file", name)) == [note]
        assert _explained(FileNotFoundError(f"Unable to open (name = '{name}', errno = 2)")) == [note]
        assert _explained(FileNotFoundError(f"cannot open {name}.")) == [note]
        assert _explained(OSError(2, "No such file", name)) == [note], "Python makes it the same type"
        assert _explained(ValueError(f"no {name}")) == []
    folder = str(tmp_path / "data")
    assert _explained(FileNotFoundError(2, "No such file", folder))[0].startswith(f"{folder} is on this machine")
    assert _explained(FileNotFoundError(2, "No such file", "data/other.csv")) == []
    assert _explained(FileNotFoundError(2, "No such file", there)) == []
    assert _explained(FileNotFoundError("nothing is named, nor data/.")) == []
    assert _explained(FileNotFoundError(2, "No such file", 5)) == []


def test_a_missing_file_behind_another_error_is_named_too(tmp_path, monkeypatch):
    """It is explained where it is in the chain."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    error = ValueError("outer")
    error.__cause__ = FileNotFoundError(2, "No such file", "a")
    assert _explained(error) == []
    assert len(error.__cause__.__notes__) == 1


class _Unreduced:
    def __reduce__(self):
        return 5


def test_whose_code_has_raised():
    """The object's, or the pickler's about it; what was never raised comes from no code."""
    names = {}
    for file in ("<cell>", "/home/user/lambdamagic/notebooks/own.py"):
        exec(compile("class A:\n    def __reduce__(self): raise ValueError('own')", file, "exec"), names)
        for write in (pickle.dumps, pickle._dumps):
            with pytest.raises(ValueError, match="own") as caught:
                write(names["A"]())
            assert comes_from_the_object(caught.value), file
    with pytest.raises(pickle.PicklingError) as refused:
        Encoder(Home({}), kind="deep").dump(_Unreduced())
    assert not comes_from_the_object(refused.value)
    assert not comes_from_the_object(ValueError())


def test_nothing_is_held_by_what_was_raised():
    """Neither by it nor by what is behind it, though that be a circle."""
    error = _raised("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k')")
    inner = error.__context__
    other = inner.__cause__ = _raised("raise ValueError")
    other.__context__ = error
    assert let_go(error) is error
    assert [each.__traceback__ for each in (error, inner, other)] == [None] * 3
