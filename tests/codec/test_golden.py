"""Bytes that version 1 of the protocol wrote are read by today's code.

`python -m tests.codec.test_golden` writes the files again, which is right only together with a new protocol version:
deployed functions and notebooks of different releases exchange these bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lambdamagic.codec.answer import read_answer
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import describe, reassemble
from lambdamagic.codec.home import Home
from lambdamagic.jobs.job import Arrival, Unit
from lambdamagic.jobs.outcomes import outcomes
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Request, Response
from lambdamagic.protocol.payload import inline_payload
from lambdamagic.worker.blobs import BlobCache
from lambdamagic.worker.program import LoadedProgram
from lambdamagic.worker.shared_objects import SharedObjects
from lambdamagic.worker.stays import StayedFrames
from tests.codec.conversations import Conversation, run

_PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}"
_FOLDER = Path(__file__).parents[1] / "data"
# Code objects are of one minor version of Python: each has a separate file.
_FILE = _FOLDER / f"protocol-v1-{_PYTHON}.json"

_SETUP = """
    import abc, collections, dataclasses, datetime, decimal, enum, functools
    class Colour(enum.Enum):
        RED = 1
    @dataclasses.dataclass
    class Point:
        x: int
        tags: list = dataclasses.field(default_factory=list)
    class Meta(type):
        pass
    class Shape(abc.ABC, metaclass=type('M', (abc.ABCMeta,), {})):
        __slots__ = ('size',)
        @property
        def area(self):
            return self.size ** 2
    class Square(Shape):
        @classmethod
        def of(cls, size):
            made = cls(); made.size = size
            return made
    def make(n):
        def add(x, *, k=1):
            return x + n + k + base
        return add
    base = 100
    add = make(10)
    @functools.lru_cache(maxsize=8)
    def double(x):
        return 2 * x
    class Bad(Exception):
        def __init__(self, code):
            super().__init__(code)
            self.code = code
    data = {'list': [1, 2.5, 'x', None, b'b'], 'set': {1}, 'tuple': (1, (2,)), 'big': 10 ** 40}
    moment, money = datetime.datetime(2025, 1, 2), decimal.Decimal('1.5')
    blob = bytearray(range(256)) * 40
    counts = collections.Counter('aab')
    point, square, colour, bad = Point(1, ['t']), Square.of(3), Colour.RED, Bad(7)
    partial = functools.partial(add, k=2)
"""
_CHECK = (
    "[point, square.area, colour is Colour.RED, add(1), double(4), bad.code, data, moment.year, str(money), "
    "len(blob), counts['a'], partial(1), isinstance(square, Shape), type(point) is Point]"
)
_EXPECTED = (
    "[Point(x=1, tags=['t']), 9, True, 112, 8, 7, {'list': [1, 2.5, 'x', None, b'b'], 'set': {1}, "
    "'tuple': (1, (2,)), 'big': 10000000000000000000000000000000000000000}, 2025, '1.5', 10240, 2, 113, True, True]"
)


def _write() -> None:
    talk = Conversation(_SETUP)
    encoder = Encoder(talk.home)
    header = {
        "code": compile("result = 1", "<cell>", "exec"),
        "value_name": None,
        "loop_code": None,
        "sources": {"<cell>": "result = 1\n"},
        "modules": [],
        "submodules": ["collections.abc"],
        "deleted_only": [],
        "uses_ipython": False,
    }
    encoder.dump(header)
    for name, value in talk.here.items():
        if not name.startswith("__"):
            encoder.dump(("names", {name: value}))
    program = inline_payload([bytes(segment) for segment in encoder.frames().segments])
    request = Request(versions.here(), "cell", "job", "000001", b"k" * 32, program)
    other = Conversation("pass")
    other.ask()
    other.answer("import dataclasses\n@dataclasses.dataclass\nclass Made:\n    x: int\nmade = Made(3)\nmade.x")
    response = Response(versions.here(), "done", inline_payload([bytes(s) for s in other.sent.frames.segments]))
    try:
        raise ValueError("golden") from KeyError("cause")
    except ValueError as error:
        records = describe(error, internal=())
    home = Home({}, answers=True)
    chunk = Encoder(home)
    chunk.dump({"value": [1, 2], "seconds": 0.5})
    chunk.dump({"error": records, "seconds": 0.25})
    mapped = inline_payload([bytes(segment) for segment in chunk.frames().segments])
    documents = {
        "request": request.to_json(),
        "response": response.to_json(),
        "map_response": Response(versions.here(), "done", mapped).to_json() | {"tasks": [[0.5, ""], [0.25, "e"]]},
    }
    _FOLDER.mkdir(exist_ok=True)
    _FILE.write_text(json.dumps(documents, indent=1) + "\n")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    if not _FILE.exists():
        pytest.skip(f"no golden file of {_PYTHON} was made yet")
    return json.loads(_FILE.read_text())


def test_a_request_of_version_1(golden, tmp_path):
    """Functions, classes and data of that time are read, and work."""
    program = LoadedProgram(Request.from_json(golden["request"]), BlobCache(tmp_path), SharedObjects(), StayedFrames())
    try:
        assert repr(run(_CHECK, program.main.__dict__)) == _EXPECTED
        assert program.header["sources"] == {"<cell>": "result = 1\n"}
    finally:
        program.close()


def test_an_answer_of_version_1(golden):
    """Names and the shown value come out."""
    response = Response.from_json(golden["response"])
    home = Home({"__name__": "__main__"})
    effects = read_answer(home, Encoder(home), [], response.payload.inline_segments())
    assert effects.values == [3]
    assert effects.bound["made"] == effects.bound["Made"](3)


def test_outcomes_of_a_map_of_version_1(golden):
    """Values and errors, each in its place."""
    response = Response.from_json(golden["map_response"])
    arrival = Arrival(Unit((0, 1)), response, response.payload.inline_segments(), None, None)
    (_, value), (_, failure) = outcomes(arrival, Home({"__name__": "__main__"}))
    assert value == [1, 2]
    error = reassemble(failure.records)
    assert (type(error), str(error), type(error.__cause__)) == (ValueError, "golden", KeyError)


def test_the_file_says_which_versions_wrote_it(golden):
    """They are checked before anything is unpickled."""
    assert golden["request"]["lambdamagic"] == {
        "protocol": 1,
        "python": _PYTHON[2] + "." + _PYTHON[3:],
        "serializers": {},
    }


if __name__ == "__main__":
    _write()
