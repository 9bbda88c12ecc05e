"""Lambda's Invoke API, on AWS or wherever the endpoint points.

boto3 finds credentials, region, endpoint and certificates; the request itself is signed and sent here. On one core
botocore's `client.invoke` was measured to take seven times the processor time (endpoint rules, serializers, event
hooks, parsers) for one POST with three headers. Nor can it say whether a request that broke had been sent in full,
which decides whether it may be sent again.
"""

from __future__ import annotations

import base64
import http.client
import threading
import time
from urllib.parse import quote, urlsplit

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.aws_errors import is_expired
from lambdamagic.aws.connections import NETWORK_ERRORS, Connections, NotSentError
from lambdamagic.aws.invoke_refusal import InvokeRefusal
from lambdamagic.aws.request_signer import RequestSigner
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.errors import CredentialsError, InvocationLostError, LambdaMagicError, TargetError, UnreachableError
from lambdamagic.transports.transport import InvocationReply, InvokeCall

_MARGIN_S = 20.0  # INIT (10 s, "Lambda runtime environment lifecycle") is not part of the function's timeout
_EVENT_TIMEOUT_S = 30.0  # only until the event is queued


class LambdaTransport:
    """Invokes functions of one account and region; a `Transport`. Thread-safe.

    Nothing is imported, asked or connected before the first invocation.

    Args:
        access: The account.
        max_connections: How many connections are kept while idle; as many as invocations run at once.
        connect_timeout_s: For the TCP connection and the TLS handshake each.
        clock: The time in signatures.
    """

    def __init__(
        self,
        access: AwsAccess,
        *,
        max_connections: int = 64,
        connect_timeout_s: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._access = access
        self._max_connections = max_connections
        self._connect_timeout_s = connect_timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._opened: tuple[str, Connections, RequestSigner] | None = None

    def invoke(self, invocation: InvokeCall) -> InvocationReply:
        """Deliver one invocation; see `Transport.invoke`.

        If the token has expired, nothing ran: whoever signed in meanwhile has left a new one.
        """
        try:
            return self._invoke(invocation)
        except CredentialsError as error:
            if not is_expired(error) or not self._access.renew():
                raise
        return self._invoke(invocation)

    def _invoke(self, invocation: InvokeCall) -> InvocationReply:
        endpoint, connections, signer = self._open()
        url = f"{endpoint}/2015-03-31/functions/{quote(invocation.function, safe='')}/invocations"
        query = f"Qualifier={quote(invocation.qualifier, safe='')}" if invocation.qualifier else ""
        headers: dict[str, str] = {"X-Amz-Invocation-Type": invocation.kind}
        if invocation.want_log_tail:
            headers["X-Amz-Log-Type"] = "Tail"
        signed = signer.sign("POST", url, query, headers, invocation.payload)
        synchronous = invocation.kind == "RequestResponse"
        began = time.monotonic()
        try:
            with connections.exchange(
                "POST",
                f"{url}?{query}" if query else url,
                headers=signed,
                body=[memoryview(invocation.payload)],
                timeout_s=invocation.timeout_s + _MARGIN_S if synchronous else _EVENT_TIMEOUT_S,
            ) as response:
                return self._reply(invocation, response, response.read())
        except NotSentError as exc:
            raise UnreachableError(
                f"could not invoke {invocation.function!r}: nothing was sent to {endpoint}: {exc}",
                hint="Check the network, the proxy settings and the settings `endpoint_url` and `region`",
            ) from exc
        except NETWORK_ERRORS as exc:
            lost = InvocationLostError(
                f"the connection to {endpoint} broke after {invocation.function!r} was invoked "
                f"({type(exc).__name__}: {exc}); whether the code ran is unknown"
            )
            if synchronous:
                lost.silent_s = time.monotonic() - began
            raise lost from exc

    def refused(self, function: str, *, status: int, code: str, message: str, retry_after_s: float) -> LambdaMagicError:
        """Read a refusal that an invoker met; see `Transport.refused`."""
        return InvokeRefusal(status, code, message, retry_after_s).error(function)

    def close(self) -> None:
        """Close the connections; invocations under way raise InvocationLostError at once. Idempotent."""
        with self._lock:
            self._closed = True
            opened = self._opened
        if opened is not None:
            opened[1].close()

    def _open(self) -> tuple[str, Connections, RequestSigner]:
        if self._opened is None:
            with self._lock:
                if self._closed:
                    raise TargetError("the transport was closed")
                if self._opened is None:
                    self._opened = self._find_endpoint()
        return self._opened

    def _find_endpoint(self) -> tuple[str, Connections, RequestSigner]:
        endpoint = self._access.endpoint_url
        if endpoint is None:
            client = self._access.client("lambda")  # knows partitions, FIPS, dual stack and AWS_ENDPOINT_URL_LAMBDA
            endpoint = str(client.meta.endpoint_url)
            client.close()
        secure = urlsplit(endpoint).scheme == "https"
        connections = Connections(
            connect_timeout_s=self._connect_timeout_s,
            cafile=self._access.ca_file() if secure else None,
            max_idle=self._max_connections,
        )
        signer = RequestSigner(
            region=self._access.region,
            service="lambda",
            credentials=self._access.credentials,
            now=self._clock.time,
        )
        return endpoint.rstrip("/"), connections, signer

    def _reply(self, invocation: InvokeCall, response: http.client.HTTPResponse, body: bytes) -> InvocationReply:
        headers = response.headers
        if response.status >= 300:
            refusal = InvokeRefusal.read(response, body)
            raise refusal.error(invocation.function, where=self._access.endpoint_url or "")
        return InvocationReply(
            status=response.status,
            payload=body,
            function_error=headers.get("X-Amz-Function-Error"),
            log_tail=_decoded(headers.get("X-Amz-Log-Result", "")),
            request_id=headers.get("x-amzn-RequestId", ""),
            executed_version=headers.get("X-Amz-Executed-Version", ""),
        )


def _decoded(log_result: str) -> str:
    # The tail is cut at 4 KiB, perhaps inside of a character. An answer without its log is not lost.
    try:
        return base64.b64decode(log_result).decode("utf-8", "replace")
    except ValueError:
        return ""
