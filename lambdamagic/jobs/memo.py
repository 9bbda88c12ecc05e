"""Cached outcomes: a task whose callable, arguments and environment are unchanged is not run again.

Outcomes are in the bucket under the key of their callable, many in one object, next to an index that says whose they
are. One LIST and the indexes say what is known of all tasks of a map; only objects that hold something wanted are
read. Every index is signed with a secret of this user's: who can only write to the bucket can plant nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.codec.encode import Decoder
from lambdamagic.codec.fingerprint import NoFingerprintError, fingerprint
from lambdamagic.codec.home import Home
from lambdamagic.errors import IntegrityError, LambdaMagicError
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import Arrival, new_job_id
from lambdamagic.protocol import keys, versions
from lambdamagic.protocol.payload import FrameRef, split_frames
from lambdamagic.protocol.reading import count, listed, read_json, table, text
from lambdamagic.protocol.seal import SEALED_MOST_BYTES
from lambdamagic.storage.object_store import ObjectStore

#: What is kept in memory before it is written: few large objects cost less than many small ones.
_FLUSH_BYTES = 8 << 20
#: What comes one by one is written down together, at most so many seconds late while more comes.
_FLUSH_S = 10.0


def callable_key(home: Home, program: Program, fn: Callable[..., Any] | None) -> str:
    """Return the key of a callable: its code and all that it reads, and the environment.

    Raises:
        NoFingerprintError: Something that it reads cannot be distinguished from another.
    """
    here = versions.here()
    environment = [here["protocol"], here["python"], sorted(_versions(program.imports).items()), program.modules_digest]
    code = fingerprint((fn, program.code), home)
    values = []
    for name, value in (*sorted(program.values.items()), *sorted(program.held.items())):
        try:
            values.append((name, fingerprint(value, home)))
        except NoFingerprintError as error:
            raise NoFingerprintError(f"{name} cannot be cached: {error}") from error
    return hashlib.sha256(json.dumps([environment, code, values]).encode()).hexdigest()


def _versions(modules: frozenset[str]) -> dict[str, str]:
    """Return the version of each package, by the name that it is imported under."""
    found, unsaid = {}, []
    for name in {module.partition(".")[0] for module in modules}:
        if name in sys.stdlib_module_names or name in ("__main__", "lambdamagic"):
            continue
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            found[name] = version
        else:
            unsaid.append(name)
    return found | (_versions_by_metadata(unsaid) if unsaid else {})


def _versions_by_metadata(packages: Sequence[str]) -> dict[str, str]:
    from importlib import metadata

    distributions = metadata.packages_distributions()  # reads those of all packages: some 0.3 s
    return {name: next((metadata.version(each) for each in distributions.get(name, ())), "") for name in packages}


@dataclass(frozen=True)
class _Entry:
    """The outcomes of one invocation: the keys of its tasks in order, and its frames' place in the pack."""

    pack: str
    sha256: str
    size_bytes: int
    offset: int
    frame_sizes: tuple[int, ...]
    tasks: tuple[str | None, ...]


def _entries(pack: str, body: str) -> list[_Entry]:
    """Read a signed index.

    Raises:
        KeyError, ValueError: It is none of this version's.
    """
    index = table(read_json(body))
    sha256, size, offset, found = text(index["sha256"]), count(index["size"]), 0, []
    for each in listed(index["entries"]):
        tasks, sizes = listed(each)
        frames = tuple(map(count, listed(sizes)))
        names = tuple(None if task is None else text(task) for task in listed(tasks))
        found.append(_Entry(pack, sha256, size, offset, frames, names))
        offset += sum(frames)
    return found


