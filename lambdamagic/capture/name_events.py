"""Events of a code object on names: reads, stores, deletes, definitions, imports, embedded code.

Looks at one code object and not into nested ones, and decides nothing about scope or order: `flow` does.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

from lambdamagic.capture.opcodes import Instruction, decode, op, ops


class Read(NamedTuple):
    """A global name is loaded; in a class body (local) the body's own name goes first."""

    name: str
    line: int
    local: bool
    attrs: tuple[str, ...]  # the attributes taken at once: a.b.c() is a with ("b", "c")


class Store(NamedTuple):
    """A name is bound."""

    name: str
    line: int
    local: bool


class Delete(NamedTuple):
    """A name is deleted."""

    name: str
    line: int
    local: bool


class Define(NamedTuple):
    """A function is created and bound to a name, without a decorator."""

    name: str
    line: int
    local: bool
    code: CodeType


class Nested(NamedTuple):
    """Nested code that is run, or can escape, from where it stands."""

    code: CodeType
    line: int
    shallow: bool = False  # the function that it makes comes as a separate Define


class Import(NamedTuple):
    """An import statement; alias is the name that `import a.b` binds directly, else empty."""

    module: str
    line: int
    level: int
    names: tuple[str, ...]
    alias: str


class StarImport(NamedTuple):
    """from module import *."""

    module: str
    line: int
    level: int


class Embedded(NamedTuple):
    """A call that carries code as constant text: exec, eval, or one that IPython generates for !cmd and %magic."""

    function: str
    line: int
    texts: tuple[str, ...]


Event: TypeAlias = Read | Store | Delete | Define | Nested | Import | StarImport | Embedded

