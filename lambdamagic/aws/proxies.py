"""The proxy of a request, from the usual environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_loopback(url: str) -> bool:
    """Return whether a URL points to this machine."""
    return urlsplit(url).hostname in LOOPBACK


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY (either case) name for a host, or None.

    This machine is never asked for through a proxy, whatever NO_PROXY says: the embedded Lambda is here.
    """
    if not (environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY")) or host in LOOPBACK:
        return None  # the usual case, at no import
    import urllib.request as request

    proxies: dict[str, str] = request.getproxies_environment()
    bypass: Any = request.proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed has no such function
    if scheme not in proxies or bypass(host, proxies):
        return None
    url = proxies[scheme]
    return urlsplit(url if "://" in url else f"http://{url}")


def proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    """Return the header that carries the proxy's user and password, if its URL names any."""
    if not proxy.username:
        return {}
    from base64 import b64encode

    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(user.encode()).decode("ascii")}
