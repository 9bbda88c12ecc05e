"""The clients and connections that a store makes, and when it makes others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import ManualClock
from lambdamagic.errors import BucketMissingError, CredentialsError, TargetError
from lambdamagic.storage.s3 import S3ObjectStore

from .scripted import ScriptedServer, Step, error


class _Client:
    """A client of boto3's that lists nothing, or fails."""

    def __init__(self, endpoint_url: str, style: str, error: Exception | None) -> None:
        self.meta = SimpleNamespace(endpoint_url=endpoint_url, events=SimpleNamespace(register=lambda *_: None))
        self.style, self.closed, self._error = style, 0, error

    def list_objects_v2(self, **_: Any) -> dict[str, Any]:
        assert not self.closed
        if self._error is not None:
            raise self._error
        return {}

    def close(self) -> None:
        self.closed += 1


class _Access(AwsAccess):
    """Makes such clients, and notes them; `renews` is the answer of whoever is asked for new credentials."""

    def __init__(
        self, endpoint_url: str | None, host: str = "", *, error: Exception | None = None, renews: bool = False
    ) -> None:
        super().__init__(region="us-east-1", endpoint_url=endpoint_url, access_key_id="a", secret_access_key="s")
        self.made: list[_Client] = []
        self.renewals = self.looked_up = 0
        self._host, self._error, self._renews = host or str(endpoint_url), error, renews

    def client(self, service: str, **config: Any) -> Any:
        self.made.append(_Client(self._host, config["s3"]["addressing_style"], self._error))
        return self.made[-1]

    def renew(self) -> bool:
        self.renewals += 1
        return self._renews

    def ca_file(self) -> None:
        self.looked_up += 1


def test_a_client_lasts_as_long_as_its_session() -> None:
    """One of an older session has older credentials: it is closed, and another made, once."""
    access = _Access("http://127.0.0.1:9")
    opened = S3ObjectStore("b", access)
    assert opened.bucket == "b"
    for generation in (0, 0, 1, 1):
        access.generation = generation
        assert [*opened.list("")] == []
    assert [client.closed for client in access.made] == [1, 0]
    opened.close()
    assert [client.closed for client in access.made] == [1, 1]


@pytest.mark.parametrize(
    ("endpoint_url", "host", "styles"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9", ["path"]),
        (None, "https://s3.us-east-1.amazonaws.com", ["virtual"]),
        (None, "http://minio:9000", ["virtual", "path"]),  # by AWS_ENDPOINT_URL
    ],
)
def test_only_aws_has_a_host_for_each_bucket(endpoint_url: str | None, host: str, styles: list[str]) -> None:
    """Elsewhere the bucket is in the path; a client that was made for nothing is closed."""
    access = _Access(endpoint_url, host)
    opened = S3ObjectStore("b", access)
    assert [*opened.list("")] == []
    assert [client.style for client in access.made] == styles
    assert [client.closed for client in access.made] == [1] * (len(styles) - 1) + [0]
    opened.close()


def test_an_endpoint_that_does_not_answer_is_named() -> None:
    """With what was being done, and what botocore says."""
    opened = S3ObjectStore("b", _Access("http://127.0.0.1:9", error=EndpointConnectionError(endpoint_url="it")))
    with pytest.raises(TargetError, match=r"could not list 'p': no server answers at this address at http\S+:9 \("):
        [*opened.list("p")]
    opened.close()


@pytest.mark.parametrize(("scheme", "lookups"), [("http", 0), ("https", 1)])
def test_certificates_are_looked_up_where_there_is_tls(scheme: str, lookups: int, unused_port: int) -> None:
    """They cost the import of boto3; where there is TLS they are those that boto3 trusts."""
    access = _Access(f"{scheme}://127.0.0.1:{unused_port}")
    opened = S3ObjectStore("b", access, clock=ManualClock())
    for _ in range(2):
        with pytest.raises(TargetError):
            opened.get("k")
    assert access.looked_up == lookups
    opened.close()


@pytest.mark.parametrize(
    ("code", "renews", "renewals", "attempts"),
    [
        ("ExpiredToken", True, 1, 2),
        ("ExpiredToken", False, 1, 1),
        ("SignatureDoesNotMatch", True, 0, 1),
    ],
)
def test_only_expired_credentials_are_renewed(code: str, renews: bool, renewals: int, attempts: int) -> None:
    """Where there are others it is tried again, once; where there are none the first error is raised."""
    with ScriptedServer(error(403, code), Step()) as server:
        access = _Access(server.url, renews=renews)
        opened = S3ObjectStore("b", access)
        if attempts == 2:
            opened.put("k", [b"x"])
        else:
            with pytest.raises(CredentialsError, match=code):
                opened.put("k", [b"x"])
        opened.close()
        assert (access.renewals, len(server.requests)) == (renewals, attempts)


def test_a_redirect_that_does_not_end_is_reported_after_five_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts until DNS knows a new bucket; where it does not, the bucket is in another region."""
    monkeypatch.setattr("lambdamagic.storage.s3.store.random", SimpleNamespace(random=lambda: 0.0))
    moved = replace(error(307, "TemporaryRedirect"), headers={"x-amz-bucket-region": "us-east-1"})
    with ScriptedServer(*[moved] * 9) as server:
        access = AwsAccess(region="us-east-1", endpoint_url=server.url, access_key_id="a", secret_access_key="s")
        opened = S3ObjectStore("b", access)
        with pytest.raises(BucketMissingError, match="is in another region"):
            [*opened.list("")]
        opened.close()
        assert [request.method for request in server.requests] == ["GET"] * 5
