"""What tasks print and log is seen where the program runs."""

from __future__ import annotations

import pytest

from lambdamagic import LambdaExecutor, LambdaPool
from lambdamagic.errors import ConfigError

_SPEAK = "print('said') or print('warned', file=__import__('sys').stderr)"
_LOG = "__import__('logging').getLogger('x').error('logged')"


def test_output_comes_to_the_programs_own_streams(capfd):
    """As it is for calls, with the number of the task for maps; logging too."""
    with LambdaExecutor(1) as executor:
        executor.submit(eval, _SPEAK).result()
        executor.submit(eval, _LOG).result()
    said = capfd.readouterr()
    assert (said.out, said.err) == ("said\n", "warned\nlogged\n")
    with LambdaExecutor(1) as executor:
        list(executor.map(eval, ["print('one')", "print('a') or print('b')"], chunksize=2))
    assert capfd.readouterr().out == "[task 0] one\n[task 1] a\n[task 1] b\n"
    with LambdaExecutor(1) as executor:
        list(executor.map(eval, ["print('begin') or print('10%\\r 20%\\r100%')"]))
    assert capfd.readouterr().out == "[task 0] begin\n[task 0] 100%\n"
    with LambdaPool(1) as pool:
        pool.map(eval, ["print('pooled')"])
    assert capfd.readouterr().out == "[task 0] pooled\n"


def test_output_can_be_dropped_or_taken(capfd):
    """By whoever does not want it on the terminal."""
    taken = []
    with LambdaExecutor(1, stdout="drop") as executor:
        executor.submit(eval, _SPEAK).result()
    with LambdaExecutor(1, stdout=lambda *shown: taken.append(shown)) as executor:
        executor.submit(eval, _SPEAK).result()
        list(executor.map(eval, ["1", "print('one')"], chunksize=2))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert taken == [(0, "stdout", "said\n"), (0, "stderr", "warned\n"), (1, "stdout", "one\n")]
    with pytest.raises(ConfigError, match="inherit"):
        LambdaExecutor(1, stdout="loud")
