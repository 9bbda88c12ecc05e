"""The packages of a function, published so that a client can compare them before it sends anything.

It is in an environment variable of the function, which `GetFunctionConfiguration` returns without running it: packed
if it is small enough, else as the digest of a JSON document in the bucket. Where there is no such variable, the
function answers the event `holdings_event`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol import PROTOCOL_VERSION, reading, versions
from lambdamagic.protocol.envelope import MARK, QUESTION

VARIABLE = "LAMBDAMAGIC_HOLDS"
KEY_PREFIX = "lambdamagic/packages/"

#: Of the 4 KB for all variables ("Lambda quotas"), this is what the packed form may take.
PACKED_MAX_CHARS = 2_000
_UNPACKED_MAX_BYTES = 1 << 20
_PACKED, _STORED = "1:", "s3:"


def normal_name(name: str) -> str:
    """Return a distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Holdings:
    """The packages of a function.

    Attributes:
        python: Its Python, such as `3.12`.
        packages: Its distributions: normal name to version.
        arch: `x86_64` or `arm64`.
        kind: `zip`, where AWS's runtime adds boto3, or `image`.
        requested: The requirements that were asked for; the rest came with them.
        made_by: The command that changes what it holds, for display.
        lambdamagic: The version of lambdamagic in it.
        protocol: Its protocol version.
        modules: Top-level modules that can be found there, where the function itself has listed them; some packages
            lack the metadata that would name their distributions.
    """

    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    arch: str = "x86_64"
    kind: str = "zip"
    requested: tuple[str, ...] = ()
    made_by: str = ""
    lambdamagic: str = ""
    protocol: int = PROTOCOL_VERSION
    modules: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return it as JSON, equal bytes for equal content."""
        content = {name: value for name, value in asdict(self).items() if name != "modules" or value}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, document: bytes | str) -> Holdings:
        """Read it back; fields that a newer version may have added are passed over.

        Raises:
            ProtocolError: It is no such document.
        """
        try:
            found = reading.table(reading.read_json(document))
            known = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
            for name in ("python", "arch", "kind", "made_by", "lambdamagic"):
                reading.text(known.get(name, ""))
            for name in ("requested", "modules"):
                known[name] = tuple(map(reading.text, reading.listed(known.get(name, ()))))
            for version in reading.table(known.get("packages", {})).values():
                reading.text(version)
            reading.count(known.get("protocol", PROTOCOL_VERSION))
            holdings = cls(**known)
        except (ValueError, TypeError) as error:
            raise ProtocolError(f"the function's package list cannot be read: {error}") from error
        return holdings


def pack(holdings: Holdings) -> tuple[str, bytes | None]:
    """Return the variable's value, and the document to put into the bucket at `stored_key` if it is too large.

    Args:
        holdings: What the function holds.
    """
    document = holdings.to_json()
    packed = _PACKED + base64.urlsafe_b64encode(zlib.compress(document, 9)).decode()
    if len(packed) <= PACKED_MAX_CHARS:
        return packed, None
    return _STORED + hashlib.sha256(document).hexdigest(), document


def stored_key(value: str) -> str | None:
    """Return the key of the document that a variable's value stands for, or None if it is packed."""
    return f"{KEY_PREFIX}{value.removeprefix(_STORED)}.json" if value.startswith(_STORED) else None


def unpack(value: str, fetch: Callable[[str], bytes]) -> Holdings:
    """Read a variable's value.

    Args:
        value: The value.
        fetch: Gets a document from the bucket by its key.

    Raises:
        ProtocolError: It is not lambdamagic's, or the document is not the one that was published.
    """
    key = stored_key(value)
    if key is not None:
        document = fetch(key)
        if hashlib.sha256(document).hexdigest() != value.removeprefix(_STORED):
            raise ProtocolError(f"the function's package list was changed in the bucket: {key}")
        return Holdings.from_json(document)
    if not value.startswith(_PACKED):
        raise ProtocolError("the function's package list was written by a newer lambdamagic")
    try:
        unzip = zlib.decompressobj()
        document = unzip.decompress(base64.urlsafe_b64decode(value.removeprefix(_PACKED)), _UNPACKED_MAX_BYTES)
    except (ValueError, zlib.error) as error:
        raise ProtocolError(f"the function's package list cannot be read: {error}") from error
    return Holdings.from_json(document)


def holdings_event() -> dict[str, Any]:
    """Return the event that asks a function what it holds."""
    return {MARK: versions.here(), QUESTION: "holdings"}


def holdings_answer(holdings: Holdings) -> dict[str, Any]:
    """Return a function's answer to the question."""
    return {MARK: versions.here(), "holdings": json.loads(holdings.to_json())}


def read_holdings(answer: bytes) -> Holdings:
    """Read a function's answer.

    Raises:
        ProtocolError: It does not know the question, or is not lambdamagic's.
    """
    try:
        return Holdings.from_json(json.dumps(reading.table(reading.read_json(answer))["holdings"]))
    except (ValueError, KeyError) as error:
        raise ProtocolError("the function does not publish its packages") from error
