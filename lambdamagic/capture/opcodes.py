"""Decode bytecode of CPython 3.11 to 3.13 into instructions, and say what each opcode does to control flow.

The standard `dis` builds a rich object per instruction, which costs more than the whole analysis; a cell's
plan is made while the user waits. This module does not know names: see `events`.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its EXTENDED_ARG prefixes folded in and its inline caches left out."""

    offset: int  # of the first EXTENDED_ARG prefix, which is where jumps land
    op: int
    arg: int
    line: int
    target: int  # where it may jump to, or -1


class ProtectedRange(NamedTuple):
    """One entry of the exception table: what is raised in [start, end) goes to target."""

    start: int
    end: int
    target: int


def op(name: str) -> int:
    """Return the number of the opcode called name, or -1 where this Python has none of that name."""
    return dis.opmap.get(name, -1)


def ops(*names: str) -> frozenset[int]:
    """Return the numbers of those of the named opcodes that this Python has."""
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


_CACHE = op("CACHE")
_EXTENDED_ARG = op("EXTENDED_ARG")
JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_BACKWARD = frozenset(number for number in JUMPS if "JUMP_BACKWARD" in dis.opname[number])
ALWAYS_JUMPS = ops("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")
# After these the next instruction is reached only by a jump.
NEVER_FALLS_THROUGH = ALWAYS_JUMPS | ops("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE")
# These cannot raise (running out of memory apart), so no handler sees the state before them.
NEVER_RAISES = ops(
    "NOP", "RESUME", "PUSH_NULL", "LOAD_CONST", "STORE_FAST", "POP_TOP", "COPY", "SWAP", "STORE_NAME",
    "STORE_GLOBAL", "STORE_DEREF", "RETURN_CONST", "PUSH_EXC_INFO", "POP_EXCEPT", "KW_NAMES", "PRECALL", "JUMP_FORWARD",
    "MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE", "BUILD_TUPLE", "BUILD_LIST", "MAKE_CELL", "COPY_FREE_VARS",
    "RETURN_GENERATOR", "END_FOR", "LOAD_CLOSURE",
)  # fmt: skip

WITH_EXCEPT_START = op("WITH_EXCEPT_START")
JUMPS_IF_TRUE = ops("POP_JUMP_IF_TRUE", "POP_JUMP_FORWARD_IF_TRUE")


def decode(code: CodeType) -> list[Instruction]:
    """Return the instructions of code in order."""
    # co_code is free of specialized and instrumented opcodes, and its inline caches are zeroed: a word whose
    # opcode is CACHE belongs to the instruction before it.
    raw = code.co_code
    end_of_code = len(raw)
    lines = code.co_lines()
    _, line_end, line = next(lines, (0, end_of_code, None))
    last_line = line or code.co_firstlineno
    instructions: list[Instruction] = []
    extended, start, position = 0, -1, 0
    while position < end_of_code:
        number = raw[position]
        if number == _CACHE:
            position += 2
            continue
        if start < 0:
            start = position
        arg = raw[position + 1] | extended
        position += 2
        if number == _EXTENDED_ARG:
            extended = arg << 8
            continue
        extended = 0
        target = -1
        if number in JUMPS:
            after = position
            while after < end_of_code and raw[after] == _CACHE:
                after += 2
            target = after - 2 * arg if number in _BACKWARD else after + 2 * arg
        while start >= line_end:
            _, line_end, line = next(lines, (0, end_of_code, None))
            last_line = line or last_line
        instructions.append(Instruction(start, number, arg, last_line, target))
        start = -1
    return instructions


def protected_ranges(code: CodeType) -> list[ProtectedRange]:
    """Return the entries of the code's exception table; they do not overlap.

    The format is CPython's own, in Objects/exception_handling_notes.txt: big-endian numbers of six bits a
    byte, bit 6 says that more follow, bit 7 marks the begin of an entry.
    """
    return list(_read_table(code.co_exceptiontable)) if code.co_exceptiontable else []


def _read_table(table: bytes) -> Iterator[ProtectedRange]:
    position = 0
    while position < len(table):
        fields = []
        for _ in range(4):  # start, length, target, depth and lasti
            byte = table[position]
            value = byte & 63
            while byte & 64:
                position += 1
                byte = table[position]
                value = value << 6 | byte & 63
            position += 1
            fields.append(value)
        start, length, target, _ = fields
        yield ProtectedRange(2 * start, 2 * (start + length), 2 * target)
