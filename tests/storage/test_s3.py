"""S3 in particular: how many requests, what is billed, what AWS's refusals become."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.url_signer import UrlSigner
from lambdamagic.clock import ManualClock
from lambdamagic.errors import BucketMissingError, ConfigError, CredentialsError, TargetError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.storage.presigned import Transfer
from lambdamagic.storage.requests import RequestMeter, S3Requests, paid_by, payer
from lambdamagic.storage.retry import TransferRetry
from lambdamagic.storage.s3 import S3ObjectStore
from lambdamagic.storage.s3.multipart import cut

from .conftest import PARTS, access_to
from .scripted import DROP, ScriptedServer, Step, error

Make = Callable[..., S3ObjectStore]

LARGE = bytes(12 << 20)


def requests_of(faults: Faults) -> dict[str, int]:
    return faults.stats(reset=True)["requests"].get("s3", {})


def test_small_objects_cost_one_request_each_way(s3_store: Make, faults: Faults) -> None:
    """A small put is one PUT, a small get one GET though its size is unknown, and signing makes no request."""
    store = s3_store()
    store.put("k", [b"hello"])
    assert requests_of(faults) == {"PutObject": 1}
    store.get("k")
    assert requests_of(faults) == {"GetObject": 1}
    store.exists("k")
    assert requests_of(faults) == {"HeadObject": 1}
    store.presign_get("k", 60)
    store.presign_put("k", 60)
    assert requests_of(faults) == {}


def test_large_objects_cost_one_request_a_part(s3_store: Make, faults: Faults) -> None:
    """12 MiB in parts of 5 are three parts and the two requests around them; read, they are the head and two more."""
    store = s3_store(tuning=PARTS)
    store.put("k", [LARGE])
    assert requests_of(faults) == {"CreateMultipartUpload": 1, "UploadPart": 3, "CompleteMultipartUpload": 1}
    store.get("k")
    assert requests_of(faults) == {"GetObject": 3}
    store.get_into("k", len(LARGE), memoryview(bytearray(len(LARGE))))
    assert requests_of(faults) == {"GetObject": 3}


def test_on_this_machine_large_objects_go_in_one_stream(s3_store: Make, faults: Faults) -> None:
    """Next to the embedded Lambda there is no bandwidth to win by parts."""
    store = s3_store()
    store.put("k", [bytes(20 << 20)])
    store.get("k")
    assert requests_of(faults) == {"PutObject": 1, "GetObject": 1}


def test_a_failed_upload_leaves_no_parts(s3_store: Make, faults: Faults, access: AwsAccess) -> None:
    """When a part fails for good the upload is aborted: its parts would be billed for ever."""
    store = s3_store(tuning=PARTS)
    faults.refuse_s3(count=None, operation="UploadPart", status=403)
    with pytest.raises(TargetError):
        store.put("k", [LARGE])
    client = access.client("s3")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=store.bucket)
    client.close()
    assert not store.exists("k")


def test_a_slow_down_is_waited_out(s3_store: Make, faults: Faults) -> None:
    """503 SlowDown is answered with retries, on every operation, and the caller does not notice."""
    clock = ManualClock()
    patient = Transfer(clock=clock)
    store = s3_store()
    faults.refuse_s3(count=2)
    url = store.presign_put("k", 60)
    patient.upload(url, [b"hello"])
    assert requests_of(faults)["PutObject"] == 3
    faults.refuse_s3(count=2)
    assert patient.fetch(store.presign_get("k", 60), 5) == b"hello"
    assert len(clock.sleeps) == 4
    patient.close()


def test_a_billed_result_is_retried_until_the_deadline(s3_store: Make, faults: Faults) -> None:
    """An answer is offered to an S3 that slows down for as long as the deadline allows, not for six attempts."""
    clock = ManualClock()
    patient = Transfer(clock=clock, jitter=lambda: 0.999)
    store = s3_store()
    faults.refuse_s3(count=25)
    patient.upload(store.presign_put("k", 3600), [b"x"], retry=TransferRetry.until(200.0))
    assert 90 < sum(clock.sleeps) < 200
    faults.refuse_s3(count=None)
    with pytest.raises(TargetError, match="SlowDown"):
        patient.upload(store.presign_put("k", 3600), [b"x"], retry=TransferRetry.until(20.0))
    assert sum(clock.sleeps) < 220
    patient.close()


def test_transfers_fail_after_the_deadline(s3_store: Make, faults: Faults) -> None:
    """When S3 refuses to the end, the error says how often it was asked and with what answer."""
    clock = ManualClock()
    hasty = Transfer(clock=clock, retry=TransferRetry(attempts=3))
    store = s3_store()
    faults.refuse_s3(count=None)
    with pytest.raises(TargetError, match=r"in 3 attempts.*503 SlowDown"):
        hasty.upload(store.presign_put("k", 60), [b"hello"])
    assert requests_of(faults)["PutObject"] == 3
    hasty.close()


def test_proxies_are_not_for_this_machine(s3_store: Make, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    """With a proxy in the environment the embedded Lambda is still asked directly, by boto3 too."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    store = s3_store()
    store.put("k", [b"x"])
    assert [info.key for info in store.list("")] == ["k"]


