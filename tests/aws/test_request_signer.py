"""The Authorization header, held against botocore's."""

from __future__ import annotations

import calendar
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambdamagic.aws.request_signer import RequestSigner


@pytest.mark.parametrize("token", [None, "session/token+=="])
@pytest.mark.parametrize("query", ["", "Qualifier=%24LATEST"])
@pytest.mark.parametrize("name", ["f", "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af"])
def test_the_signature_is_botocores(token: str | None, query: str, name: str) -> None:
    """For the same request at the same moment, header for header."""
    url = f"https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/{name}/invocations"
    headers = {"X-Amz-Invocation-Type": "RequestResponse", "X-Amz-Log-Type": "Tail"}
    credentials = Credentials("AKIA", "secret", token)
    request = AWSRequest("POST", f"{url}?{query}" if query else url, headers=headers, data=b'{"a": 1}')
    SigV4Auth(credentials, "lambda", "eu-central-1").add_auth(request)
    moment = calendar.timegm(time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    signer = RequestSigner(
        region="eu-central-1",
        service="lambda",
        credentials=credentials.get_frozen_credentials,
        now=lambda: float(moment),
    )
    assert signer.sign("POST", url, query, headers, b'{"a": 1}') == dict(request.headers.items())
