"""The head of an answer as it is written."""

from __future__ import annotations

import http
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache

Headers = Iterable[tuple[str, str]]
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in http.HTTPStatus}


def write_head(status: int, headers: Headers, body_bytes: int, *, keep_alive: bool) -> bytes:
    """Return the bytes of a head, with the length of the body where no header states it."""
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
    has_length = False
    for name, value in headers:
        if name.lower() == "date":
            continue
        lines.append(f"{name}: {value}\r\n")
        has_length = has_length or name.lower() == "content-length"
    if not has_length and status not in (204, 304):
        lines.append(f"content-length: {body_bytes}\r\n")
    lines.append(f"date: {_date(int(time.time()))}\r\n")  # clients detect their own wrong clock from it
    if not keep_alive:
        lines.append("connection: close\r\n")
    lines.append("\r\n")
    text = "".join(lines)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # moto puts names of objects, in any script, into headers
        return text.encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)
