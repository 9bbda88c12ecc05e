"""Runs a graph's nodes, and turns their values to bytes and back; see `walks.walker.Runner`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from types import CoroutineType
from typing import Any

from lambdamagic.codec.each import Unreadable, read_each, read_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import ErrorRecord, error_line, safe_str
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.codec.picklers import KINDS
from lambdamagic.errors import ResultEncodeError
from lambdamagic.protocol.payload import Payload
from lambdamagic.walks import names
from lambdamagic.walks.fan_in import Bucket
from lambdamagic.walks.sealed import open_parts, payload_of, seal_parts
from lambdamagic.walks.structure import Structure
from lambdamagic.walks.walker import NodeFailure
from lambdamagic.worker.blobs import BlobCache, read_frames
from lambdamagic.worker.execution import CellSurroundings
from lambdamagic.worker.memory import Memory
from lambdamagic.worker.program import LoadedProgram, collection_paused
from lambdamagic.worker.watchdog import Interrupted

#: What was read of blocks of nodes' code is kept as bytes up to so many blocks.
_BLOCKS_KEPT = 32
_VALUE, _FAILURE = "value", "failure"


class NodeRunner:
    """Runs nodes of one graph in one invocation.

    Args:
        program: What the nodes' code refers to.
        structure: The graph.
        bucket: Its objects.
        surroundings: What is around user code.
        seal: The job's key and id, as `seal_parts` takes them.
        options: `serializer`, `retries`, `retry_on`.
        cache: The environment's blobs.
        memory: The environment's memory.
        blocks: Blocks of nodes' code that were read, kept from walk to walk.
        constants: Constants that were read, likewise.
    """

    def __init__(
        self,
        program: LoadedProgram,
        structure: Structure,
        bucket: Bucket,
        surroundings: CellSurroundings,
        *,
        seal: Mapping[str, Any],
        options: Mapping[str, Any],
        cache: BlobCache,
        memory: Memory,
        blocks: dict[int, dict[int, Any]],
        constants: dict[int, Any],
    ) -> None:
        self._program, self._structure, self._bucket, self._surroundings = program, structure, bucket, surroundings
        self._seal, self._options, self._cache, self._memory, self._blocks = seal, options, cache, memory, blocks
        self._constants = constants

    def run(self, node: int, values: Mapping[int, Any]) -> Any | NodeFailure:
        """Return a node's value, or its failure."""
        self._surroundings.outputs.begin_task(node)
        began = time.perf_counter()
        for left in range(self._options.get("retries", 0), -1, -1):
            try:
                call = self._call(node)
                constants = {number: self._constant(number) for number in call.stored.values()}
                value = call([values[need] for need in self._structure.needs[node]], constants)
                if type(value) is CoroutineType:
                    value = asyncio.run(value)
            except Interrupted:
                raise
            except BaseException as error:  # noqa: BLE001  # whatever the code raises is the node's outcome
                records = self._surroundings.failure(error)
                if not left or not _is_wanted(self._options.get("retry_on", ()), records):
                    return NodeFailure((records, time.perf_counter() - began))
            else:
                self._memory.settle_after(time.perf_counter() - began)
                return value
        raise AssertionError("unreachable: the last attempt returns")

    def _call(self, node: int) -> Any:
        """Return a node's code; see `graphs.walk_nodes.WalkNode`."""
        number = self._structure.block_of(node)
        block = self._blocks.get(number)
        if block is None:
            name = names.block(number)
            block = open_parts(self._bucket.get(name), name=name, **self._seal)
            self._blocks[number] = block
            for oldest in list(self._blocks)[:-_BLOCKS_KEPT]:
                del self._blocks[oldest]
        return self._decoded(payload_of(*block[node]))

    def _constant(self, number: int) -> Any:
        """Return a value that existed before the graph; each environment reads it once."""
        if number not in self._constants:
            name = names.constant(number)
            parts = open_parts(self._bucket.get(name), name=name, **self._seal)
            self._constants[number] = self._decoded(payload_of(*parts[number]))
        return self._constants[number]

    def _decoded(self, payload: Payload) -> Any:
        program = self._program
        with collection_paused():
            program.extend(payload, self._cache)
        with collection_paused(), program.shared.reading(payload):
            (found,) = read_items(read_frames(payload, self._cache), program.home)
        if type(found) is Unreadable:
            raise found.error
        return found

    def pack(self, name: str, values: Mapping[int, Any]) -> list[bytes | memoryview]:
        """Return what is stored for values.

        Raises:
            ResultEncodeError: One cannot be pickled.
        """
        parts = {node: (_VALUE, self._segments(value)) for node, value in values.items()}
        return seal_parts(parts, name=name, **self._seal)

    def pack_failure(self, name: str, failed: NodeFailure) -> list[bytes | memoryview]:
        """Return what is stored for a failure."""
        records, seconds = failed.outcome
        outcome = {"error": records, "seconds": seconds}
        try:
            segments = self._segments(outcome)
        except ResultEncodeError:
            for record in records:
                record.exception = None
            segments = self._segments(outcome)
        return seal_parts({0: (_FAILURE, segments)}, name=name, **self._seal)

    def unpack(self, name: str, data: bytes | bytearray) -> dict[int, Any]:
        """Return values that a walk of this graph has stored."""
        found = {}
        for node, (_, segments) in open_parts(data, name=name, **self._seal).items():
            (value,) = read_each(list(segments), self._program.home)
            if type(value) is Unreadable:
                raise value.error
            found[node] = value
        return found

    def size_bytes(self, value: Any) -> int:
        """Return about how large a value is: its buffer where it has one, else what Python says of it."""
        size = getattr(value, "nbytes", None)
        if isinstance(size, int):
            return size
        if isinstance(value, list | tuple | set | frozenset | dict):
            some = list(value.values() if isinstance(value, dict) else value)[:10]
            return sys.getsizeof(value) + len(value) * max((self.size_bytes(each) for each in some), default=0)
        usage = getattr(value, "memory_usage", None)  # a DataFrame or Series
        if callable(usage):
            try:
                return int(sum(usage(deep=False))) if hasattr(value, "columns") else int(usage())
            except Exception:  # noqa: BLE001  # some other class's method of that name
                return sys.getsizeof(value)
        return sys.getsizeof(value)

    def _segments(self, value: Any) -> Sequence[Any]:
        kinds = KINDS[self._options.get("serializer", "auto")]
        failure: BaseException = ValueError("no pickler")
        for kind in kinds:
            try:
                encoder = Encoder(self._program.home, kind=kind)
                encoder.refer_to_functions()
                encoder.dump(value)
                return encoder.frames().segments
            except NEVER_THE_OBJECTS:
                raise
            except BaseException as error:  # noqa: BLE001  # code of the value's class
                failure = error
        raise ResultEncodeError(
            f"a task's value, a {type(value).__name__}, cannot be stored: {safe_str(failure)}",
            hint="Return what can be pickled, such as list(...) of a generator",
        ) from failure


def line_of(failed: NodeFailure) -> str:
    """Return a failure in one line."""
    return error_line(failed.outcome[0])


def _is_wanted(retry_on: Sequence[str], records: Sequence[ErrorRecord]) -> bool:
    kinds = records[0].kinds
    return not retry_on or any(kind == name or kind.endswith(f".{name}") for name in retry_on for kind in kinds)
