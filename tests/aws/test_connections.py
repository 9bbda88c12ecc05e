"""TLS, proxies, dead connections and the pieces in which bodies are sent."""

from __future__ import annotations

import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lambdamagic.aws.connections import Connections, NotSentError, chunks
from lambdamagic.aws.proxies import proxy_authorization, proxy_for
from tests.certificates import self_signed
from tests.storage.scripted import DROP, ScriptedServer, Step


@pytest.fixture
def pool():
    made = Connections()
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key."""
    return self_signed(tmp_path_factory.mktemp("tls") / "both.pem", "127.0.0.1")


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def get(pool: Connections, url: str) -> bytes:
    with pool.exchange("GET", url) as response:
        return response.read()


def post(pool: Connections, url: str) -> bytes:
    with pool.exchange("POST", url, body=[memoryview(b"{}")]) as response:
        return response.read()


def test_after_a_freeze_nothing_is_asked_on_a_kept_connection() -> None:
    """Its other end may be gone without a word: a request on it would wait for its whole timeout."""
    with ScriptedServer() as server, closing(Connections()) as connections:
        for _ in range(2):
            with connections.exchange("GET", server.url) as response:
                response.read()
        assert server.connections == 1
        connections.forget_idle()
        with connections.exchange("GET", server.url) as response:
            response.read()
        assert server.connections == 2


def test_tls_with_the_certificates_that_are_named(certificate: Path) -> None:
    """A server whose certificate is in the given file is used to, twice on one connection."""
    pool = Connections(cafile=str(certificate))
    with ScriptedServer(Step(body=b"a"), Step(body=b"b"), tls=serving(certificate)) as server:
        assert (get(pool, f"{server.url}/"), get(pool, f"{server.url}/")) == (b"a", b"b")
        assert server.connections == 1
        pool.close()


def test_tls_with_an_unknown_certificate_is_refused(certificate: Path, pool: Connections) -> None:
    """A server that cannot prove who it is gets no request."""
    with ScriptedServer(tls=serving(certificate)) as server:
        with pytest.raises(NotSentError, match="CERTIFICATE_VERIFY_FAILED"):
            get(pool, f"{server.url}/")
        assert server.requests == []


def test_http_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch, pool: Connections) -> None:
    """With HTTP_PROXY set, the proxy is asked for the whole URL, with the user's name for it."""
    with ScriptedServer(Step(body=b"via")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:pass%20word@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "localhost")
        assert get(pool, "http://bucket.example/k?a=b") == b"via"
        request = proxy.requests[0]
        assert request.target == "http://bucket.example/k?a=b"
        assert request.headers["host"] == "bucket.example"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="


def test_https_asks_the_proxy_for_a_tunnel(monkeypatch: pytest.MonkeyPatch, pool: Connections) -> None:
    """With HTTPS_PROXY set, a tunnel is asked for, and a proxy that refuses it means that nothing was sent."""
    with ScriptedServer(Step(403)) as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(NotSentError, match="Tunnel"):
            get(pool, "https://bucket.example/k")
        assert (proxy.requests[0].method, proxy.requests[0].target) == ("CONNECT", "bucket.example:443")


@pytest.mark.parametrize(
    ("environ", "host", "proxy"),
    [
        ({}, "h", None),
        ({"HTTP_PROXY": ""}, "h", None),
        ({"HTTPS_PROXY": "http://p:1"}, "h", None),
        ({"HTTP_PROXY": "http://p:1"}, "h", "http://p:1"),
        ({"http_proxy": "p:1"}, "h", "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "example.com,h"}, "h", None),
        ({"http_proxy": "http://p:1", "no_proxy": "*"}, "h", None),
        ({"http_proxy": "http://p:1"}, "127.0.0.1", None),
        ({"http_proxy": "http://p:1"}, "localhost", None),
    ],
)
def test_which_proxy(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], host: str, proxy: str | None) -> None:
    """The variables are read in either case, NO_PROXY goes before them, and this machine needs none."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = proxy_for("http", host, environ)
    assert (found.geturl() if found else None) == proxy


def test_a_proxy_without_a_user_gets_no_name() -> None:
    """No header is made up."""
    assert proxy_authorization(urlsplit("http://p:1")) == {}


def test_a_post_that_was_not_answered_is_not_sent_again(pool: Connections) -> None:
    """What may have had its effect is never repeated by the connection, also not on a kept one."""
    with ScriptedServer(Step(body=b"a"), DROP, Step(body=b"never")) as server:
        assert post(pool, f"{server.url}/") == b"a"
        with pytest.raises(OSError, match=r"without response|reset") as caught:
            post(pool, f"{server.url}/")
        assert not isinstance(caught.value, NotSentError)
        assert len(server.requests) == 2


def test_a_dead_connection_is_seen_before_a_post(pool: Connections) -> None:
    """A kept connection that the server closed is noticed and replaced: nothing was sent on it."""
    with ScriptedServer(Step(body=b"a"), Step(body=b"b")) as server:
        assert post(pool, f"{server.url}/") == b"a"
        server.hang_up()
        server.wait_until_hung_up()
        assert post(pool, f"{server.url}/") == b"b"
        assert (server.connections, len(server.requests)) == (2, 2)


def test_a_port_without_a_listener_is_unreachable(pool: Connections, unused_port: int) -> None:
    """A connection that cannot be made is distinguished from one that broke."""
    with pytest.raises(NotSentError, match="refused"):
        post(pool, f"http://127.0.0.1:{unused_port}/")


def test_a_closed_pool_connects_no_more() -> None:
    """After close every exchange fails before it is sent."""
    pool = Connections()
    pool.close()
    with ScriptedServer() as server, pytest.raises(NotSentError, match="closed"):
        get(pool, f"{server.url}/")


def test_a_silent_server_is_left_in_time(pool: Connections) -> None:
    """An exchange's own timeout counts."""

    class Silent(ScriptedServer):
        def _answer(self, client, reader) -> bool:
            return bool(client.recv(1 << 16))

    with (
        Silent() as server,
        pytest.raises(TimeoutError),
        pool.exchange("GET", f"{server.url}/", timeout_s=0.01),
    ):
        pass


