"""The invoker's entry point, `lambdamagic.worker.invoker.handler`: hands a batch of events to Lambda's queue.

Its role may invoke one function and that function's variants. It refuses every other name also, reads no program and
runs no code of a user's, and tries nothing again: what became of each event is answered, and the client decides.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambdamagic.aws.connections import Connections
    from lambdamagic.aws.request_signer import RequestSigner
    from lambdamagic.protocol.batch import Batch, Fate

#: Requests to Lambda at once: more than the processor share of 1,024 MB can sign while they wait.
_THREADS = 16
_CONNECT_TIMEOUT_S = 5.0
#: For Lambda's answer to one event.
_ANSWER_TIMEOUT_S = 10.0
#: What is left of the function's time when no further event is begun: an answer that is waited for, and our own.
_STOP_BEFORE_S = _ANSWER_TIMEOUT_S + 2 * _CONNECT_TIMEOUT_S + 2.0

_state: dict[str, Any] = {}


def handler(event: Any, context: Any) -> Any:
    """Send the events of one batch and return what became of each; see `protocol.batch`."""
    from lambdamagic.errors import LambdaMagicError
    from lambdamagic.protocol import versions
    from lambdamagic.protocol.batch import BatchAnswer
    from lambdamagic.protocol.envelope import Response

    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _STOP_BEFORE_S
    try:
        batch = _batch_of(event)
    except LambdaMagicError as error:
        return Response(versions.here(), "refused", detail=str(error), error_kind=type(error).__name__).to_json()
    return BatchAnswer(versions.here(), _send_all(batch, deadline)).to_json()


def _batch_of(event: Any) -> Batch:
    """Return the batch, checked.

    Raises:
        ProtocolError: It is none, or is for a function that is not this invoker's.
        VersionMismatchError: It was written by another version.
    """
    from lambdamagic.errors import ProtocolError
    from lambdamagic.protocol import versions
    from lambdamagic.protocol.batch import INVOKES_VARIABLE, Batch
    from lambdamagic.protocol.envelope import MARK
    from lambdamagic.protocol.joblog import job_line

    own = os.environ.get(INVOKES_VARIABLE, "")
    if not isinstance(event, dict) or not isinstance(event.get(MARK), dict):
        raise ProtocolError(
            "this function is an invoker: it accepts batches of events, and runs no code itself",
            hint=f"Name the function that it invokes: {own}",
        )
    versions.check({**event[MARK], "serializers": {}}, versions.here())
    batch = Batch.from_json(event)
    if not own or not _is_own(batch.function, own):
        raise ProtocolError(f"this invoker invokes {own or 'nothing'} and its variants, not {batch.function!r}")
    if batch.own:
        # By this line `lambdamagic logs --job` finds what was handed over, and when.
        print(job_line(batch.job_id, f"batch-of-{len(batch.own)}", *batch.tasks), flush=True)  # noqa: T201  # the log
    return batch


def _is_own(function: str, own: str) -> bool:
    """Return whether a name is that of the invoker's own function or of a variant, as `variant_name` makes them."""
    import re

    from lambdamagic.protocol.keys import variant_prefix

    return function == own or re.fullmatch(re.escape(variant_prefix(own)) + r"-py3\d+-\d+mb-\d+s", function) is not None


def _send_all(batch: Batch, deadline: float) -> tuple[Fate, ...]:
    """Send the events from some threads, which end with the batch: nothing runs while the environment is frozen."""
    from lambdamagic.protocol.batch import LOST, NO_ANSWER, NOT_SENT, Fate

    sender = _state.get("sender")
    if sender is None:
        sender = _state["sender"] = EventSender()
    sender.forget_idle()  # the environment was frozen since the last batch
    fates = [Fate(NO_ANSWER, NOT_SENT)] * len(batch.own)
    numbers = iter(range(len(fates)))
    lock = threading.Lock()

    def work() -> None:
        while time.monotonic() < deadline:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            fates[number] = Fate(NO_ANSWER, LOST, "the invoker does not know its outcome")  # should this raise
            fates[number] = sender.send(batch.function, batch.payload(number))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_THREADS, len(fates)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()) + _STOP_BEFORE_S - 1.0)
    return tuple(fates)


class EventSender:
    """Lambda's Invoke for events; keeps connections from batch to batch. Thread-safe."""

    def __init__(self) -> None:
        from lambdamagic.aws.connections import Connections
        from lambdamagic.aws.partitions import Endpoints
        from lambdamagic.aws.request_signer import RequestSigner
        from lambdamagic.worker.role_credentials import RoleCredentials

        endpoints = Endpoints.of_environment(os.environ)
        endpoint = os.environ.get("AWS_ENDPOINT_URL_LAMBDA") or os.environ.get("AWS_ENDPOINT_URL")
        self._endpoint = (endpoint or endpoints.service_url("lambda")).rstrip("/")
        self._connections: Connections = Connections(connect_timeout_s=_CONNECT_TIMEOUT_S, max_idle=_THREADS)
        credentials = RoleCredentials()
        self._signer: RequestSigner = RequestSigner(
            region=endpoints.region, service="lambda", credentials=lambda: credentials, now=time.time
        )

    def forget_idle(self) -> None:
        """Send on new connections from now on."""
        self._connections.forget_idle()

    def send(self, function: str, payload: bytes, *, trace_id: str = "") -> Fate:
        """Hand one event over and return what happens to it.

        Args:
            function: The function.
            payload: The event.
            trace_id: Of the invocation that sends it; by that AWS sees functions that invoke each other without end
                ("Use Lambda recursive loop detection to prevent infinite loops", Developer Guide).
        """
        from lambdamagic.aws.connections import NETWORK_ERRORS, NotSentError
        from lambdamagic.aws.invoke_refusal import InvokeRefusal
        from lambdamagic.protocol.batch import LOST, NO_ANSWER, NOT_SENT, Fate

        url = f"{self._endpoint}/2015-03-31/functions/{function}/invocations"
        headers = {"X-Amz-Invocation-Type": "Event", **({"X-Amzn-Trace-Id": trace_id} if trace_id else {})}
        headers = self._signer.sign("POST", url, "", headers, payload)
        try:
            with self._connections.exchange(
                "POST", url, headers=headers, body=[memoryview(payload)], timeout_s=_ANSWER_TIMEOUT_S
            ) as response:
                body = response.read()
                if response.status < 300:
                    return Fate(202)
                said = InvokeRefusal.read(response, body)
        except NotSentError as error:
            return Fate(NO_ANSWER, NOT_SENT, f"nothing was sent to {self._endpoint}: {error}")
        except NETWORK_ERRORS as error:
            return Fate(NO_ANSWER, LOST, f"{type(error).__name__}: {error}")
        return Fate(said.status, said.code, said.message, said.retry_after_s)
