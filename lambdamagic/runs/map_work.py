"""Build the requests of a map's tasks; also for *retry failed*, *resume* and *attach*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.runs.sources import ChunkedItems, Encode, Sizing, runs_of
from lambdamagic.runs.spec import RunRequest


class Repeatable(Protocol):
    """Work whose tasks can be run again."""

    @property
    def label(self) -> str:
        """A short name of the job, for display."""
        ...

    def request(self, tasks: Sequence[int], count: int) -> RunRequest:
        """Return what sends these of its `count` tasks; the others are known already.

        Raises:
            LambdaMagicError: They cannot be sent.
        """
        ...


@dataclass
class MapWork:
    """A callable and its items, where these stay at hand.

    Attributes:
        label: A short name of the job, for display.
        program: The callable, encoded.
        function: The function that fits it, for the next request; later ones look for it again.
        items: The arguments of each task.
        encode: Encodes them.
        sizing: What bounds a chunk.
        options: What is sent to the remote side in addition to the settings.
        keeps_remote: Whether values that are worth it stay in the bucket.
    """

    label: str
    program: Program
    function: FunctionRef | None
    items: Sequence[Any]
    encode: Encode
    sizing: Sizing
    options: Mapping[str, Any] = field(default_factory=dict)
    keeps_remote: bool = False

    def request(self, tasks: Sequence[int], count: int) -> RunRequest:
        """Return the function that runs these tasks."""
        cached: tuple[int, ...] = ()
        if len(tasks) < count:
            chosen = frozenset(tasks)
            cached = tuple(task for task in range(count) if task not in chosen)
        runs = runs_of(tasks) if cached else None
        source = ChunkedItems(self.encode, self.sizing, self.items, runs=runs, joins=bool(cached))
        # Another process could not know of the outcomes that the others have here.
        keep = None if cached else source.keep
        function, self.function = self.function, None
        return RunRequest(
            "map",
            self.label,
            source,
            count,
            self.program,
            function,
            self.options,
            is_program_shared=count > (self.sizing.chunksize or 1),
            cached=cached,
            keep=keep,
            keeps_remote=self.keeps_remote,
        )
