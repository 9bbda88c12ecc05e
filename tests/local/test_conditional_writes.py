"""S3's conditional writes, on moto in this process, whose threads can be held where they would meet."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.s3.models import S3Backend, s3_backends

from lambdamagic.local.control.moto_app import MotoApp
from lambdamagic.local.server.http_server import HttpRequest
from lambdamagic.local.server.server_options import DEFAULT_ACCOUNT_ID, DEFAULT_REGION

BUCKET = "conditional"
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request"  # moto only looks whether there is one


@pytest.fixture
def app():
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_bucket(BUCKET, DEFAULT_REGION)
    yield MotoApp(account_id=DEFAULT_ACCOUNT_ID)
    backend.reset()


@pytest.fixture
def meeting(monkeypatch):
    """Let whoever has looked for the object wait a moment for another who has, before either writes."""
    both, written = threading.Barrier(2), S3Backend.put_object

    def put_object(self, *args, **kwargs):
        try:
            both.wait(0.3)
        except threading.BrokenBarrierError:
            pass  # no other writer has come as far
        return written(self, *args, **kwargs)

    monkeypatch.setattr(S3Backend, "put_object", put_object)
    return both


def _send(app, method, query="", *, body=b"", **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest(method, f"/{BUCKET}/key", query, {"host": "127.0.0.1", "authorization": SIGNED, **sent}, body)
    return app.answer("s3", request)


def _both(app, *arguments):
    with ThreadPoolExecutor(2) as threads:
        sent = [threads.submit(_send, app, *a[:-1], **a[-1]) for a in arguments]
        return sorted(future.result().status for future in sent)


def test_one_of_two_conditional_writes_succeeds(app, meeting):
    """Two deliveries of one event claim it at once, and only one may run."""
    claim = ("PUT", {"body": b"mine", "if_none_match": "*"})
    assert _both(app, claim, claim) == [200, 412]


def test_one_of_two_if_match_writes_succeeds(app, meeting):
    """Whoever writes second finds another ETag than it names."""
    etag = dict(_send(app, "PUT", body=b"old").headers)["ETag"]
    meeting.reset()
    assert _both(app, ("PUT", {"body": b"a", "if_match": etag}), ("PUT", {"body": b"b", "if_match": etag})) == [
        200,
        412,
    ]


def test_one_of_two_conditional_multipart_uploads_succeeds(app, meeting):
    """CompleteMultipartUpload carries the condition too, of an upload and of a simple write next to it."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    completions = []
    for _ in range(2):
        upload = backend.create_multipart_upload(BUCKET, "key", {}, "STANDARD", [], None, None, None)
        etag = backend.upload_part(BUCKET, upload.id, 1, b"part").etag
        part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        completions.append(("POST", f"uploadId={upload.id}", {"body": body, "if_none_match": "*"}))
    assert _both(app, *completions) == [200, 412]
