"""Tracebacks made of remote lines, as viewers read them."""

from __future__ import annotations

import inspect
import linecache
import traceback

import pytest

from lambdamagic.codec.failures import FrameRecord, describe, reassemble, traceback_of


@pytest.mark.parametrize(
    ("first", "line"), [(1, 1), (1, 2), (1, 33), (6, 69), (6, 70), (1, 5000), (3, 200_000), (0, 7), (9, 7)]
)
def test_a_rebuilt_frame_has_its_line_and_its_functions_first_line(first: int, line: int) -> None:
    """Both lines are those of the record, however far apart; an impossible beginning is the line itself."""
    rebuilt = traceback_of([FrameRecord("<nowhere>", line, "f", "x", first)])
    assert rebuilt is not None
    assert rebuilt.tb_lineno == line
    assert rebuilt.tb_frame.f_lineno == line
    code = rebuilt.tb_frame.f_code
    assert code.co_firstlineno == (first if 0 < first <= line else line)
    assert {each for _, _, each in code.co_lines()} == {line}
    assert max(end for _, end, _ in code.co_lines()) == len(code.co_code)


def test_the_source_of_a_rebuilt_frame_is_its_whole_function() -> None:
    """IPython's quick view of kernel cells shows a function from its first line; it once pointed at the `def`."""
    source = 'def before():\n    pass\n\ndef f(c):\n    """Doc."""\n    return c["k"]\n'
    filename = "/nowhere/cell-of-a-kernel.py"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        namespace: dict[str, object] = {}
        exec(compile(source, filename, "exec"), namespace)
        with pytest.raises(KeyError) as caught:
            namespace["f"]({})  # type: ignore[operator]
        error = reassemble(describe(caught.value, internal=(__file__,)))
        rebuilt = error.__traceback__
        assert rebuilt is not None
        assert inspect.getsourcelines(rebuilt.tb_frame) == (source.splitlines(keepends=True)[3:], 4)
        assert traceback.extract_tb(rebuilt)[0].lineno == 6
    finally:
        linecache.cache.pop(filename, None)
