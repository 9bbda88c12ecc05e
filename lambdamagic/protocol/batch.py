"""Batches of events in one request to the invoker, and the outcome of each.

What all events of a batch have alike (the program, the job's key, options) is in it once. The rest, above all
presigned URLs, which differ in a few characters only, is packed by zlib: of an event of 30 KB some 500 bytes are sent.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdamagic.errors import ProtocolError
from lambdamagic.limits import AWS_LAMBDA, ENVELOPE_ALLOWANCE_BYTES
from lambdamagic.protocol import reading
from lambdamagic.protocol.envelope import MARK

#: The kind by which the invoker knows a batch.
KIND = "fan out"

#: The environment variable of the invoker that names the function whose events it takes.
INVOKES_VARIABLE = "LAMBDAMAGIC_INVOKES"
#: The environment variable of that function which names its invoker.
INVOKER_VARIABLE = "LAMBDAMAGIC_INVOKER"

#: Lambda's runtime gives the invoker the whole request at once, and half a second or so goes by for 250 of them: what
#: is lost with it when it dies stays small, and several batches of one map are under way together.
BATCH_MAX_EVENTS = 250
#: The timeout of an invoker, in seconds: those take it a second or so, and what is left bears an endpoint that is slow.
TIMEOUT_S = 60
#: Before it is packed. Text that zlib cannot shorten (Base64 of something random) grows back to its length by our own.
BATCH_MAX_BYTES = AWS_LAMBDA.sync_payload_bytes.most - 8 * ENVELOPE_ALLOWANCE_BYTES
_ZLIB_LEVEL = 1
_BRACKETS = 4

#: How an event ended that Lambda did not answer: in place of the HTTP status.
NO_ANSWER = 0
NOT_SENT, LOST = "NotSent", "Lost"


@dataclass(frozen=True, slots=True)
class Fate:
    """The outcome of one event.

    Attributes:
        status: 202 if Lambda took it, else its refusal's HTTP status; 0 (`NO_ANSWER`) if there was none.
        code: AWS's error code; `NOT_SENT` or `LOST` where Lambda did not answer.
        message: What AWS said, or why there was no answer; empty for an event that there was no time for.
        retry_after_s: How long Lambda asked to wait.
    """

    status: int
    code: str = ""
    message: str = ""
    retry_after_s: float = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the event is in Lambda's queue."""
        return self.status == 202

    @classmethod
    def from_json(cls, document: Any) -> Fate:
        """Read the answer's form.

        Raises:
            ValueError: It has another form.
        """
        status, *rest = reading.listed(document)
        code, message, retry_after_s = rest or ("", "", 0.0)
        return cls(reading.count(status), reading.text(code), reading.text(message), reading.number(retry_after_s))

    def to_json(self) -> list[Any]:
        """Return the answer's form."""
        return [self.status] if self.is_taken else [self.status, self.code, self.message, self.retry_after_s]


