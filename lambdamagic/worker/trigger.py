"""A request that was uploaded: the function was started by the bucket's notification, and fetches it.

The event itself is not signed: whoever may write below the trigger prefix makes S3 send one. So the request is sealed
with a secret that the function has among its environment variables, and the job's key is derived from it. The role
needs `s3:GetObject` on the prefix, since a notification carries no permission.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any
from urllib.parse import unquote_plus

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol import reading
from lambdamagic.protocol.keys import read_trigger_key, triggered_job_key
from lambdamagic.protocol.seal import unseal

#: The environment variable that holds the secret, as hexadecimal text.
VARIABLE = "LAMBDAMAGIC_TRIGGER_KEY"
_URL_LIVES_S = 300
#: No request of ours is near it; what another has put there could fill the function's memory, at its owner's cost.
_REQUEST_BYTES = 32 << 20


def is_notification(event: Any) -> bool:
    """Return whether an event is S3's."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not isinstance(records[0], dict):
        return False
    return records[0].get("eventSource") == "aws:s3"


def requests_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events at the place that a notification names.

    Raises:
        ProtocolError: An object is no request for this function, or the function takes none.
        IntegrityError: It was not sealed with the function's secret.
        TransferError: S3 refused; FileNotFoundError: the object is gone.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise ProtocolError(
            f"this function has no {VARIABLE}: it takes no requests from a bucket",
            hint="lambdamagic deploy --trigger gives it one",
        )
    try:
        places = [_place(record) for record in event["Records"]]
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"this is not a notification of S3: {error!r}") from error
    return [_fetch(bucket, key, bytes.fromhex(text)) for bucket, key in places]


def _place(record: Any) -> tuple[str, str]:
    where = reading.table(reading.table(record)["s3"])
    name = reading.text(reading.table(where["bucket"])["name"])
    return name, unquote_plus(reading.text(reading.table(where["object"])["key"]))


def _fetch(bucket: str, key: str, secret: bytes) -> dict[str, Any]:
    from lambdamagic.storage.presigned import fetch

    try:
        job_id, attempt_id = read_trigger_key(key, os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    except ValueError as error:
        # The guard: objects that a function or another process writes are elsewhere and start nothing.
        raise ProtocolError(str(error)) from error
    data = fetch(_signed_url(bucket, key), most_bytes=_REQUEST_BYTES)
    document: dict[str, Any] = json.loads(unseal(data, key=secret, job_id=job_id, attempt_id=attempt_id))
    document["key"] = base64.b64encode(triggered_job_key(secret, job_id)).decode("ascii")
    return document


def _signed_url(bucket: str, key: str) -> str:
    """Return a URL to read the object with, signed with the role's credentials; boto3 need not be there."""
    from lambdamagic.aws.partitions import Endpoints
    from lambdamagic.aws.url_signer import UrlSigner
    from lambdamagic.worker.role_credentials import RoleCredentials

    endpoints = Endpoints.of_environment(os.environ)
    credentials = RoleCredentials()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    signer = UrlSigner(
        base_url=f"{endpoint.rstrip('/')}/{bucket}" if endpoint else endpoints.bucket_url(bucket),
        region=endpoints.region,
        credentials=lambda: credentials,
        now=time.time,
    )
    return signer.sign("GET", key, _URL_LIVES_S)
