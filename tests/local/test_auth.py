"""No request is answered without the instance's key, on any path, in any way of signing."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.local.conftest import ECHO, EVERYTHING

PATHS = [
    ("GET", "/"),
    ("PUT", "/bucket"),
    ("GET", "/bucket/key"),
    ("POST", "/"),
    ("GET", "/2015-03-31/functions"),
    ("POST", "/2015-03-31/functions/f/invocations"),
    ("GET", "/_lambdamagic/stats"),
    ("PUT", "/_lambdamagic/faults"),
    ("GET", "/2018-06-01/runtime/invocation/next"),
    ("GET", "/health/../"),
    ("OPTIONS", "/bucket/key"),
]


def send(endpoint, method, path, *, headers=None, body=b""):
    channel = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=20)
    try:
        channel.request(method, path, body=body, headers=headers or {})
        response = channel.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        channel.close()


def signed(connection, method, path, *, body=b"", service="lambda", secret=None, region=None, headers=None):
    request = AWSRequest(method=method, url=connection.endpoint_url + path, data=body, headers=headers or {})
    credentials = Credentials(connection.access_key_id, secret or connection.secret_access_key)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials, service, region or connection.region).add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_unsigned_requests_are_refused(server, method, path):
    """Every path but the health check wants a signature, and answers no CORS header."""
    status, headers, _ = send(server.connection.endpoint_url, method, path, headers={"Origin": "http://evil.example"})
    assert status == 403
    assert not any(name.lower().startswith("access-control") for name in headers)


def test_the_health_check_needs_none(server):
    """It says that the server lives, and nothing else."""
    assert send(server.connection.endpoint_url, "GET", "/health")[0::2] == (200, b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("lambda", "list_functions", "InvalidSignatureException"),
        ("logs", "describe_log_groups", "InvalidSignatureException"),
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_is_reported_in_the_services_words(server, service, call, code):
    """Each service has its own code for a signature that does not fit."""
    client = _client(server.connection, service, secret="wrong")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "The request signature we calculated does not match" in caught.value.response["Error"]["Message"]
    client.close()


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
        ("iam", "list_roles", "InvalidClientTokenId"),
    ],
)
def test_an_unknown_key_is_reported_in_the_services_words(server, service, call, code):
    """Each service has its own code for a key that it does not know."""
    client = _client(server.connection, service, key="AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)()
    assert caught.value.response["Error"]["Code"] == code
    client.close()


def _client(connection, service, *, key=None, secret=None):
    return boto3.client(
        service,
        endpoint_url=connection.endpoint_url,
        aws_access_key_id=key or connection.access_key_id,
        aws_secret_access_key=secret or connection.secret_access_key,
        region_name=connection.region,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_wrong_credentials_cannot_invoke(account, server):
    """The data plane checks as the control plane does."""
    name = account.deploy(ECHO)
    client = _client(server.connection, "lambda", secret="wrong")
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        client.invoke(FunctionName=name)
    client.close()


def test_a_body_that_was_changed_on_the_way_is_refused(account, server):
    """The signature covers the body of an Invoke."""
    path = f"/2015-03-31/functions/{account.deploy(ECHO)}/invocations"
    headers = signed(server.connection, "POST", path, body=b'{"a":1}')
    assert send(server.connection.endpoint_url, "POST", path, headers=headers, body=b'{"a":1}')[0] == 200
    status, _, body = send(server.connection.endpoint_url, "POST", path, headers=headers, body=b'{"a":2}')
    assert (status, json.loads(body)["__type"]) == (403, "InvalidSignatureException")


def test_an_object_that_was_changed_on_the_way_is_refused(account, server):
    """S3 compares the stated digest with the body."""
    path = f"/{account.bucket()}/key"
    headers = signed(server.connection, "PUT", path, body=b"right", service="s3")
    status, _, body = send(server.connection.endpoint_url, "PUT", path, headers=headers, body=b"wrong")
    assert status == 400
    assert b"XAmzContentSHA256Mismatch" in body


def test_path_and_query_are_covered(account, server):
    """A signature for one path or query is none for another."""
    headers = signed(server.connection, "GET", "/2015-03-31/functions?MaxItems=1")
    endpoint = server.connection.endpoint_url
    assert send(endpoint, "GET", "/2015-03-31/functions?MaxItems=1", headers=headers)[0] == 200
    assert send(endpoint, "GET", "/2015-03-31/functions?MaxItems=2", headers=headers)[0] == 403
    assert send(endpoint, "GET", "/2015-03-31/functions/x", headers=headers)[0] == 403


def test_headers_that_aws_acts_upon_must_be_signed(account, server):
    """An x-amz- header that was added after signing is refused."""
    path = f"/2015-03-31/functions/{account.deploy(ECHO)}/invocations"
    headers = signed(server.connection, "POST", path)
    headers["X-Amz-Invocation-Type"] = "Event"
    assert send(server.connection.endpoint_url, "POST", path, headers=headers)[0] == 403


def test_an_old_signature_is_refused(server):
    """A request that was signed more than 15 minutes ago is not answered."""
    headers = signed(server.connection, "GET", "/2015-03-31/functions")
    old = re.sub(r"^\d{4}", lambda year: str(int(year[0]) - 1), headers["X-Amz-Date"])
    headers["Authorization"] = headers["Authorization"].replace(headers["X-Amz-Date"][:8], old[:8])
    headers["X-Amz-Date"] = old
    status, _, body = send(server.connection.endpoint_url, "GET", "/2015-03-31/functions", headers=headers)
    assert status == 403
    assert b"Signature expired" in body


def test_another_region_is_refused_by_lambda(account, server):
    """Functions of one region only are run here, and the error names it."""
    path = f"/2015-03-31/functions/{account.deploy(ECHO)}/invocations"
    headers = signed(server.connection, "POST", path, region="eu-west-1")
    status, _, body = send(server.connection.endpoint_url, "POST", path, headers=headers)
    assert status == 403
    assert "us-east-1" in json.loads(body)["message"]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_work_and_only_as_signed(account, version):
    """A presigned GET gives its object; for another key or method it gives nothing."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="a/b c", Body=b"content")
    s3 = account.client("s3", signature_version=version)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/b c"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=10).read() == b"content"
    for wrong in (url.replace("a/b", "a/c"), url.replace("Signature=", "Signature=0")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(wrong, timeout=10)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10)
    s3.close()


