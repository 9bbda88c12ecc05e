"""The event that the client sends and the answer that the function gives, both JSON.

Every event says first which versions wrote it; the function reads the rest only if they fit.

What the function imports has no dataclasses: their methods are compiled at import, which was a fifth of all that a cold
start imports.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.payload import FrameRef, Payload
from lambdamagic.protocol.reading import count, listed, number, table, text
from lambdamagic.protocol.stayed import Stayed

#: The key by which an event or answer is known as ours.
MARK = "lambdamagic"

#: In an event that is no request but a question about the function: what it asks for.
QUESTION = "tell"


class Upload(NamedTuple):
    """Permission to write one object: a presigned PUT URL and the key that it writes."""

    url: str
    key: str


class Live(NamedTuple):
    """Permission to show that an invocation is under way, in a separate object.

    Attributes:
        put_url: Presigned PUT.
        get_url: Presigned GET of the same object: who has begun may have to find out that it was itself.
        answer_url: Presigned GET of the answer: where there is one, another delivery of the event is done.
        every_s: How often the sign is given again.
    """

    put_url: str
    get_url: str
    answer_url: str
    every_s: float

    def to_json(self) -> list[Any]:
        """Return the event's form."""
        return [self.put_url, self.get_url, self.answer_url, self.every_s]

    @classmethod
    def from_json(cls, document: Any) -> Live:
        """Read the event's form.

        Raises:
            ValueError: It has another form.
        """
        put_url, get_url, answer_url, every_s = listed(document)
        return cls(text(put_url), text(get_url), text(answer_url), number(every_s))


class Before(NamedTuple):
    """A cell that ran before in another invocation, to be repeated here from its bytes alone.

    Attributes:
        program: What it was sent.
        answer_sizes: The frames of its answer.
        answer_parts: Where the answer is: one run of bytes in a few objects.
        numbers: Which objects of the program the answer refers to, packed.
    """

    program: Payload
    answer_sizes: tuple[int, ...]
    answer_parts: tuple[FrameRef, ...]
    numbers: str

    def to_json(self) -> dict[str, Any]:
        """Return the event's form."""
        return {
            "program": self.program.to_json(),
            "sizes": list(self.answer_sizes),
            "parts": [[part.size_bytes, part.sha256, part.url] for part in self.answer_parts],
            "numbers": self.numbers,
        }

    @classmethod
    def from_json(cls, document: Any) -> Before:
        """Read the event's form.

        Raises:
            KeyError, ValueError, ProtocolError: It has another form.
        """
        fields = table(document)
        return cls(
            Payload.from_json(fields["program"]),
            tuple(map(count, listed(fields["sizes"]))),
            tuple(FrameRef(count(size), text(sha256), text(url)) for size, sha256, url in map(listed, fields["parts"])),
            text(fields["numbers"]),
        )


#: Fields of a request by which it could be answered, read or cancelled.
_SECRET = frozenset({"key", "cancel_url", "answer_url", "live", "environment"})


