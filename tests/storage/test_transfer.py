"""The worker's transfers against a server that misbehaves by script."""

from __future__ import annotations

import gc
import hashlib
import threading
from contextlib import suppress

import psutil
import pytest

from lambdamagic.clock import ManualClock
from lambdamagic.errors import BucketMissingError, CredentialsError, IntegrityError, TargetError
from lambdamagic.storage import presigned
from lambdamagic.storage.object_store import TransferError
from lambdamagic.storage.presigned import Transfer, Tuning
from lambdamagic.storage.retry import TransferRetry

from .scripted import DROP, ScriptedServer, Step, error

BODY = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def transfer(clock: ManualClock):
    made = Transfer(clock=clock, tuning=Tuning(threshold_bytes=1 << 20, part_bytes=1 << 19, parallel=2))
    yield made
    made.close()


def open_files() -> int:
    return psutil.Process().num_fds()


def test_a_connection_is_used_again(transfer: Transfer) -> None:
    """Requests one after the other share one connection, also after a miss."""
    with ScriptedServer(Step(body=b"a"), error(404, "NoSuchKey"), Step(), Step(body=b"b")) as server:
        url = f"{server.url}/bucket/k"
        assert transfer.fetch(url, 1) == b"a"
        with pytest.raises(FileNotFoundError):
            transfer.fetch(url, 1)
        transfer.upload(url, [b"x"])
        assert transfer.fetch(url, 1) == b"b"
        assert server.connections == 1


def test_a_connection_that_died_meanwhile_is_replaced(transfer: Transfer, clock: ManualClock) -> None:
    """A kept connection that the server has closed costs no attempt and no wait."""
    with ScriptedServer(Step(body=b"a", close=True), Step(body=b"b")) as server:
        url = f"{server.url}/bucket/k"
        assert transfer.fetch(url, 1) == b"a"
        assert transfer.fetch(url, 1) == b"b"
        assert server.connections == 2
    assert clock.sleeps == []


def test_a_dropped_request_is_sent_again(transfer: Transfer, clock: ManualClock) -> None:
    """A connection that breaks before the answer is tried again, after a wait below the policy's bound."""
    with ScriptedServer(DROP, DROP, Step(body=b"a")) as server:
        assert transfer.fetch(f"{server.url}/bucket/k", 1) == b"a"
        assert len(server.requests) == 3
    assert len(clock.sleeps) == 2
    assert all(0 <= wait < bound for wait, bound in zip(clock.sleeps, (0.1, 0.2), strict=True))


@pytest.mark.parametrize("size", [1, None])
def test_a_cut_head_is_a_dropped_request(transfer: Transfer, size: int | None) -> None:
    """It is asked for again; it was once an object without a length, which ended the job."""
    cuts = [Step(body=b"a", headers={"ETag": '"v1"'}, cut_head=length) for length in (5, 18, 25, 40)]
    with ScriptedServer(*cuts, Step(body=b"a")) as server:
        assert transfer.fetch(f"{server.url}/bucket/k", size) == b"a"
    with ScriptedServer(*cuts, Step()) as server:
        transfer.upload(f"{server.url}/bucket/k", [b"a"])


def test_an_error_that_was_cut_is_asked_for_again(transfer: Transfer) -> None:
    """Half an error lacks its code: a missing bucket would look like a missing object."""
    whole = error(404, "NoSuchBucket")
    half = Step(404, whole.body, drop_after=10)
    with ScriptedServer(half, whole) as server, pytest.raises(BucketMissingError):
        transfer.fetch(f"{server.url}/bucket/k", 1)


def test_a_body_whose_end_alone_was_lost_is_whole(transfer: Transfer) -> None:
    """All bytes came, and not the end of the chunks: nothing is left to ask for."""
    with ScriptedServer(Step(body=b"abc", is_chunked=True, drop_after=6), error(500, "InternalError")) as server:
        assert transfer.fetch(f"{server.url}/bucket/k", 3) == b"abc"
        assert len(server.requests) == 1


