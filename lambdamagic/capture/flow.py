"""Which names surely no longer hold what they held at the start, at each point of a code object.

A forward dataflow over the control-flow graph, exception table included. A name is *gone* at a point when on
every path to it the name was bound or deleted: nothing there can see the value from before, so that value need
not be shipped. Next to that, the functions that may have been defined (`Define`) on some path are kept, so that
what they read counts where their name is loaded.

Both sets are bits of an int, and a block of straight code is one step: cells are small, but a generated one is not.
"""

from __future__ import annotations

import bisect
import enum
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import NamedTuple

from lambdamagic.capture.name_events import (
    Define,
    Delete,
    Event,
    Read,
    StarImport,
    Store,
    events_of,
)
from lambdamagic.capture.opcodes import (
    JUMPS_IF_TRUE,
    NEVER_FALLS_THROUGH,
    NEVER_RAISES,
    WITH_EXCEPT_START,
    protected_ranges,
)


class Scope(enum.Enum):
    """The scope in which a code object's *_NAME opcodes look names up."""

    MODULE = "module"  # the globals
    CLASS = "class"  # a separate dictionary, then the globals
    FUNCTION = "function"  # there are none


class State(NamedTuple):
    """The analysis result at one point of the code, as bit sets."""

    gone: int  # names, on every path
    defined: int  # definitions, on some path


class _Step(NamedTuple):
    """The effect of one event on the state. A step without an event marks that the code here may raise."""

    event: Event | None
    gone: int = 0
    back: int = 0
    defines: int = 0
    undefines: int = 0


class _Block(NamedTuple):
    steps: list[_Step]
    successors: list[int]
    handler: int  # block that gets what this one raises, or -1


