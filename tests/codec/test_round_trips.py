"""Every construct goes there by every serializer, and works."""

from __future__ import annotations

import pytest

from lambdamagic.codec.encode import Decoder
from tests.cells.test_classes import CASES as CLASSES
from tests.cells.test_functions import CASES as FUNCTIONS
from tests.codec.conversations import KINDS, Conversation, encode_once, run

CASES = {**FUNCTIONS, **CLASSES}


@pytest.mark.parametrize("serializer", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_a_construct_works_where_it_arrives(name, serializer):
    """The same expression has the same value there."""
    if (name, serializer) == ("singledispatch", "cloudpickle"):
        pytest.skip("cloudpickle cannot carry the weak references of functools.singledispatch; dill can")
    setup, body, expected = CASES[name]
    talk = Conversation(setup, serializer)
    talk.ask()
    assert repr(run(body, talk.there)) == expected


def test_functions_arrive_in_one_namespace():
    """All captured functions share the globals of the other side."""
    talk = Conversation("def f(): return g\ndef g(): return 1\nholder = [f, lambda: f]")
    talk.ask()
    assert talk.there["f"].__globals__ is talk.there
    assert talk.there["holder"][0] is talk.there["f"]
    assert talk.there["holder"][1].__globals__ is talk.there


def test_equal_code_gives_equal_bytes():
    """Content addresses repeat from run to run."""
    source = "def f(x, y=2):\n    def g():\n        return [x * i for i in range(y)]\n    return g"
    written = []
    for _ in range(2):
        talk = Conversation(source)
        written.append(b"".join(encode_once(talk.home, talk.here["f"]).segments))
    assert written[0] == written[1]


def test_large_buffers_stay_out_of_the_stream_and_arrive_writable():
    """An array of 1 MB is a separate frame."""
    talk = Conversation("import numpy as np\nx = np.arange(131072.0)")
    frames = encode_once(talk.home, talk.here["x"])
    assert frames.sizes[1:] == (1_048_576,)
    assert frames.sizes[0] < 500
    back = Decoder([bytearray(segment) for segment in frames.segments], talk.remote).load()
    back[0] = 5
    assert back[:3].tolist() == [5, 1, 2]


def test_a_class_of_a_previous_answer_can_be_asked_with_again():
    """What the function made and the notebook sends on is read by a fresh function."""
    first = Conversation("x = 1")
    first.ask()
    first.answer("class P:\n    def f(self): return 3\np = P()")
    second = Conversation("pass")
    second.here.update({name: first.here[name] for name in ("P", "p")})
    second.home = first.home
    second.home.namespace.update(second.here)
    second.ask()
    assert second.there["p"].f() == 3
    assert type(second.there["p"]) is second.there["P"]