@pytest.fixture
def scripted_store() -> Iterator[Callable[[ScriptedServer], S3ObjectStore]]:
    """Make stores whose S3 is a script."""
    made = []

    def make(server: ScriptedServer) -> S3ObjectStore:
        access = AwsAccess(region="eu-central-1", endpoint_url=server.url, access_key_id="a", secret_access_key="s")
        made.append(S3ObjectStore("b", access))
        return made[-1]

    yield make
    for store in made:
        store.close()


LISTING = (
    b"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>1</Size>"
    b"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
)


CUTS = [Step(body=LISTING, cut_head=length) for length in (17, 30, 40, 41, 44)]


@pytest.mark.parametrize("cut", [Step(body=LISTING, drop_after=0), Step(body=LISTING, drop_after=50), *CUTS, DROP])
def test_a_listing_that_was_cut_is_not_an_empty_one(scripted_store, cut: Step) -> None:
    """botocore would read a response that broke within its head as no objects, and tasks would run again."""
    with ScriptedServer(cut, cut, Step(body=LISTING)) as server:
        assert [info.key for info in scripted_store(server).list("")] == ["k"]
        assert len(server.requests) == 3


def test_listings_that_are_always_cut_are_our_own_error(scripted_store) -> None:
    """After some attempts it is a TargetError that says what broke."""
    with ScriptedServer(*[Step(body=LISTING, cut_head=20)] * 10) as server:
        store = scripted_store(server)
        with pytest.raises(TargetError, match="before the response was whole"):
            list(store.list(""))
        with pytest.raises(TargetError, match="before the response was whole"):
            store.delete(["k"])


def _page(content: str, token: str = "") -> Step:
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return Step(body=f"<ListBucketResult>{more}{content}</ListBucketResult>".encode())


def test_pages_are_listed_to_the_last(scripted_store) -> None:
    """Each is one request that is billed as a write, and asks for the same, from where the one before ended."""
    pages = [_page(f"<CommonPrefixes><Prefix>p/{name}/</Prefix></CommonPrefixes>", name) for name in ("a", "b", "")]
    with ScriptedServer(*pages) as server, paid_by(RequestMeter()):
        assert [*scripted_store(server).folders("p/")] == ["p/a/", "p/b/", "p//"]
        assert payer().total == S3Requests(writes=3)
        asked = [dict(parse_qsl(urlsplit(request.target).query)) for request in server.requests]
    assert [(query["prefix"], query["delimiter"]) for query in asked] == [("p/", "/")] * 3
    assert [query.get("continuation-token") for query in asked] == [None, "a", "b"]