class Flow:
    """The dataflow of one code object.

    Args:
        code: The code to analyze; nested code objects are not entered.
        scope: Where its *_NAME opcodes look.
        gone: Names that are gone before the first instruction.
        star: Gives the names that a star import surely binds.
        strict_withs: Lines of with statements that do not swallow exceptions: see `withs`.
    """

    def __init__(
        self,
        code: CodeType,
        scope: Scope,
        *,
        gone: Iterable[str] = (),
        star: Callable[[StarImport], Iterable[str]] = lambda _: (),
        strict_withs: frozenset[int] = frozenset(),
    ) -> None:
        self.code = code
        self.scope = scope
        self._star = star
        self._strict_withs = strict_withs
        self._bits: dict[tuple[str, bool], int] = {}
        self._definition_bits: dict[str, int] = {}
        self.definitions: list[Define] = []
        self._events = events_of(code)
        for event in (event for events in self._events.by_index.values() for event in events):
            if isinstance(event, Define) and scope is Scope.MODULE:
                mine = 1 << len(self.definitions)
                self.definitions.append(event)
                self._definition_bits[event.name] = self._definition_bits.get(event.name, 0) | mine
        self._start = State(sum(self._bit(name) for name in dict.fromkeys(gone)), 0)

    def is_gone(self, name: str, state: State) -> bool:
        """Whether the global name surely no longer holds its value from before."""
        return bool(state.gone & self._bits.get((name, False), 0))

    def definitions_of(self, name: str, state: State) -> list[Define]:
        """Return the definitions which the global name may hold."""
        bits = state.defined & self._definition_bits.get(name, 0)
        return [define for number, define in enumerate(self.definitions) if bits >> number & 1] if bits else []

    def points(self) -> Iterator[tuple[Event, State]]:
        """Yield each reachable event with the state just before it, in the order of the code."""
        blocks = self._blocks()
        states = _solve(blocks, self._start)
        for block, state in zip(blocks, states, strict=True):
            if state is None:
                continue
            for step in block.steps:
                if step.event is not None:
                    yield step.event, state
                    state = _after(step, state)

    def reads_global(self, event: Read | Delete, state: State) -> bool:
        """Whether the event may reach the global name's value from before."""
        if event.local and self.scope is Scope.CLASS:
            if isinstance(event, Delete):
                return False
            if state.gone & self._bits.get((event.name, True), 0):
                return False
        return not self.is_gone(event.name, state)

    def _bit(self, name: str, local: bool = False) -> int:
        key = (name, local and self.scope is Scope.CLASS)
        if key not in self._bits:
            self._bits[key] = 1 << len(self._bits)
        return self._bits[key]

    def _step(self, event: Event) -> _Step:
        if isinstance(event, Store | Define):
            bit, others = self._bit(event.name, event.local), self._definition_bits.get(event.name, 0)
            mine = 1 << self.definitions.index(event) if others and isinstance(event, Define) else 0
            return _Step(event, gone=bit, undefines=others, defines=mine)
        if isinstance(event, Delete):
            bit = self._bit(event.name, event.local)
            if event.local and self.scope is Scope.CLASS:
                return _Step(event, back=bit)  # the global shows through again
            return _Step(event, gone=bit, undefines=self._definition_bits.get(event.name, 0))
        if isinstance(event, StarImport):
            gone = undefines = 0
            for name in self._star(event):
                gone |= self._bit(name)
                undefines |= self._definition_bits.get(name, 0)
            return _Step(event, gone=gone, undefines=undefines)
        return _Step(event)

    def _blocks(self) -> list[_Block]:
        instructions, by_index = self._events.instructions, self._events.by_index
        ranges = protected_ranges(self.code)
        leaders = {0}
        for index, instruction in enumerate(instructions):
            if instruction.target >= 0:
                leaders.add(instruction.target)
            if (instruction.target >= 0 or instruction.op in NEVER_FALLS_THROUGH) and index + 1 < len(instructions):
                leaders.add(instructions[index + 1].offset)
        for protected in ranges:
            leaders.update(protected)
        never_jumps = self._swallowing_jumps()
        offsets = [instruction.offset for instruction in instructions]
        starts = sorted({bisect.bisect_left(offsets, offset) for offset in leaders} - {len(offsets)})
        number_of = {offsets[start]: number for number, start in enumerate(starts)}

        blocks = []
        for number, start in enumerate(starts):
            end = starts[number + 1] if number + 1 < len(starts) else len(instructions)
            handler = next((number_of[r.target] for r in ranges if r.start <= offsets[start] < r.end), -1)
            steps: list[_Step] = []
            for index in range(start, end):
                if handler >= 0 and instructions[index].op not in NEVER_RAISES and (not steps or steps[-1].event):
                    steps.append(_Step(None))
                if index in by_index:
                    steps.extend(self._step(event) for event in by_index[index])
            last = instructions[end - 1]
            successors = [number_of[last.target]] if last.target >= 0 and end - 1 not in never_jumps else []
            if last.op not in NEVER_FALLS_THROUGH and number + 1 < len(starts):
                successors.append(number + 1)
            blocks.append(_Block(steps, successors, handler))
        return blocks

    def _swallowing_jumps(self) -> set[int]:
        """The jumps by which a with statement would continue after an exception, where it is known not to."""
        jumps: set[int] = set()
        if self._strict_withs:
            asked = False
            for index, instruction in enumerate(self._events.instructions):
                if instruction.op == WITH_EXCEPT_START:
                    asked = instruction.line in self._strict_withs
                elif asked and instruction.op in JUMPS_IF_TRUE:
                    jumps.add(index)
                    asked = False
        return jumps


def _after(step: _Step, state: State) -> State:
    if step.gone or step.back or step.undefines or step.defines:
        return State((state.gone | step.gone) & ~step.back, state.defined & ~step.undefines | step.defines)
    return state


def _solve(blocks: list[_Block], start: State) -> list[State | None]:
    """Return the state at the start of each block; None for a block that nothing reaches."""
    states: list[State | None] = [None] * len(blocks)
    waiting = {0: start} if blocks else {}
    while waiting:
        number, arriving = waiting.popitem()
        state = _join(states[number], arriving)
        if state == states[number]:
            continue
        states[number] = state
        block = blocks[number]
        raised: State | None = None
        for step in block.steps:
            if step.event is None:
                raised = _join(raised, state)
            else:
                state = _after(step, state)
        for successor in block.successors:
            waiting[successor] = _join(waiting.get(successor), state)
        if raised is not None:
            waiting[block.handler] = _join(waiting.get(block.handler), raised)
    return states


def _join(one: State | None, other: State) -> State:
    return other if one is None else State(one.gone & other.gone, one.defined | other.defined)
