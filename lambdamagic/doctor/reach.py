"""Checks of the way to AWS: DNS, TCP, TLS, and whether this machine's clock agrees. No credentials are used."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from lambdamagic.aws.proxies import is_loopback
from lambdamagic.doctor.findings import Finding

TIMEOUT_S = 8.0

# "Signing requests" (S3 API reference): a request is refused when its time differs by more than 15 minutes.
_SKEW_MOST_S = 15 * 60
_SKEW_NOTICE_S = 60


@dataclass(frozen=True, slots=True)
class Reached:
    """How an endpoint was reached.

    Attributes:
        dns_ms: To an address; None where none was asked for.
        connect_ms: TCP.
        tls_ms: TLS; None without.
        answer_ms: From the request to the first line of the answer.
        skew_s: This clock less theirs; None where the answer had no date.
    """

    dns_ms: float
    connect_ms: float
    tls_ms: float | None
    answer_ms: float
    skew_s: float | None


def reach(url: str, *, ca_file: str | None) -> Reached:
    """Connect to an endpoint with a HEAD request.

    Raises:
        OSError: It cannot be reached; what failed is in `strerror` or the class.
    """
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    began = time.perf_counter()
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    resolved = time.perf_counter()
    with socket.socket(family, kind, protocol) as plain:
        plain.settimeout(TIMEOUT_S)
        plain.connect(address)
        connected = time.perf_counter()
        connection = plain
        if is_tls:
            connection = ssl.create_default_context(cafile=ca_file).wrap_socket(plain, server_hostname=host)
        secured = time.perf_counter()
        with connection:
            connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection, method="HEAD")
            answer.begin()
            answered = time.perf_counter()
            date = answer.headers.get("date")
            answer.close()
    return Reached(
        (resolved - began) * 1000,
        (connected - resolved) * 1000,
        (secured - connected) * 1000 if is_tls else None,
        (answered - secured) * 1000,
        _skew_s(date),
    )


def check_reach(service: str, url: str, *, ca_file: str | None, proxy: str | None) -> tuple[Finding, Reached | None]:
    """Try to reach an endpoint."""
    check = f"reach {service}"
    if proxy and not is_loopback(url):
        return Finding(check, "skipped", f"{url} is reached through the proxy {_without_password(proxy)}"), None
    try:
        found = reach(url, ca_file=ca_file)
    except (OSError, http.client.HTTPException) as error:
        return Finding(check, "failed", f"{url}: {_said(error)}", _fix(error), {"url": url}), None
    parts = [f"DNS {found.dns_ms:.1f}", f"connect {found.connect_ms:.1f}"]
    if found.tls_ms is not None:
        parts.append(f"TLS {found.tls_ms:.1f}")
    parts.append(f"answer {found.answer_ms:.1f} ms")
    facts = {"url": url, "dns_ms": found.dns_ms, "connect_ms": found.connect_ms, "tls_ms": found.tls_ms}
    return Finding(check, "ok", f"{url}: {', '.join(parts)}", facts={**facts, "answer_ms": found.answer_ms}), found


def check_clock(skew_s: float | None) -> Finding:
    """Whether this clock is near enough to AWS's for signatures and presigned URLs."""
    if skew_s is None:
        return Finding("clock", "skipped", "no response from AWS with a date")
    ahead = "ahead of" if skew_s > 0 else "behind"
    text = f"{abs(skew_s):,.0f} s {ahead} AWS's"
    fix = "Correct this machine's clock (NTP: `timedatectl set-ntp true`)"
    facts = {"skew_s": skew_s}
    if abs(skew_s) >= _SKEW_MOST_S:
        return Finding("clock", "failed", f"{text}: AWS refuses signatures that are off by 15 minutes", fix, facts)
    if abs(skew_s) >= _SKEW_NOTICE_S:
        return Finding("clock", "warning", f"{text}: presigned URLs expire too early or too late", fix, facts)
    return Finding(
        "clock", "ok", f"{text} (the measurement is accurate to 1 s)" if abs(skew_s) >= 1 else "agrees", facts=facts
    )


def _skew_s(date: str | None) -> float | None:
    if not date:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    skew = time.time() - theirs
    return 0.0 if 0 <= skew < 1.5 else skew  # their clock has whole seconds


def _said(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not in DNS"
    if isinstance(error, ssl.SSLError):
        return f"its TLS certificate was not accepted: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _fix(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "If a proxy re-signs TLS here, set AWS_CA_BUNDLE to its CA file"
    if isinstance(error, socket.gaierror):
        return "Check the settings region and endpoint_url, and this machine's DNS"
    return "Check the network, the proxy (HTTPS_PROXY) and the setting endpoint_url"


def _without_password(proxy: str) -> str:
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.port else f"{parts.scheme}://{parts.hostname}"