class Request(NamedTuple):
    """One invocation's event.

    Attributes:
        versions: Of the client, see `versions.here`.
        kind: `cell` runs a cell's code in the captured namespace; `map` calls a function or cell body per item.
        job_id: The job that this belongs to.
        attempt_id: This attempt; names its staged results.
        key: The job's secret, with which staged results are signed.
        program: The captured code and names.
        items: The chunk's items (`map` only).
        uploads: Where results too large for the answer go, in parallel parts.
        inline_limit_bytes: Up to this size the result is part of the answer.
        cancel_url: Presigned GET of the job's cancel object; empty for none.
        answer_url: Presigned PUT for the whole answer, when no client waits for the invocation; empty otherwise.
        live: Where such an invocation shows that it is under way; None otherwise.
        options: Settings of the run, see `worker.cell_body` and `worker.mapper`.
        environment: Environment variables for the time of the run; secrets, so only ever in an event.
        before: Cells whose effects the program begins with, in their order.
        stay: Where values go that are to stay in the bucket; None where none are.
    """

    versions: dict[str, Any]
    kind: Literal["cell", "map"]
    job_id: str
    attempt_id: str
    key: bytes
    program: Payload
    items: Payload | None = None
    uploads: tuple[Upload, ...] = ()
    inline_limit_bytes: int = 0
    cancel_url: str = ""
    answer_url: str = ""
    live: Live | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    before: tuple[Before, ...] = ()
    environment: Mapping[str, str] = MappingProxyType({})
    stay: Upload | None = None

    def __repr__(self) -> str:
        """Leave out what is secret."""
        shown = ((name, value) for name, value in self._asdict().items() if name not in _SECRET)
        return f"Request({', '.join(f'{name}={value!r}' for name, value in shown)})"

    def to_json(self) -> dict[str, Any]:
        """Return the event."""
        return {
            **({"environment": dict(self.environment)} if self.environment else {}),
            **({"before": [each.to_json() for each in self.before]} if self.before else {}),
            MARK: self.versions,
            "kind": self.kind,
            "job": self.job_id,
            "attempt": self.attempt_id,
            "key": base64.b64encode(self.key).decode("ascii"),
            "program": self.program.to_json(),
            "items": None if self.items is None else self.items.to_json(),
            "uploads": [[upload.url, upload.key] for upload in self.uploads],
            "inline_limit": self.inline_limit_bytes,
            "cancel": self.cancel_url,
            "answer": self.answer_url,
            "live": None if self.live is None else self.live.to_json(),
            "options": dict(self.options),
            **({} if self.stay is None else {"stay": [self.stay.url, self.stay.key]}),
        }

    @classmethod
    def from_json(cls, event: Any) -> Request:
        """Read an event whose versions were checked.

        Raises:
            ProtocolError: Something is missing or of the wrong kind.
        """
        try:
            table(event)
            return cls(
                versions=table(event[MARK]),
                kind=event["kind"],
                job_id=text(event["job"]),
                attempt_id=text(event["attempt"]),
                key=base64.b64decode(text(event["key"]), validate=True),
                program=Payload.from_json(event["program"]),
                items=None if event["items"] is None else Payload.from_json(event["items"]),
                uploads=tuple([Upload(text(url), text(key)) for url, key in map(listed, listed(event["uploads"]))]),
                inline_limit_bytes=count(event["inline_limit"]),
                cancel_url=text(event["cancel"]),
                answer_url=text(event.get("answer", "")),
                live=None if event.get("live") is None else Live.from_json(event["live"]),
                options=table(event["options"]),
                before=tuple(map(Before.from_json, listed(event["before"]))) if "before" in event else (),
                environment={text(key): text(value) for key, value in table(event.get("environment", {})).items()},
                stay=Upload(*map(text, listed(event["stay"]))) if "stay" in event else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"this event is not a lambdamagic request: {error!r}") from error


class Usage(NamedTuple):
    """What a run used, as measured inside the function.

    Attributes:
        duration_ms: From the handler's entry to its return, as far as it is known before that.
        user_ms: The user's code alone.
        peak_memory_mb: Highest resident memory of the execution environment so far.
        cold: Whether this was the environment's first invocation.
        environment_id: Which execution environment it was (its log stream).
        fetched_bytes: Staged bytes read from S3 (not from the environment's own cache).
        s3_requests: Requests made to S3 that are billed.
        s3_writes: How many of them were PUT or POST.
        init_ms: How long INIT took, if it ran for this invocation; with one before it that failed.
    """

    duration_ms: float = 0.0
    user_ms: float = 0.0
    peak_memory_mb: int = 0
    cold: bool = False
    environment_id: str = ""
    fetched_bytes: int = 0
    s3_requests: int = 0
    s3_writes: int = 0
    init_ms: float = 0.0

    @property
    def billed_ms(self) -> int:
        """What Lambda bills, as far as the function knows: whole milliseconds, INIT included."""
        return math.ceil(self.duration_ms + self.init_ms)

    @classmethod
    def from_json(cls, document: Any) -> Usage:
        """Read the answer's form.

        Raises:
            TypeError, ValueError: It has another form.
        """
        fields: dict[str, Any] = {
            name: value is True if name == "cold" else text(value) if name == "environment_id" else number(value)
            for name, value in table(document).items()
            if name in cls._fields  # a newer function may send more
        }
        return cls(**fields)


