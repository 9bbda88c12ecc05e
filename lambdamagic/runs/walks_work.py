"""A graph as it is stored for its walks: code, structure, and a manifest by which another process finds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from lambdamagic.codec.each import Unreadable, read_items
from lambdamagic.codec.frames import Frames
from lambdamagic.codec.home import Home
from lambdamagic.errors import JobMissingError, ProtocolError, VersionMismatchError
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.staging import Stager
from lambdamagic.protocol import life, reading, versions
from lambdamagic.protocol.keys import new_job_key
from lambdamagic.storage.object_store import ObjectStore
from lambdamagic.walks import names
from lambdamagic.walks.sealed import open_parts, part_of, payload_of, seal_parts
from lambdamagic.walks.sharing import Allowance
from lambdamagic.walks.structure import Structure
from lambdamagic.walks.walk_event import WalkEvent

#: Of the manifest's form.
VERSION = 1
#: Nodes whose code is in one object, and how large one becomes.
_BLOCK_NODES, _BLOCK_BYTES = 500, 512 * 1024
_NO_LIMIT = 1 << 60
_UPLOADS = 16
#: What each first walk and all that descend from it may invoke: two walks for each of its nodes, some more, and as many
#: as one node has followers, since the last to arrive may find all of them ready.
_INVOCATIONS_EACH, _INVOCATIONS_MORE, _FOLLOWERS_MOST = 2, 16, 1000


@dataclass(frozen=True)
class GraphCode:
    """What a graph's nodes are, by number.

    Attributes:
        structure: Which needs which; its blocks are found when it is stored.
        calls: Each node's code: takes the values that it needs, in their order, and those of its constants by number.
        constants: Values that were there before, and that several nodes may need.
        finish: Turns the kept nodes' values into the result; is sent with the manifest.
        names: The nodes' names, for display.
    """

    structure: Structure
    calls: Sequence[Any]
    constants: Mapping[int, Any]
    finish: Callable[[Mapping[int, Any]], Any]
    names: Sequence[str] = ()


@dataclass(frozen=True)
class WalksWork:
    """A graph that was stored, as far as any process needs to know it to run it or to continue it.

    Attributes:
        job_id: Its id.
        key: Signs its objects.
        label: A name of the graph, for display.
        structure: The graph.
        roots: What its first walks begin with.
        function: The function that runs it.
        options: The options of walks.
        versions: Of the client that wrote its code.
        started_at: Seconds since the epoch.
        writes: PUT requests that storing it took.
        names: The nodes' names, for display.
    """

    job_id: str
    key: bytes = field(repr=False)
    label: str
    structure: Structure
    roots: tuple[WalkEvent, ...]
    function: FunctionRef
    options: dict[str, Any]
    versions: dict[str, Any]
    started_at: float
    writes: int = 0
    names: tuple[str, ...] = ()

    @property
    def seal(self) -> dict[str, Any]:
        """What signs its objects."""
        return {"key": self.key, "job_id": self.job_id}

    @property
    def every_s(self) -> float:
        """How often its walks show that they are alive."""
        return life.every_s(self.function.timeout_s)

    def name(self, name: str) -> str:
        """Return the key of one of its objects."""
        return names.graph_prefix(self.job_id) + name


def roots_of(structure: Structure, walks: int) -> tuple[WalkEvent, ...]:
    """Return what at most so many first walks begin with, and how much they may invoke together."""
    groups = structure.first_groups(walks)
    widest = min(_FOLLOWERS_MOST, max(map(len, structure.dependents), default=0))
    each = len(structure.needs) * _INVOCATIONS_EACH // max(1, len(groups)) + widest + _INVOCATIONS_MORE
    return tuple(
        WalkEvent(f"r{number}", (tuple(group),), allowance=Allowance(each)) for number, group in enumerate(groups)
    )


class Writer:
    """Encodes a graph and stores it.

    Args:
        store: The bucket.
        job_id: The graph's id.
        encode: Encodes a list of one item: a node's code, or a constant.
    """

    def __init__(self, store: ObjectStore, job_id: str, encode: Callable[[Sequence[Any], int], Frames]) -> None:
        self._store, self._encode = store, encode
        self._inline = Stager(None)  # nothing is staged by digest: the function's role reads this prefix only
        self.seal: dict[str, Any] = {"key": new_job_key(), "job_id": job_id}
        self._prefix = names.graph_prefix(job_id)
        self.writes = 0

    def write(self, program: Frames, code: GraphCode) -> Structure:
        """Store all but the manifest, and return the structure.

        Raises:
            EncodeError, UnsendableItemsError: Something cannot be sent.
            TargetError: The bucket cannot be used.
        """
        with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="lambdamagic-upload") as pool:
            uploads = [pool.submit(self.put, names.PROGRAM, {0: self._part(program)})]
            for number, value in code.constants.items():
                part = self._part(self._encode([value], number))
                uploads.append(pool.submit(self.put, names.constant(number), {number: part}))
            starts = []
            for number, (start, parts) in enumerate(self._blocks(code.calls)):
                starts.append(start)
                uploads.append(pool.submit(self.put, names.block(number), parts))
            structure = replace(code.structure, blocks=tuple(starts))
            uploads.append(pool.submit(self.put, names.STRUCTURE, {0: (None, [structure.to_bytes()])}))
            for upload in uploads:
                upload.result()
        return structure

    def _blocks(self, calls: Sequence[Any]) -> Iterable[tuple[int, dict[int, Any]]]:
        parts: dict[int, Any] = {}
        start = size = 0
        for node, call in enumerate(calls):
            part = self._part(self._encode([call], node))
            if parts and (len(parts) >= _BLOCK_NODES or size + len(part[1][0]) > _BLOCK_BYTES):
                yield start, parts
                parts, start, size = {}, node, 0
            parts[node] = part
            size += len(part[1][0])
        if parts:
            yield start, parts

    def _part(self, frames: Frames) -> tuple[Any, list[bytes]]:
        return part_of(self._inline.place(frames, limit_bytes=_NO_LIMIT))

    def put(self, name: str, parts: Mapping[int, tuple[Any, Sequence[Any]]]) -> None:
        """Store an object."""
        self._store.put(self._prefix + name, seal_parts(parts, name=name, **self.seal))
        self.writes += 1

    def write_manifest(self, work: WalksWork, finish: Any) -> None:
        """Store the manifest, after all else: whoever finds it finds the rest."""
        document = {
            "graph": VERSION,
            "label": work.label,
            "roots": [root.to_json() for root in work.roots],
            "function": work.function.name,
            "memory_mb": work.function.memory_mb,
            "timeout_s": work.function.timeout_s,
            "options": work.options,
            "versions": work.versions,
            "started_at": work.started_at,
            "names": work.names,
        }
        about, segments = self._part(self._encode([finish], 0))
        self.put(names.MANIFEST, {0: ([document, about], segments)})


def read_work(store: ObjectStore, job_id: str, key: bytes, home: Home) -> tuple[WalksWork, Callable[[Any], Any]]:
    """Read a graph that another process stored, and what makes its result.

    Raises:
        JobMissingError: The bucket does not hold it.
        IntegrityError, ProtocolError, VersionMismatchError: What it holds cannot be used.
    """
    seal: dict[str, Any] = {"key": key, "job_id": job_id}
    prefix = names.graph_prefix(job_id)
    try:
        manifest = open_parts(store.get(prefix + names.MANIFEST), name=names.MANIFEST, **seal)
        packed = open_parts(store.get(prefix + names.STRUCTURE), name=names.STRUCTURE, **seal)
    except FileNotFoundError as error:
        raise JobMissingError(
            f"the bucket {store.bucket} no longer holds graph {job_id}, or its client died before all was stored",
            hint="Objects of old jobs expire; compute it again",
        ) from error
    try:
        (document, about), segments = manifest[0]
        if reading.count(document["graph"]) > VERSION:
            raise VersionMismatchError(
                f"graph {job_id} was started by a newer lambdamagic",
                hint="Update lambdamagic here: pip install --upgrade lambdamagic",
            )
        payload = payload_of(about, segments)
        (finish,) = read_items([segment for segment in payload.inline_segments() if segment is not None], home)
        if type(finish) is Unreadable:
            raise finish.error
        function = FunctionRef(document["function"], document["memory_mb"], document["timeout_s"])
        work = WalksWork(
            job_id,
            key,
            reading.text(document["label"]),
            Structure.from_bytes(bytes(packed[0][1][0])),
            tuple(map(WalkEvent.from_json, document["roots"])),
            function,
            reading.table(document["options"]),
            reading.table(document["versions"]),
            float(document["started_at"]),
            names=tuple(map(reading.text, reading.listed(document.get("names", [])))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"the manifest of graph {job_id} cannot be read: {error!r}") from error
    return work, finish


def new_work(writer: Writer, code: GraphCode, program: Any, **facts: Any) -> WalksWork:
    """Store a graph and return it.

    Args:
        writer: Stores it.
        code: What its nodes are.
        program: What their code refers to, encoded (`jobs.encoding.Program`).
        **facts: `label`, `function`, `options`, and `walks`: how many first walks there are at most.
    """
    structure = writer.write(program.frames, code)
    work = WalksWork(
        writer.seal["job_id"],
        writer.seal["key"],
        facts["label"],
        structure,
        roots_of(structure, facts["walks"]),
        facts["function"],
        facts["options"],
        program.versions or versions.here(),
        time.time(),
        writes=writer.writes + 1,
        names=tuple(code.names),
    )
    writer.write_manifest(work, code.finish)
    return work