def test_an_object_that_became_shorter_is_an_integrity_error(transfer: Transfer) -> None:
    """The rest that is asked for is not there, or the object is another one."""
    first = Step(body=b"abc", headers={"ETag": '"v1"'}, drop_after=1)
    with ScriptedServer(first, error(416, "InvalidRange")) as server, pytest.raises(IntegrityError, match="fewer than"):
        transfer.fetch(f"{server.url}/bucket/k", 3)
    gone = error(412, "PreconditionFailed")
    with ScriptedServer(first, gone) as server, pytest.raises(IntegrityError, match="was replaced"):
        transfer.fetch(f"{server.url}/bucket/k", 3)
    with ScriptedServer(Step(body=b"abcd")) as server, pytest.raises(IntegrityError, match="holds 4 bytes where 3"):
        transfer.fetch(f"{server.url}/bucket/k", 3)


@pytest.mark.parametrize("total", ["²", "9" * 5000, "-1", "*", ""])
def test_a_length_that_is_no_number_is_unknown(transfer: Transfer, total: str) -> None:
    """What a proxy writes in place of the object's length does not end the job by a `ValueError`."""
    part = Step(206, b"a", {"Content-Range": f"bytes 0-0/{total}"})
    with ScriptedServer(part) as server, suppress(IntegrityError, TransferError):
        assert transfer.fetch(f"{server.url}/bucket/k", None) == b"a"


@pytest.mark.parametrize("known", [True, False])
def test_a_broken_read_resumes_where_it_broke(transfer: Transfer, known: bool) -> None:
    """After half the body the rest alone is asked for, of the same object, and the digest is of the whole."""
    body = BODY[: 1 << 19]
    size = len(body)
    etag = {"ETag": '"v1"'}
    first = Step(200, body, etag, drop_after=1000)
    if not known:
        first = Step(206, body, {**etag, "Content-Range": f"bytes 0-{size - 1}/{size}"}, drop_after=1000)
    rest = Step(206, body[1000:], {**etag, "Content-Range": f"bytes 1000-{size - 1}/{size}"})
    seen = hashlib.sha256()
    small = Transfer(
        clock=ManualClock(),
        tuning=Tuning(threshold_bytes=1 << 20, split_loopback=True),
        retry=TransferRetry(attempts=2),
    )
    with ScriptedServer(first, rest) as server:
        assert small.fetch(f"{server.url}/bucket/k", size if known else None, hasher=seen) == body
        assert server.requests[1].headers["range"] == f"bytes=1000-{size - 1}"
        assert server.requests[1].headers["if-match"] == '"v1"'
    assert seen.digest() == hashlib.sha256(body).digest()
    small.close()


def test_a_run_of_bytes_is_what_its_digest_says(transfer: Transfer) -> None:
    """A part of an object is asked for alone, resumed where it broke, and checked; so is the whole."""
    body, digest = b"0123456789", hashlib.sha256(b"3456").hexdigest()
    etag = {"ETag": '"v1"'}
    half = Step(206, b"3456", {**etag, "Content-Range": "bytes 3-6/10"}, drop_after=2)
    rest = Step(206, b"56", {**etag, "Content-Range": "bytes 5-6/10"})
    with ScriptedServer(half, rest) as server:
        url = f"{server.url}/bucket/k"
        assert transfer.fetch_range(url, 3, 4, 10, sha256=digest) == b"3456"
        assert [each.headers["range"] for each in server.requests] == ["bytes=3-6", "bytes=5-6"]
    other = Step(206, b"345x", {**etag, "Content-Range": "bytes 3-6/10"})
    longer = Step(206, b"3456", {**etag, "Content-Range": "bytes 3-6/11"})
    for step in (other, longer):
        with ScriptedServer(step) as server, pytest.raises(IntegrityError):
            transfer.fetch_range(f"{server.url}/bucket/k", 3, 4, 10, sha256=digest)
    whole = hashlib.sha256(body).hexdigest()
    with ScriptedServer(Step(body=body), Step(body=body[:-1] + b"x")) as server:
        url = f"{server.url}/bucket/k"
        assert transfer.fetch_range(url, 0, 10, 10, sha256=whole) == body
        assert "range" not in server.requests[0].headers
        with pytest.raises(IntegrityError):
            transfer.fetch_range(url, 0, 10, 10, sha256=whole)