def test_an_unread_answer_closes_its_connection(pool: Connections) -> None:
    """An unread body must not be taken for the next answer."""
    with ScriptedServer(Step(body=b"a" * 100), Step(body=b"b")) as server:
        with pool.exchange("GET", f"{server.url}/"):
            pass
        assert get(pool, f"{server.url}/") == b"b"
        assert server.connections == 2


HEAD = 'HTTP/1.1 200 Scripted\r\nContent-Length: 5\r\nETag: "a"\r\nX-Amz-Log-Result: bG9n\r\n\r\n'
HEADERS = {"ETag": '"a"', "X-Amz-Log-Result": "bG9n"}


def test_a_head_that_is_cut_anywhere_is_a_broken_connection(pool: Connections) -> None:
    """`http.client` would take what had come for the whole head: no header, no length, half a value."""
    cuts = [Step(body=b"hello", headers=HEADERS, cut_head=length) for length in range(len(HEAD))]
    with ScriptedServer(*cuts, Step(body=b"hello", headers=HEADERS)) as server:
        for _ in cuts:
            with pytest.raises(ConnectionError) as caught:
                post(pool, f"{server.url}/")
            assert not isinstance(caught.value, NotSentError)
        assert post(pool, f"{server.url}/") == b"hello"
        assert len(server.requests) == len(cuts) + 1


def test_a_head_that_is_cut_on_a_kept_connection_is_asked_for_again(pool: Connections) -> None:
    """But for a POST, which may have had its effect."""
    with ScriptedServer(Step(body=b"a"), Step(cut_head=30), Step(body=b"b")) as server:
        assert get(pool, f"{server.url}/") == b"a"
        assert get(pool, f"{server.url}/") == b"b"


class Endless(ScriptedServer):
    """Answers with a head that does not say where the body ends, as HTTP/1.0 had it."""

    def _answer(self, client, reader) -> bool:
        while reader.readline().strip():
            pass
        client.sendall(b"HTTP/1.1 200 OK\r\nETag: a\r\n\r\nhello")
        return False


def test_a_response_that_does_not_say_how_long_it_is_is_a_broken_connection(pool: Connections) -> None:
    """Its end could not be distinguished from a broken connection."""
    with Endless() as server, pytest.raises(ConnectionError, match="neither a length nor chunks"):
        get(pool, f"{server.url}/")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_needs_no_length(pool: Connections, method: str, status: int) -> None:
    """It ends with its head."""

    class Bare(ScriptedServer):
        def _answer(self, client, reader) -> bool:
            while reader.readline().strip():
                pass
            client.sendall(f"HTTP/1.1 {status} X\r\nETag: a\r\n\r\n".encode())
            return True

    with Bare() as server, pool.exchange(method, f"{server.url}/") as response:
        assert response.status == status


def test_headers_cannot_break_the_line(pool: Connections) -> None:
    """A header's value with a line break is refused: it would be a separate header."""
    with (
        ScriptedServer() as server,
        pytest.raises(ValueError, match="line break"),
        pool.exchange("GET", f"{server.url}/", headers={"X-A": "b\r\nX-Evil: 1"}),
    ):
        pass


def test_chunks_are_neither_tiny_nor_huge() -> None:
    """Small neighbors are joined, large views cut without a copy, and the order stays."""
    large = memoryview(bytes(3 << 20))
    views = [memoryview(b"ab"), memoryview(b"cd"), large, memoryview(b"ef"), *[memoryview(bytes(1000))] * 100]
    sent = [*chunks(views)]
    assert b"".join(sent) == b"".join(views)
    assert [len(chunk) for chunk in sent[:4]] == [4, 1 << 20, 1 << 20, 1 << 20]
    assert all(chunk.obj is large.obj for chunk in sent[1:4])
    assert len(sent) < 8
