"""Send one event to a function, unchanged."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.functions import describe_function
from lambdamagic.errors import ConfigError
from lambdamagic.protocol.envelope import MARK
from lambdamagic.protocol.reading import read_json
from lambdamagic.transports import InvokeCall
from lambdamagic.transports.lambda_api import LambdaTransport


@dataclass(frozen=True)
class RawAnswer:
    """A function's answer.

    Attributes:
        payload: Its answer, as text.
        error: Lambda's kind of error if it failed, else empty.
        log_tail: The end of its log, at most 4 KB.
        arch: The function's architecture, which has a price.
    """

    payload: str
    error: str
    log_tail: str
    arch: str = "x86_64"

    @property
    def refusal(self) -> str:
        """Why one of lambdamagic's functions did not take the event; empty for any other answer."""
        try:
            document = read_json(self.payload)
        except ValueError:
            return ""
        is_refusal = isinstance(document, dict) and MARK in document and document.get("status") == "refused"
        return str(document.get("detail", "")) if is_refusal else ""


def send_event(access: AwsAccess, name: str, payload: str) -> RawAnswer:
    """Invoke a function once and wait for its answer, however long it takes; billed.

    Not by boto3, which times out after a minute and sends it again, four times.

    Raises:
        InvocationLostError: The connection broke; whether it ran is unknown.
        ConfigError: The payload is not JSON.
        FunctionMissingError: There is no such function.
    """
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the payload is not JSON: {error}", hint="For example: --payload '{\"a\": 1}'") from error
    facts = describe_function(access, name)
    with closing(LambdaTransport(access, max_connections=1)) as transport:
        reply = transport.invoke(InvokeCall(name, payload.encode(), want_log_tail=True, timeout_s=facts.timeout_s))
    return RawAnswer(reply.payload.decode(errors="replace"), reply.function_error or "", reply.log_tail, facts.arch)