class Memo:
    """The cached outcomes of one callable. Thread-safe.

    Args:
        store: The bucket.
        secret: Signs what is written, and proves what is read.
        key: The callable's, see `callable_key`.
        home: Where outcomes live.
        clock: The time.
    """

    def __init__(self, store: ObjectStore, secret: bytes, key: str, home: Home, clock: Clock = SYSTEM_CLOCK) -> None:
        self.store, self.key = store, key
        self._secret, self._home, self._clock = secret, home, clock
        self._prefix = keys.cache_prefix(key)
        self._lock = threading.Lock()
        self._where: dict[str, _Entry] = {}
        self._waiting: list[tuple[tuple[str | None, ...], list[bytes]]] = []
        self._waiting_bytes = 0
        self._unwritten: dict[str, tuple[tuple[str | None, ...], list[bytes]]] = {}
        self._written_at = clock.monotonic()
        self._is_read = False

    def key_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """Return the key of a call; None where its arguments cannot be distinguished from others."""
        try:
            return fingerprint((tuple(args), dict(kwargs)), self._home)
        except NoFingerprintError:
            return None

    def find(self, wanted: Sequence[str | None]) -> dict[int, Any]:
        """Return the cached values, by their positions in `wanted`.

        The first call asks the bucket; later ones know what was found then and what was kept since.
        """
        with self._lock:
            if not self._is_read:
                self._is_read = True
                self._read_indexes()
            entries: dict[_Entry, dict[str, list[int]]] = {}
            unwritten: dict[int, tuple[str, tuple[str | None, ...], list[bytes]]] = {}
            for position, key in enumerate(wanted):
                if key is not None and key in self._unwritten:
                    unwritten[position] = key, *self._unwritten[key]
                    continue
                entry = self._where.get(key) if key is not None else None
                if entry is not None and key is not None:
                    entries.setdefault(entry, {}).setdefault(key, []).append(position)
        found: dict[int, Any] = {}
        for position, (key, tasks, frames) in unwritten.items():
            values = self._decoded(tasks, frames)
            if key in values:
                found[position] = values[key]
        packs: dict[str, memoryview] = {}
        for entry, positions in entries.items():
            for key, value in self._values(entry, packs).items():
                for position in positions.get(key, ()):
                    found[position] = value
        return found

    def _read_indexes(self) -> None:
        names = [info.key for info in self.store.list(self._prefix) if info.key.endswith(".index")]
        for name in names:
            try:
                document = table(read_json(self.store.get(name, most_bytes=SEALED_MOST_BYTES)))
                body = text(document["body"])
                if not keys.is_signed(self._secret, document["signature"], "cache", name, body):
                    continue  # another user's, or unsigned: not to be trusted
                entries = _entries(name.removesuffix(".index") + ".pack", body)
            except (FileNotFoundError, IntegrityError, ValueError, KeyError):
                continue
            for entry in entries:
                self._where.update((task, entry) for task in entry.tasks if task is not None)

    def _values(self, entry: _Entry, packs: dict[str, memoryview]) -> dict[str, Any]:
        try:
            if entry.pack not in packs:
                packs[entry.pack] = memoryview(self.store.get(entry.pack, sha256=entry.sha256))
        except (FileNotFoundError, IntegrityError):
            return {}  # expired, or written over: the task runs
        body = packs[entry.pack][entry.offset : entry.offset + sum(entry.frame_sizes)]
        return self._decoded(entry.tasks, split_frames([FrameRef(size) for size in entry.frame_sizes], body))

    def _decoded(self, tasks: Sequence[str | None], frames: Sequence[Any]) -> dict[str, Any]:
        try:
            # The frames are kept for the next time: arrays get separate memory.
            decoder = Decoder([bytes(frames[0]), *map(bytearray, frames[1:])], self._home)
            outcomes = [decoder.load() for _ in tasks]
        except Exception:  # noqa: BLE001  # what cannot be read here any more (a class that is gone) is computed again
            return {}
        return {
            task: outcome["value"]
            for task, outcome in zip(tasks, outcomes, strict=True)
            if task is not None and "value" in outcome
        }

    def keep(self, arrival: Arrival, task_keys: Mapping[int, str | None]) -> None:
        """Keep the values of an invocation; exceptions are not kept."""
        response = arrival.response
        if arrival.error is not None or response is None or not response.tasks:
            return
        summaries = zip(arrival.unit.tasks, response.tasks, strict=False)
        tasks = tuple(
            None if summary.error or number in arrival.superseded else task_keys.get(number)
            for number, summary in summaries
        )
        if not any(tasks):
            return
        frames = [bytes(frame) for frame in arrival.frames]
        with self._lock:
            self._waiting.append((tasks, frames))
            self._unwritten.update((task, (tasks, frames)) for task in tasks if task is not None)
            self._waiting_bytes += sum(map(len, frames))
            is_due = self._waiting_bytes >= _FLUSH_BYTES or self._clock.monotonic() - self._written_at >= _FLUSH_S
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Write pending outcomes to the bucket. If that fails they are not cached, with a warning; results are safe."""
        with self._lock:
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            self._written_at = self._clock.monotonic()
        if not waiting:
            return
        try:
            self._write(waiting)
        except LambdaMagicError as error:
            warnings.warn(f"results could not be cached: {error}", RuntimeWarning, stacklevel=2)

    def _write(self, waiting: list[tuple[tuple[str | None, ...], list[bytes]]]) -> None:
        name = f"{self._prefix}{new_job_id()}"
        segments = [frame for _, frames in waiting for frame in frames]
        digest = hashlib.sha256()
        for segment in segments:
            digest.update(segment)
        entries = [(tasks, [len(frame) for frame in frames]) for tasks, frames in waiting]
        size = sum(map(len, segments))
        body = json.dumps({"sha256": digest.hexdigest(), "size": size, "entries": entries, "at": time.time()})
        signature = keys.sign(self._secret, "cache", f"{name}.index", body)
        self.store.put(f"{name}.pack", segments)  # first: an index never names what is not there
        self.store.put(f"{name}.index", [json.dumps({"signature": signature, "body": body}).encode()])
        offset = 0
        with self._lock:
            for tasks, sizes in entries:
                entry = _Entry(f"{name}.pack", digest.hexdigest(), size, offset, tuple(sizes), tasks)
                offset += sum(sizes)
                for task in tasks:
                    if task is not None:
                        self._where[task] = entry
                        self._unwritten.pop(task, None)


def clear(store: ObjectStore, key: str | None = None) -> int:
    """Delete the cached outcomes of one callable, or of all; return the number of objects.

    What a running job has in memory and what other sessions know may still be used until they end.
    """
    names = [info.key for info in store.list(keys.cache_prefix(key))]
    store.delete(names)
    return len(names)