def test_an_object_that_could_not_be_deleted_is_reported(scripted_store) -> None:
    """S3 answers with 200, and names those only that it did not delete."""
    refused = Step(body=b"<DeleteResult><Error><Key>k</Key><Message>locked</Message></Error></DeleteResult>")
    with ScriptedServer(refused) as server:
        with pytest.raises(TargetError, match="could not delete 'k': locked"):
            scripted_store(server).delete(["k", "l"])
        assert b"<Quiet>true</Quiet>" in server.requests[0].body


def _not_authorized(right: str) -> Step:
    return error(403, "AccessDenied", f"User: ada is not authorized to perform: {right} on resource: b")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(404, "NoSuchKey"), False),
        (Step(404), False),
        (error(416, "InvalidRange"), True),
        (_not_authorized("s3:ListBucket"), False),
        (_not_authorized("s3:GetObject"), "lack the permission s3:GetObject"),
        (error(403, "InvalidAccessKeyId"), "unknown access key ID"),
        (Step(206, b"x"), "may not use the bucket 'b'"),
    ],
)
def test_a_refused_head_is_asked_again_as_a_get(scripted_store, answer: Step, expected: bool | str) -> None:
    """The answer to a HEAD has no body: only that to a GET of the first byte says what is missing."""
    with ScriptedServer(Step(403), answer) as server:
        store = scripted_store(server)
        if isinstance(expected, bool):
            assert store.exists("k") is expected
        else:
            with pytest.raises((TargetError, CredentialsError), match=expected):
                store.exists("k")
        assert [request.method for request in server.requests] == ["HEAD", "GET"]
        assert server.requests[1].headers["range"] == "bytes=0-0"


def test_deleting_goes_in_batches(s3_store: Make, faults: Faults) -> None:
    """1,001 keys are two requests."""
    store = s3_store()
    store.delete(f"k{n}" for n in range(1001))
    assert requests_of(faults) == {"DeleteObjects": 2}


def test_a_missing_bucket_is_named(s3_store: Make) -> None:
    """Every operation on a bucket that does not exist says so, with the bucket's name and what to do."""
    store = s3_store(name="no-such-bucket", tuning=PARTS)
    operations: list[Callable[[], object]] = [
        lambda: store.put("k", [b"x"]),
        lambda: store.put("k", [LARGE]),
        lambda: store.get("k"),
        lambda: store.get_into("k", 1, memoryview(bytearray(1))),
        lambda: store.delete(["k"]),
        lambda: [*store.list("")],
    ]
    for operation in operations:
        with pytest.raises(BucketMissingError, match="no-such-bucket") as caught:
            operation()
        assert "Create it" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"access_key_id": "AKIAUNKNOWNUNKNOWNAA"}, "unknown access key ID"),
        ({"secret_access_key": "wrong"}, "does not match the access key ID"),
    ],
)
def test_wrong_credentials_are_distinguished(
    local: LocalServer, bucket: str, changes: dict[str, str], what: str
) -> None:
    """Every operation with a wrong key or secret is a CredentialsError that says which of them is wrong."""
    store = S3ObjectStore(bucket, access_to(local.connection, **changes), tuning=PARTS)
    operations: list[Callable[[], object]] = [
        lambda: store.put("k", [b"x"]),
        lambda: store.put("k", [LARGE]),
        lambda: store.get("k"),
        lambda: store.exists("k"),
        lambda: store.delete(["k"]),
        lambda: [*store.list("")],
    ]
    for operation in operations:
        with pytest.raises(CredentialsError, match=what):
            operation()
    store.close()