@pytest.mark.parametrize(("splits", "asked"), [(True, "bytes=0-1048575"), (False, None)])
def test_of_an_unknown_size_one_part_is_asked_for_first(splits: bool, asked: str | None) -> None:
    """Where parts come in parallel; from this machine all of it comes at once."""
    tuning = Tuning(threshold_bytes=1 << 20, part_bytes=1 << 19, parallel=2, split_loopback=splits)
    transfer = Transfer(clock=ManualClock(), tuning=tuning)
    with ScriptedServer(Step(206 if splits else 200, b"abc", {"Content-Range": "bytes 0-2/3"})) as server:
        assert transfer.fetch(f"{server.url}/bucket/k") == b"abc"
        assert server.requests[0].headers.get("range") == asked
    transfer.close()


def test_an_object_may_be_too_large_to_be_read(transfer: Transfer) -> None:
    """A planted one fills no memory: its size is known from the head of the response."""
    size = 1 << 40
    with ScriptedServer(Step(200, b"", {"Content-Length": str(size)}, close=True)) as server:
        with pytest.raises(IntegrityError, match="more than 100"):
            transfer.fetch(f"{server.url}/bucket/k", most_bytes=100)
        assert len(server.requests) == 1
    with ScriptedServer(Step(body=b"x" * 100)) as server:
        assert transfer.fetch(f"{server.url}/bucket/k", most_bytes=100) == b"x" * 100
    with ScriptedServer(error(416, "InvalidRange")) as server:
        assert transfer.fetch(f"{server.url}/bucket/empty", most_bytes=100) == b""


def test_how_often_it_was_tried_is_in_the_error() -> None:
    """Each request counts as one attempt."""
    transfer = Transfer(clock=ManualClock(), retry=TransferRetry(attempts=3))
    with ScriptedServer(*[error(500, "InternalError")] * 3) as server:
        with pytest.raises(TransferError, match="in 3 attempts"):
            transfer.fetch(f"{server.url}/bucket/k", 1)
        assert len(server.requests) == 3
    transfer.close()


def test_a_large_object_is_its_parts_in_order() -> None:
    """From the first byte to the last, each part once; its size may be known or stated by the first part."""
    part = 1 << 19
    tuning = Tuning(threshold_bytes=part, part_bytes=part, parallel=1, split_loopback=True)
    transfer = Transfer(clock=ManualClock(), tuning=tuning)
    ranges = [f"bytes {start}-{start + part - 1}/{len(BODY)}" for start in range(0, len(BODY), part)]
    for size in (len(BODY), None):
        steps = [
            Step(206, BODY[number * part : (number + 1) * part], {"ETag": '"v1"', "Content-Range": each})
            for number, each in enumerate(ranges)
        ]
        with ScriptedServer(*steps) as server:
            sha256 = hashlib.sha256(BODY).hexdigest()
            assert transfer.fetch(f"{server.url}/bucket/k", size, sha256=sha256) == BODY
            asked = [each.headers["range"].replace("=", " ") for each in server.requests]
            assert asked == [each.partition("/")[0] for each in ranges]
    transfer.close()


def test_progress_renews_the_deadline(clock: ManualClock) -> None:
    """A read that breaks over and over but gets further is never abandoned."""
    steps = [Step(200, BODY, drop_after=1000)]
    for done in range(1000, 9000, 1000):
        rest = BODY[done:]
        steps.append(Step(206, rest, {"Content-Range": f"bytes {done}-{len(BODY) - 1}/{len(BODY)}"}, drop_after=1000))
    steps.append(Step(206, BODY[9000:], {"Content-Range": f"bytes 9000-{len(BODY) - 1}/{len(BODY)}"}))
    stubborn = Transfer(clock=clock, retry=TransferRetry(attempts=2))
    with ScriptedServer(*steps) as server:
        assert stubborn.fetch(f"{server.url}/bucket/k", len(BODY)) == BODY
    stubborn.close()


def test_an_object_replaced_between_two_reads_is_not_mixed(transfer: Transfer) -> None:
    """When the ETag no longer holds, the half that was read is not completed with the other object's half."""
    steps = [Step(200, BODY, {"ETag": '"v1"'}, drop_after=10), error(412, "PreconditionFailed")]
    with ScriptedServer(*steps) as server, pytest.raises(IntegrityError, match="replaced"):
        transfer.fetch(f"{server.url}/bucket/k", len(BODY))


