"""Our decoder against the standard library's dis."""

from __future__ import annotations

import dis
import json.decoder
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdamagic.capture.opcodes import JUMPS, decode, protected_ranges


def all_code(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from all_code(constant)


MODULES = ["argparse", "asyncio.base_events", "json.decoder", "typing", "tarfile", "contextlib"]


@pytest.mark.parametrize("module", MODULES)
def test_instructions_are_those_of_dis(module: str) -> None:
    """Opcode, argument, line and jump target of every instruction of some large modules."""
    source = __import__(module, fromlist=["x"]).__file__
    top = compile(Path(source).read_text("utf-8"), source, "exec", dont_inherit=True)
    for code in all_code(top):
        expected = [
            (i.opcode, i.arg or 0, i.argval if i.opcode in JUMPS else -1)
            for i in dis.get_instructions(code)
            if i.opname not in ("EXTENDED_ARG", "CACHE")
        ]
        found = decode(code)
        assert [(i.op, i.arg if i.op >= dis.HAVE_ARGUMENT else 0, i.target) for i in found] == [
            (number, arg if number >= dis.HAVE_ARGUMENT else 0, target) for number, arg, target in expected
        ]
        lines = {start: line for start, end, line in code.co_lines() for start in range(start, end, 2)}
        assert all(i.line == lines[i.offset] for i in found if lines[i.offset])


@pytest.mark.parametrize("module", MODULES)
def test_the_exception_table_is_that_of_dis(module: str) -> None:
    """Each protected range and its handler."""
    source = __import__(module, fromlist=["x"]).__file__
    top = compile(Path(source).read_text("utf-8"), source, "exec", dont_inherit=True)
    for code in all_code(top):
        expected = [(e.start, e.end, e.target) for e in dis.Bytecode(code).exception_entries]
        found = protected_ranges(code)
        if sys.version_info < (3, 13):
            assert [(r.start, r.end, r.target) for r in found] == [
                (start, end, target) for start, end, target in expected
            ]
        else:
            assert len(found) == len(expected)


def test_code_that_has_run_is_decoded_alike() -> None:
    """Specialized opcodes and filled caches do not show."""
    decoder = json.decoder.JSONDecoder()
    code = json.decoder.JSONDecoder.raw_decode.__code__
    before = decode(code)
    for _ in range(100):
        decoder.decode("[1, 2]")
    assert decode(code) == before