def test_presigned_puts_work(account):
    """A presigned PUT stores what is sent, its body not being signed."""
    bucket = account.bucket()
    s3 = account.client("s3", signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert urllib.request.urlopen(urllib.request.Request(url, data=b"sent", method="PUT"), timeout=10).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"sent"
    s3.close()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_expire(account, version):
    """After its time an address gives 403 AccessDenied, Request has expired."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    s3 = account.client("s3", signature_version=version)
    expires = -1 if version == "s3" else 0
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=expires)
    if version == "s3v4":  # signed with an hour's old date, as a URL that was kept for an hour
        url = _presigned_in_the_past(account, bucket)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=10)
    assert caught.value.code == 403
    assert b"Request has expired" in caught.value.read()
    s3.close()


def _presigned_in_the_past(account, bucket):
    """Sign by hand, since botocore signs with the current time only."""
    import datetime

    class Past(SigV4QueryAuth):
        def add_auth(self, request):
            past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
            request.context["timestamp"] = past.strftime("%Y%m%dT%H%M%SZ")
            self._modify_request_before_signing(request)
            canonical = self.canonical_request(request)
            self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))

        def payload(self, request):
            return "UNSIGNED-PAYLOAD"

        def _normalize_url_path(self, path):
            return path

    c = account.connection
    request = AWSRequest(method="GET", url=f"{c.endpoint_url}/{bucket}/k")
    Past(Credentials(c.access_key_id, c.secret_access_key), "s3", c.region, expires=60).add_auth(request)
    return request.url


def test_aws_chunked_bodies_are_decoded_and_their_checksum_verified(account, server):
    """A streaming upload with a CRC32 trailer is stored plain; a wrong trailer is BadDigest."""
    import base64
    import zlib

    bucket, path = account.bucket(), None
    for content, checksum_of, expected in ((b"streamed", b"streamed", 200), (b"streamed", b"other", 400)):
        path = f"/{bucket}/key"
        trailer = base64.b64encode(zlib.crc32(checksum_of).to_bytes(4, "big"))
        body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(content), content, trailer)
        headers = {
            "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "X-Amz-Trailer": "x-amz-checksum-crc32",
            "X-Amz-Decoded-Content-Length": str(len(content)),
            "Content-Encoding": "aws-chunked",
        }
        request = AWSRequest(method="PUT", url=server.connection.endpoint_url + path, data=body, headers=headers)
        c = server.connection
        signer = _StatedDigest(Credentials(c.access_key_id, c.secret_access_key), "s3", c.region)
        signer.add_auth(request)
        status, _, answer = send(c.endpoint_url, "PUT", path, headers=dict(request.headers.items()), body=body)
        assert status == expected, answer
    assert b"BadDigest" in answer
    found = account.client("s3").get_object(Bucket=bucket, Key="key")
    assert found["Body"].read() == b"streamed"
    assert "ContentEncoding" not in found


class _StatedDigest(S3SigV4Auth):
    def _modify_request_before_signing(self, request):
        stated = request.headers["X-Amz-Content-SHA256"]
        super()._modify_request_before_signing(request)
        request.headers.replace_header("X-Amz-Content-SHA256", stated)

    def payload(self, request):
        return request.headers["X-Amz-Content-SHA256"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "169.254.169.254", ""])
def test_other_host_names_are_refused(server, host):
    """A page whose name was pointed at 127.0.0.1 gets nothing, also with a signature."""
    headers = signed(server.connection, "GET", "/2015-03-31/functions", headers={"Host": host})
    headers["Host"] = host
    assert send(server.connection.endpoint_url, "GET", "/2015-03-31/functions", headers=headers)[0] == 421


def test_virtual_host_buckets_work_on_localhost(account, server):
    """`BUCKET.localhost:PORT` addresses a bucket, as path style does."""
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="k", Body=b"virtual")
    host = f"{bucket}.localhost:{urlsplit(server.connection.endpoint_url).port}"
    c = server.connection
    request = AWSRequest(method="GET", url=f"http://{host}/k")
    S3SigV4Auth(Credentials(c.access_key_id, c.secret_access_key), "s3", c.region).add_auth(request)
    headers = {**dict(request.headers.items()), "Host": host}
    assert send(c.endpoint_url, "GET", "/k", headers=headers)[0::2] == (200, b"virtual")


def test_keys_that_iam_and_sts_give_out_are_known(account):
    """An access key of an IAM user and a session of an assumed role may sign."""
    iam = account.client("iam")
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="u")["AccessKey"]
    client = _client(account.connection, "s3", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    client.list_buckets()
    client.close()
    role = account.client("sts").assume_role(RoleArn=account.role_arn(), RoleSessionName="session")["Credentials"]
    session = boto3.session.Session(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"], "us-east-1")
    client = session.client("s3", endpoint_url=account.connection.endpoint_url)
    client.list_buckets()
    client.close()


def test_a_functions_key_may_not_script_faults(account):
    """The admin paths are the owner's alone."""
    name = account.deploy(
        """
        import os, urllib.request, urllib.error
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session
        def handler(event, context):
            url = os.environ["AWS_ENDPOINT_URL"] + "/_lambdamagic/stats"
            request = AWSRequest(method="GET", url=url)
            SigV4Auth(Session().get_credentials(), "lambda", "us-east-1").add_auth(request)
            try:
                return urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers))).status
            except urllib.error.HTTPError as error:
                return error.code
        """
    )
    assert account.invoke(name)["Payload"] == 403


def test_the_runtime_api_gives_and_takes_nothing_by_guessing(account):
    """A result for a request id that is not running is refused, so no process can inject one by guessing."""
    name = account.deploy(
        """
        import os, urllib.request, urllib.error
        def handler(event, context):
            url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/guess/response"
            try:
                return urllib.request.urlopen(urllib.request.Request(url, data=b'1', method="POST")).status
            except urllib.error.HTTPError as error:
                return error.code
        """
    )
    assert account.invoke(name)["Payload"] == 400


def test_the_runtime_api_is_for_this_user_only(account):
    """A connection from another user of the machine is cut before it is answered."""
    import os
    import subprocess
    from pathlib import Path

    if os.geteuid() != 0 or not Path("/usr/bin/python3").exists():
        pytest.skip("only root can become another user, who needs the system's own Python, to try it")
    name = account.deploy("import os\ndef handler(e, c):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n")
    host, port = account.invoke(name)["Payload"].split(":")
    code = (
        "import socket, sys\n"
        f"s = socket.create_connection(({host!r}, {port}), timeout=5)\n"
        "try:\n"
        "    s.sendall(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "    print(len(s.recv(100)))\n"
        "except ConnectionError:\n"
        "    print(0)\n"
    )
    result = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        user=65534,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
    )
    if result.returncode != 0:
        pytest.skip(f"the other user cannot run Python here: {result.stderr[-100:]}")
    assert result.stdout.strip() == "0"
    assert account.invoke(name)["Payload"] == f"{host}:{port}"


