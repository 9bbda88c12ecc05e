"""Packages of the images that were pushed from this machine, by the digest in the registry.

A registry does not show what is in an image without its layers. So `lambdamagic image push` writes it down here, and
functions that are made from the image's URI publish it as those from a package do. A function from an image that
another machine pushed publishes nothing, and is asked itself (`deploy/function_holdings.py`).
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

import platformdirs

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol.holdings import VARIABLE, Holdings, pack


def note_pushed(uri: str, holdings: Holdings) -> None:
    """Record an image's packages.

    Args:
        uri: Where it was pushed to, with its digest.
        holdings: As read out of it.

    Raises:
        OSError: The user's cache folder cannot be written to.
    """
    file = _file(uri)
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
        written.write(holdings.to_json())
    Path(written.name).replace(file)  # whole or not at all: two pushes may run at once


def pushed_holdings(uri: str, *, made_by: str) -> Holdings | None:
    """Return an image's packages, or None if it was not pushed from here, or is named by a tag, which may move.

    Args:
        uri: Where it was pushed to.
        made_by: The command that changes what the function holds, for display.
    """
    file = _file(uri)
    if file is None:
        return None
    with contextlib.suppress(OSError, ProtocolError):
        return replace(Holdings.from_json(file.read_bytes()), kind="image", made_by=made_by)
    return None


def image_variables(uri: str, *, made_by: str) -> dict[str, str]:
    """Return the environment variable that publishes an image's packages; none if unknown or too long.

    Args:
        uri: See `pushed_holdings`.
        made_by: See `pushed_holdings`.
    """
    holdings = pushed_holdings(uri, made_by=made_by)
    if holdings is None:
        return {}
    value, document = pack(holdings)
    return {VARIABLE: value} if document is None else {}


def _file(uri: str) -> Path | None:
    digest = uri.rpartition("@sha256:")[2]
    if "@sha256:" not in uri or not digest.isalnum():
        return None
    folder = platformdirs.user_cache_dir("lambdamagic")
    return Path(folder) / "images" / f"{digest}.json"