def test_no_credentials_at_all(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Without any credentials the error says so before anything is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = S3ObjectStore(bucket, AwsAccess(region="eu-central-1"))
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        store.put("k", [b"x"])
    store.close()
    store = S3ObjectStore(bucket, AwsAccess(region="eu-central-1", profile="nobody"))
    with pytest.raises(CredentialsError, match="profile does not exist"):
        store.get("k")
    store.close()
    store = S3ObjectStore(bucket, AwsAccess(access_key_id="a", secret_access_key="b"))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(ConfigError, match="no AWS region") as caught:
        store.presign_get("k", 60)
    assert "`region`" in str(caught.value)
    store.close()


def test_an_endpoint_without_a_server_is_unreachable(unused_port: int) -> None:
    """A store that cannot be reached is a TargetError with the address, after a few attempts."""
    endpoint = f"http://127.0.0.1:{unused_port}"
    access = AwsAccess(region="us-east-1", endpoint_url=endpoint, access_key_id="a", secret_access_key="b")
    clock = ManualClock()
    store = S3ObjectStore("bucket", access, clock=clock)
    with pytest.raises(TargetError, match=f"127.0.0.1:{unused_port}") as caught:
        store.put("k", [b"x"])
    assert "6 attempts" in str(caught.value)
    assert len(clock.sleeps) == 5
    store.close()


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("token", [None, "session/token+=="])
@pytest.mark.parametrize(
    ("region", "bucket", "endpoint"),
    [
        ("eu-central-1", "bucket", None),
        ("us-east-1", "bucket", None),
        ("cn-north-1", "bucket", None),
        ("eu-west-1", "dotted.bucket", None),
        ("us-west-2", "bucket", "http://127.0.0.1:9000"),
    ],
)
def test_urls_are_those_that_botocore_makes(
    method: str, token: str | None, region: str, bucket: str, endpoint: str | None
) -> None:
    """At the same moment our URL has the same host, path, parameters and signature as botocore's own."""
    access = AwsAccess(
        region=region, endpoint_url=endpoint, access_key_id="AKIA", secret_access_key="secret", session_token=token
    )
    key = "lambdamagic/blobs/ü nï+%~(1)"
    client = access.client(
        "s3",
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "virtual", "us_east_1_regional_endpoint": "regional"},
    )
    operation = "get_object" if method == "GET" else "put_object"
    theirs = urlsplit(client.generate_presigned_url(operation, {"Bucket": bucket, "Key": key}, ExpiresIn=77))
    client.close()
    query = dict(parse_qsl(theirs.query))
    import calendar
    import time

    moment = calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    store = S3ObjectStore(bucket, access, clock=ManualClock(float(moment)))
    url = store.presign_get(key, 77) if method == "GET" else store.presign_put(key, 77)
    store.close()
    ours = urlsplit(url)
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert dict(parse_qsl(ours.query)) == query


def test_new_credentials_sign_at_once() -> None:
    """When temporary credentials are renewed the next URL carries the new ones, key and signature."""

    class Frozen:
        access_key, secret_key, token = "first", "secret", None

    now = [0.0]
    signer = UrlSigner(base_url="https://h/b", region="r", credentials=Frozen, now=lambda: now[0])
    first = signer.sign("GET", "k", 60)
    assert signer.sign("GET", "k", 60) == first
    Frozen.secret_key = "other"
    second = signer.sign("GET", "k", 60)
    assert second != first
    now[0] = 86_400.0
    assert "19700102" in signer.sign("GET", "k", 60)


def test_cutting_copies_nothing_and_loses_nothing() -> None:
    """Parts are views of the segments, all but the last of the full length."""
    views = [memoryview(bytes(range(7))), memoryview(bytes(range(7, 20))), memoryview(bytes(range(20, 21)))]
    parts = cut(views, 5)
    assert [sum(len(view) for view in part) for part in parts] == [5, 5, 5, 5, 1]
    assert b"".join(bytes(view) for part in parts for view in part) == bytes(range(21))
    assert {id(view.obj) for part in parts for view in part} == {id(view.obj) for view in views}


def test_importing_the_worker_side_is_light() -> None:
    """What a cold start imports brings neither boto3, nor TLS, nor threads' pools; nor does naming the store boto3."""
    code = "import sys, lambdamagic.storage.presigned; print(*sys.modules)"
    loaded = {*subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()}
    assert not {"boto3", "botocore", "urllib3", "urllib.request", "concurrent.futures", "asyncio"} & loaded
    code = "import sys, lambdamagic.storage.s3, lambdamagic.transports.lambda_api; print(*sys.modules)"
    loaded = {*subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()}
    assert not {"boto3", "botocore"} & loaded