def test_a_part_that_fails_ends_the_others(clock: ManualClock) -> None:
    """One refused part is the error of the whole, and no thread is at work when it is raised."""
    steps = [error(403, "AccessDenied") for _ in range(4)]
    parts = Transfer(clock=clock, tuning=Tuning(1 << 20, 1 << 19, parallel=2, split_loopback=True))
    with ScriptedServer(*steps) as server, pytest.raises(BucketMissingError, match="may not use"):
        parts.fetch(f"{server.url}/bucket/k", len(BODY))
    parts.close()


def test_a_refusal_is_read_although_the_body_was_not_accepted(transfer: Transfer) -> None:
    """A server that refuses an upload and closes before reading it is quoted, not called a broken connection."""
    refused = Step(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>", ignore_body=True)
    # Whether the answer or the reset arrives first is the kernel's; with a small body the answer is always heard.
    with ScriptedServer(*[refused] * 6) as server, pytest.raises(BucketMissingError, match="AccessDenied"):
        transfer.upload(f"{server.url}/bucket/k", [b"x" * 100])


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (error(404, "NoSuchBucket"), BucketMissingError, "does not exist"),
        (error(301, "PermanentRedirect"), BucketMissingError, "another region"),
        (error(403, "SignatureDoesNotMatch"), CredentialsError, "secret access key"),
        (error(400, "ExpiredToken"), CredentialsError, "expired"),
        (error(403, "RequestTimeTooSkewed"), CredentialsError, "clock"),
        (error(403, "AccessDenied", "Request has expired"), TransferError, "expired"),
        (error(418, "Teapot", "short and stout"), TransferError, "HTTP 418 Teapot: short and stout"),
        (Step(403), BucketMissingError, "may not use the bucket 'bucket'"),
        (Step(400, b"<html>not S3"), TransferError, "HTTP 400: Scripted"),
    ],
)
def test_refusals_are_converted_to_our_errors(
    transfer: Transfer, clock: ManualClock, step: Step, kind: type[Exception], says: str
) -> None:
    """What cannot change is not tried again, and is reported with S3's own words and ours."""
    with ScriptedServer(step) as server, pytest.raises(kind) as caught:
        transfer.fetch(f"{server.url}/bucket/k?X-Amz-Signature=secret", 1)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value).replace("secret access key", "")
    assert clock.sleeps == []


def test_transfer_errors_carry_status_and_code(transfer: Transfer) -> None:
    """A program can distinguishes refusals without reading the message."""
    with ScriptedServer(error(418, "Teapot")) as server, pytest.raises(TransferError) as caught:
        transfer.upload(f"{server.url}/bucket/k", [b""])
    assert (caught.value.status, caught.value.code) == (418, "Teapot")


@pytest.mark.parametrize("answer", [error(500, "InternalError"), error(400, "RequestTimeout"), Step(502, b"<html>")])
def test_passing_trouble_is_waited_out(transfer: Transfer, clock: ManualClock, answer: Step) -> None:
    """Errors that S3 asks to retry, and those of balancers before it, are retried."""
    with ScriptedServer(answer, Step()) as server:
        transfer.upload(f"{server.url}/bucket/k", [b"x"])
        assert [request.body for request in server.requests] == [b"x", b"x"]
    assert len(clock.sleeps) == 1


def test_bodies_are_sent_as_they_are(transfer: Transfer) -> None:
    """Large and small segments arrive joined, with the length said before."""
    segments = [b"a" * 10, memoryview(BODY), b"", bytearray(b"b" * 70_000), *[b"c"] * 100]
    joined = b"".join(bytes(segment) for segment in segments)
    with ScriptedServer() as server:
        transfer.upload(f"{server.url}/bucket/k", segments)
        assert server.requests[0].body == joined
        assert server.requests[0].headers["content-length"] == str(len(joined))
        assert "content-type" not in server.requests[0].headers  # it is not part of the signature


def test_a_hasher_is_fed_once_however_often_it_is_sent(transfer: Transfer) -> None:
    """A retried upload does not count its bytes twice."""
    seen = hashlib.sha256()
    with ScriptedServer(DROP, error(503, "SlowDown"), Step()) as server:
        transfer.upload(f"{server.url}/bucket/k", [BODY, b"end"], hasher=seen)
    assert seen.digest() == hashlib.sha256(BODY + b"end").digest()