@dataclass(frozen=True)
class Batch:
    """Events for one function.

    Attributes:
        versions: Of the client, see `versions.here`.
        function: The bare name of the function, which must be the invoker's own or a variant of it.
        job_id: The job that all of them belong to.
        tasks: The lowest and the highest number of their tasks.
        shared: The fields that all events have alike.
        own: Each event's other fields.
    """

    versions: dict[str, Any]
    function: str
    job_id: str
    tasks: tuple[int, int]
    shared: dict[str, Any]
    own: tuple[dict[str, Any], ...]

    @classmethod
    def of(
        cls, documents: Sequence[dict[str, Any]], *, versions: dict[str, Any], function: str, tasks: tuple[int, int]
    ) -> Batch:
        """Put events of one job together; what is equal in all of them stands once.

        Args:
            documents: What `Request.to_json` returned; at least one.
            versions: See the class.
            function: See the class.
            tasks: See the class.
        """
        first = documents[0]
        shared = {key: value for key, value in first.items() if all(_has(each, key, value) for each in documents)}
        own = tuple({key: value for key, value in each.items() if key not in shared} for each in documents)
        return cls(versions, function, str(first["job"]), tasks, shared, own)

    def to_json(self) -> dict[str, Any]:
        """Return the request's document."""
        text = json.dumps([self.shared, self.own], separators=(",", ":"))
        return {
            MARK: self.versions,
            "kind": KIND,
            "function": self.function,
            "job": self.job_id,
            "tasks": list(self.tasks),
            "packed": base64.b64encode(zlib.compress(text.encode(), _ZLIB_LEVEL)).decode("ascii"),
        }

    @classmethod
    def from_json(cls, document: Any) -> Batch:
        """Read a document whose versions were checked.

        Raises:
            ProtocolError: It is no batch, or larger than one may be.
        """
        try:
            if document.get("kind") != KIND:
                raise ValueError(f"its kind is {document.get('kind')!r}")
            reader = zlib.decompressobj()
            text = reader.decompress(base64.b64decode(document["packed"], validate=True), BATCH_MAX_BYTES)
            if not reader.eof:
                raise ValueError(f"it is cut off, or longer than {BATCH_MAX_BYTES:,} bytes")
            shared, own = reading.listed(reading.read_json(text))
            if len(own) > BATCH_MAX_EVENTS:
                raise ValueError(f"it has {len(own)} events; the maximum is {BATCH_MAX_EVENTS}")
            first, last = reading.listed(document["tasks"])
            return cls(
                reading.table(document[MARK]),
                reading.text(document["function"]),
                reading.text(document["job"]),
                (reading.count(first), reading.count(last)),
                reading.table(shared),
                tuple(map(reading.table, own)),
            )
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise ProtocolError(f"this is not a batch of events: {error!r}") from error

    def payload(self, number: int) -> bytes:
        """Return one event as it is sent."""
        return json.dumps({**self.shared, **self.own[number]}).encode()


def fitting(documents: Sequence[dict[str, Any]]) -> int:
    """Return how many events, from the first on, one batch takes; 0 if the first is too large for any.

    An event above what Lambda takes is none for a batch either: sent directly, it is refused in Lambda's own words.

    Args:
        documents: What `Request.to_json` returned.
    """
    first = documents[0] if documents else {}
    shared = {key: _size(key, value) for key, value in first.items()}
    own_bytes = 0
    for count, each in enumerate(documents[:BATCH_MAX_EVENTS]):
        # A value that was shared up to here and differs now is added to each event before.
        lost = sum(shared.pop(key) for key, value in first.items() if key in shared and not _has(each, key, value))
        mine = sum(_size(key, value) for key, value in each.items() if key not in shared)
        shared_bytes = sum(shared.values())
        own_bytes += count * lost + mine + _BRACKETS
        if shared_bytes + own_bytes > BATCH_MAX_BYTES or shared_bytes + mine > AWS_LAMBDA.async_payload_bytes.most:
            return count
    return min(len(documents), BATCH_MAX_EVENTS)


@dataclass(frozen=True)
class BatchAnswer:
    """The invoker's answer.

    Attributes:
        versions: Of the invoker.
        fates: What became of each event, in their order.
    """

    versions: dict[str, Any]
    fates: tuple[Fate, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the answer's document."""
        return {MARK: self.versions, "status": "done", "fates": [fate.to_json() for fate in self.fates]}

    @classmethod
    def from_json(cls, document: Any) -> BatchAnswer:
        """Read an answer whose status is `done`.

        Raises:
            ProtocolError: It has another form.
        """
        try:
            fields = reading.table(document)
            return cls(reading.table(fields[MARK]), tuple(map(Fate.from_json, reading.listed(fields["fates"]))))
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError("the invoker gave an answer that is not lambdamagic's") from error


def _has(document: dict[str, Any], key: str, value: Any) -> bool:
    found = document.get(key)
    return found is value or found == value


def _size(key: str, value: Any) -> int:
    """Return how long a field is, written with blanks as an event is."""
    return len(json.dumps(value)) + len(key) + len('"": , ')