_LOAD_GLOBAL = op("LOAD_GLOBAL")
_LOAD_NAME = op("LOAD_NAME")
_READS = ops("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_STORES = ops("STORE_NAME", "STORE_GLOBAL")
_STORE_NAME = op("STORE_NAME")
_DELETES = ops("DELETE_NAME", "DELETE_GLOBAL")
_DELETE_NAME = op("DELETE_NAME")
_LOAD_CONST = op("LOAD_CONST")
_LOAD_FAST = op("LOAD_FAST")
_STORE_FAST = op("STORE_FAST")
_MAKE_FUNCTION = op("MAKE_FUNCTION")
_SET_FUNCTION_ATTRIBUTE = op("SET_FUNCTION_ATTRIBUTE")
_IMPORT_NAME = op("IMPORT_NAME")
_IMPORT_STAR = op("IMPORT_STAR")
_CALL_INTRINSIC_1 = op("CALL_INTRINSIC_1")
_INTRINSIC_IMPORT_STAR = 2  # Include/internal/pycore_intrinsics.h; the same in 3.12 and 3.13
_ATTRIBUTES = ops("LOAD_ATTR", "LOAD_METHOD")
_CALL_SETUP = ops("PUSH_NULL", "PRECALL", "CALL")
_EVENTFUL = _READS | _STORES | _DELETES | _ATTRIBUTES | {
    _LOAD_CONST, _LOAD_FAST, _IMPORT_NAME, _IMPORT_STAR, _CALL_INTRINSIC_1,
}  # fmt: skip
# 3.12 gave LOAD_ATTR a low bit that marks a method call.
_ATTRIBUTE_SHIFT = 0 if sys.version_info < (3, 12) else 1
_RUNS_TEXT = frozenset({"exec", "eval"})
_IPYTHON_CALLS = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput"})
_GENERIC = "<generic parameters of "
_CALL = op("CALL")
_GENERIC_CALL = ops("MAKE_FUNCTION", "PUSH_NULL", "SWAP", "CALL")
_CO_OPTIMIZED = 1  # the code of a function: its variables are no dictionary's


class CodeEvents(NamedTuple):
    """A code object's instructions and, by the instruction's index, what they do to names."""

    instructions: list[Instruction]
    by_index: dict[int, list[Event]]
    local_chains: tuple[tuple[str, tuple[str, ...]], ...]  # attributes taken from local variables


def events_of(code: CodeType) -> CodeEvents:
    """Return what code does to names. The answer is shared: do not change it."""
    return _events_of(code, lines_of(code))


def lines_of(code: CodeType) -> tuple[Any, ...]:
    """Return a key that distinguishes equal code on other lines: until Python 3.12, comparison ignores lines."""
    return (code.co_linetable, *(lines_of(nested) for nested in code.co_consts if isinstance(nested, CodeType)))


@lru_cache(maxsize=4096)
def _events_of(code: CodeType, _lines: tuple[Any, ...]) -> CodeEvents:
    return _Reader(code).read()


class _Reader:
    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.instructions = decode(code)
        self.events: dict[int, list[Event]] = {}
        self.defined: dict[int, CodeType] = {}  # index of a STORE -> the function that it binds
        self.chains: list[tuple[str, tuple[str, ...]]] = []
        self.last_import: Import | None = None
        self.last_read = ""

    def read(self) -> CodeEvents:
        for index, instruction in enumerate(self.instructions):
            if instruction.op in _EVENTFUL:
                self.look(index, instruction)
        return CodeEvents(self.instructions, self.events, tuple(self.chains))

    def add(self, index: int, event: Event) -> None:
        self.events.setdefault(index, []).append(event)

    def look(self, index: int, instruction: Instruction) -> None:
        number, arg, line = instruction.op, instruction.arg, instruction.line
        names = self.code.co_names
        if number in _READS:
            name = names[arg >> 1 if number == _LOAD_GLOBAL else arg]
            self.last_read = name
            self.add(index, Read(name, line, number == _LOAD_NAME, self.attributes_after(index)))
            if name in _RUNS_TEXT and (texts := self.texts_after(index)):
                self.add(index, Embedded(name, line, texts[:1]))
        elif number in _STORES:
            name, local = names[arg], number == _STORE_NAME
            made = self.defined.get(index)
            self.add(index, Store(name, line, local) if made is None else Define(name, line, local, made))
        elif number in _DELETES:
            self.add(index, Delete(names[arg], line, number == _DELETE_NAME))
        elif number == _LOAD_CONST:
            constant = self.code.co_consts[arg]
            if isinstance(constant, CodeType):
                self.nested(index, constant, line)
        elif number == _LOAD_FAST:
            if attrs := self.attributes_after(index):
                self.chains.append((self.code.co_varnames[arg], attrs))
        elif number in _ATTRIBUTES:
            name = self.attribute(instruction)
            if name in _IPYTHON_CALLS and self.last_read == "get_ipython" and (texts := self.texts_after(index)):
                self.add(index, Embedded(name, line, texts))
        elif number == _IMPORT_NAME:
            self.last_import = self.imported(index, names[arg], line)
            self.add(index, self.last_import)
        elif number == _IMPORT_STAR or arg == _INTRINSIC_IMPORT_STAR:
            assert self.last_import is not None, "a star import follows its IMPORT_NAME"
            self.add(index, StarImport(self.last_import.module, line, self.last_import.level))

    def attribute(self, instruction: Instruction) -> str:
        return self.code.co_names[instruction.arg >> _ATTRIBUTE_SHIFT]

    def attributes_after(self, index: int) -> tuple[str, ...]:
        attrs: list[str] = []
        for instruction in self.instructions[index + 1 : index + 9]:
            if instruction.op not in _ATTRIBUTES:
                break
            attrs.append(self.attribute(instruction))
        return tuple(attrs)

    def texts_after(self, index: int) -> tuple[str, ...]:
        """The constant strings that are pushed next: the leading arguments of the call that begins here."""
        texts: list[str] = []
        for instruction in self.instructions[index + 1 :]:
            if instruction.op == _LOAD_CONST and isinstance(text := self.code.co_consts[instruction.arg], str):
                texts.append(text)
            elif texts or instruction.op not in _CALL_SETUP:
                break
        return tuple(texts)

    def nested(self, index: int, code: CodeType, line: int) -> None:
        if code.co_name.startswith(_GENERIC):
            self.generic(index, code, line)
            return
        after = index + 1
        if self.instructions[after].op == _MAKE_FUNCTION:
            after += 1
            while self.instructions[after].op == _SET_FUNCTION_ATTRIBUTE:
                after += 1
            if self.instructions[after].op in _STORES:
                self.defined[after] = code
                return
        self.add(index, Nested(code, line))

    def generic(self, index: int, wrapper: CodeType, line: int) -> None:
        # def f[T](...) calls a wrapper, which makes T, evaluates the annotations and returns f. The wrapper runs
        # here; f itself is only defined here, unless a decorator is called with it.
        after, calls = index + 1, 0
        while self.instructions[after].op in _GENERIC_CALL:
            calls += self.instructions[after].op == _CALL
            after += 1
        functions = [
            constant
            for constant in wrapper.co_consts
            if isinstance(constant, CodeType) and constant.co_name == generic_function_name(wrapper)
        ]
        plain = calls == 1 and self.instructions[after].op in _STORES
        if plain and len(functions) == 1 and functions[0].co_flags & _CO_OPTIMIZED:
            self.add(index, Nested(wrapper, line, shallow=True))
            self.defined[after] = functions[0]
        else:
            self.add(index, Nested(wrapper, line))

    def imported(self, index: int, module: str, line: int) -> Import:
        level, names = (self.constant(index - 2), self.constant(index - 1))
        alias = ""
        following = self.instructions[index + 1]
        if not names and following.op in _STORES:
            alias = self.code.co_names[following.arg]
        elif not names and following.op == _STORE_FAST:
            alias = self.code.co_varnames[following.arg]
        return Import(
            module, line, level if isinstance(level, int) else 0, names if isinstance(names, tuple) else (), alias
        )

    def constant(self, index: int) -> object:
        instruction = self.instructions[index]
        return self.code.co_consts[instruction.arg] if instruction.op == _LOAD_CONST else None


def generic_function_name(wrapper: CodeType) -> str:
    """Return the name of the function which the wrapper of a generic function makes."""
    return wrapper.co_name[len(_GENERIC) : -1]