class TaskSummary(NamedTuple):
    """How one task ended.

    Attributes:
        seconds: Run time of the user's code.
        error: Type and message of its exception in one line; empty when it returned.
        kinds: The exception's type and that type's parents, with their modules; only if the request asks for them
            (option `retry_on`).
    """

    seconds: float
    error: str = ""
    kinds: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> TaskSummary:
        """Read the answer's form.

        Raises:
            ValueError: It has another form.
        """
        seconds, error, *kinds = listed(document)
        return cls(number(seconds), text(error), tuple(text(kind) for some in kinds for kind in listed(some)))


class Response:
    """The function's answer, which is completed on its way: by its payload, and last by what it used.

    Attributes:
        versions: Of the function.
        status: `done` (the payload holds the outcome, be it a value or the user's exception), `timed_out` and
            `cancelled` (`detail` holds the stacks), `refused` (`detail` says why; nothing ran).
        payload: The encoded outcome.
        numbers: Memo numbers of the client's objects that the payload refers to, packed.
        signature: HMAC of the staged parts.
        outputs: What the code printed and displayed, in order.
        usage: What it used.
        tasks: For each task that has its outcome, in order, what is known without unpickling it.
        detail: See status.
        error_kind: For `refused`: which error of ours it is.
        binds_only: Whether the payload does nothing but bind names and show a value.
        stayed: Values that stay in the bucket; None without any.
    """

    def __init__(
        self,
        versions: dict[str, Any],
        status: Literal["done", "timed_out", "cancelled", "refused"],
        payload: Payload | None = None,
        *,
        numbers: str = "",
        signature: str = "",
        outputs: list[dict[str, Any]] | None = None,
        usage: Usage | None = None,
        tasks: list[TaskSummary] | None = None,
        detail: str = "",
        error_kind: str = "",
        binds_only: bool = False,
        stayed: Stayed | None = None,
    ) -> None:
        self.versions = versions
        self.status = status
        self.payload = payload
        self.numbers = numbers
        self.signature = signature
        self.outputs = [] if outputs is None else outputs
        self.usage = Usage() if usage is None else usage
        self.tasks = [] if tasks is None else tasks
        self.detail = detail
        self.error_kind = error_kind
        self.binds_only = binds_only
        self.stayed = stayed

    def to_json(self) -> dict[str, Any]:
        """Return the answer's document."""
        return {
            MARK: self.versions,
            "status": self.status,
            "payload": None if self.payload is None else self.payload.to_json(),
            "numbers": self.numbers,
            "signature": self.signature,
            "outputs": self.outputs,
            "usage": self.usage._asdict(),
            "tasks": [[task.seconds, task.error, *([task.kinds] if task.kinds else [])] for task in self.tasks],
            "detail": self.detail,
            "error_kind": self.error_kind,
            **({"binds_only": True} if self.binds_only else {}),
            **({} if self.stayed is None else {"stayed": self.stayed.to_json()}),
        }

    @classmethod
    def from_json(cls, document: Any) -> Response:
        """Read an answer.

        Raises:
            ProtocolError: It is not lambdamagic's, for example because the function is not lambdamagic's.
        """
        try:
            table(document)
            return cls(
                versions=table(document[MARK]),
                status=document["status"],
                payload=None if document["payload"] is None else Payload.from_json(document["payload"]),
                numbers=text(document["numbers"]),
                signature=text(document["signature"]),
                outputs=[table(output) for output in listed(document["outputs"])],
                usage=Usage.from_json(document["usage"]),
                tasks=[TaskSummary.from_json(task) for task in listed(document["tasks"])],
                detail=text(document["detail"]),
                error_kind=text(document["error_kind"]),
                binds_only=document.get("binds_only", False) is True,
                stayed=Stayed.from_json(document["stayed"]) if "stayed" in document else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(
                f"the function's answer is not lambdamagic's: {_shape(document)}",
                hint="Use a function from `lambdamagic list`, or one whose handler is "
                "lambdamagic.worker.handler.handler",
            ) from error


def _shape(document: Any) -> str:
    """Describe an answer without its values: a function that echoes its event would expose the job's key and URLs."""
    if isinstance(document, dict):
        return "an object with " + (", ".join(map(repr, [*document][:5])) or "nothing in it")
    return f"a {type(document).__name__}"