def test_a_large_body_from_a_stranger_is_not_even_read(server):
    """No client without a key can fill the server's memory."""
    import socket

    address = urlsplit(server.connection.endpoint_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as channel:
        head = f"PUT /bucket/key HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000000000\r\n\r\n"
        channel.sendall(head.encode())
        assert channel.recv(1000).startswith(b"HTTP/1.1 403 Forbidden")


def test_a_signature_in_any_script_is_just_wrong(server):
    """Nothing that a stranger writes where a signature belongs is a mistake of the server's own."""
    c = server.connection
    headers = signed(c, "GET", "/bucket/key", service="s3")
    headers["Authorization"] = headers["Authorization"].rpartition("=")[0] + "=\u00e9\u00e9"
    assert send(c.endpoint_url, "GET", "/bucket/key", headers=headers)[0] == 403
    stamp = headers["X-Amz-Date"]
    credential = f"{c.access_key_id}%2F{stamp[:8]}%2Fus-east-1%2Fs3%2Faws4_request"
    presigned = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}"
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=%C3%A9"
    )
    assert send(c.endpoint_url, "GET", f"/bucket/key?{presigned}")[0] == 403


@pytest.mark.parametrize(
    "query",
    ["xAWSAccessKeyId=x&Signature=1", "AWSAccessKeyId=A&xSignature=1", "AWSAccessKeyId=A&Signature=1&Expires=x"],
)
def test_an_old_signature_that_lacks_a_part_is_refused(server, query):
    """S3's older presigned form is read as carefully as the newer one."""
    assert send(server.connection.endpoint_url, "GET", f"/bucket/key?{query}")[0] == 400