def test_closing_leaves_nothing(clock: ManualClock) -> None:
    """After closing, the transfer's threads and sockets are gone; closing again does nothing."""
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    part = {"Content-Range": f"bytes 0-{(1 << 20) - 1}/{len(BODY)}"}
    moved = Transfer(clock=clock, tuning=Tuning(1 << 20, 1 << 20, parallel=2, split_loopback=True))
    with ScriptedServer(Step(206, BODY[: 1 << 20], part), Step(206, BODY[1 << 20 :], part)) as server:
        assert moved.fetch(f"{server.url}/bucket/k") == BODY
        moved.close()
        moved.close()
    assert not set(threading.enumerate()) - threads
    assert open_files() == files


def test_closing_wakes_who_waits() -> None:
    """A thread that waits for a silent server is freed by close, at once, with an error."""
    arrived = threading.Event()
    failures: list[Exception] = []

    class Silent(ScriptedServer):
        def _answer(self, client, reader) -> bool:
            arrived.set()
            return bool(client.recv(1 << 16))

    moved = Transfer(retry=TransferRetry(attempts=1))

    def wait(url: str) -> None:
        try:
            moved.fetch(url, 1)
        except TransferError as exc:
            failures.append(exc)

    with Silent() as server:
        thread = threading.Thread(target=wait, args=(f"{server.url}/bucket/k",))
        thread.start()
        assert arrived.wait(30)
        moved.close()
        thread.join(30)
        assert not thread.is_alive()
    assert failures


@pytest.mark.parametrize("url", ["ftp://h/k", "/k", "http:///k"])
def test_other_urls_are_refused(transfer: Transfer, url: str) -> None:
    """Only http and https are used."""
    with pytest.raises(ValueError, match="not an http"):
        transfer.fetch(url, 1)


def test_a_url_cannot_smuggle_a_request(transfer: Transfer) -> None:
    """Blanks in a URL would end its line early, and are refused before anything is sent."""
    with ScriptedServer() as server:
        with pytest.raises(ValueError, match="blank"):
            transfer.fetch(f"{server.url}/bucket/k HTTP/1.1", 1)
        assert server.requests == []


def test_the_process_has_one_transfer() -> None:
    """The module's own functions keep their connection from one invocation to the next."""
    with ScriptedServer(Step(), Step(body=b"a")) as server:
        presigned.upload(f"{server.url}/bucket/k", [b"x"])
        assert presigned.fetch(f"{server.url}/bucket/k", 1) == b"a"
        assert server.connections == 1
    presigned.close_default_transfer()


def test_whether_an_object_exists(transfer: Transfer, clock: ManualClock) -> None:
    """Yes or no is said by the store alone: a refusal is an error, and a failure is asked again."""
    with ScriptedServer(Step(), Step(404), error(500, "InternalError"), Step(), Step(403)) as server:
        url = f"{server.url}/bucket/k"
        assert transfer.exists(url) is True
        assert transfer.exists(url) is False
        assert transfer.exists(url) is True
        with pytest.raises(TargetError):
            transfer.exists(url)
        assert {each.method for each in server.requests} == {"HEAD"}


def test_an_answer_without_a_stated_length_is_read_whole(transfer: Transfer) -> None:
    """A listing comes in chunks; one that was refused is no listing."""
    with ScriptedServer(Step(body=BODY[:9_000], is_chunked=True), Step(202, b"later"), error(403, "No")) as server:
        assert transfer.read_answer(f"{server.url}/bucket") == BODY[:9_000]
        for _ in range(2):
            with pytest.raises(TargetError):
                transfer.read_answer(f"{server.url}/bucket")


def test_the_process_forgets_its_connections() -> None:
    """After a freeze; a process that has made none has none to forget."""
    presigned.close_default_transfer()
    presigned.forget_idle_connections()
    with ScriptedServer(*[Step(body=b"a")] * 3) as server:
        url = f"{server.url}/bucket/k"
        for _ in range(2):
            assert presigned.fetch(url, 1) == b"a"
        assert server.connections == 1
        presigned.forget_idle_connections()
        assert presigned.fetch(url, 1) == b"a"
        assert server.connections == 2
    presigned.close_default_transfer()
