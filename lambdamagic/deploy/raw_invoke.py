"""One event to a function, as it is."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.aws_calls import client, told
from lambdamagic.errors import ConfigError
from lambdamagic.protocol.envelope import MARK


@dataclass(frozen=True)
class RawAnswer:
    """What a function answered.

    Attributes:
        payload: Its answer, as text.
        error: Lambda's kind of error if it failed, else empty.
        log_tail: The end of its log, at most 4 KB.
    """

    payload: str
    error: str
    log_tail: str

    @property
    def refusal(self) -> str:
        """Why one of lambdamagic's functions did not take the event; empty for any other answer."""
        try:
            document = json.loads(self.payload)
        except ValueError:
            return ""
        is_refusal = isinstance(document, dict) and MARK in document and document.get("status") == "refused"
        return str(document.get("detail", "")) if is_refusal else ""


def send_event(access: AwsAccess, name: str, payload: str) -> RawAnswer:
    """Invoke a function and wait for its answer; billed.

    Raises:
        ConfigError: The payload is not JSON.
        FunctionMissingError: There is no such function.
    """
    try:
        json.loads(payload)
    except ValueError as error:
        raise ConfigError(f"the payload is not JSON: {error}", hint="For example: --payload '{\"a\": 1}'") from error
    with told(f"invoke the function {name}", function=name), client(access, "lambda") as lambda_:
        answer = lambda_.invoke(FunctionName=name, Payload=payload.encode(), LogType="Tail")
        body = answer["Payload"].read().decode(errors="replace")
    tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    return RawAnswer(body, str(answer.get("FunctionError", "")), tail)
