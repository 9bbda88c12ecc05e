"""Versions that must match before anything is unpickled, and the errors if they do not."""

from __future__ import annotations

import sys
from typing import Any

from lambdamagic.errors import ProtocolError, VersionMismatchError
from lambdamagic.protocol import PROTOCOL_VERSION

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def here(serializers: dict[str, str] | None = None) -> dict[str, Any]:
    """Describe this side.

    Args:
        serializers: Versions of the pickling libraries that the payload needs, by name.
    """
    return {
        "protocol": PROTOCOL_VERSION,
        "python": _PYTHON,
        "serializers": serializers or {},
    }


def check(client: dict[str, Any], function: dict[str, Any]) -> None:
    """Compare both sides.

    Raises:
        VersionMismatchError: They differ in something that pickles depend on; says what fixes it.
    """
    if client.get("protocol") != function.get("protocol"):
        raise VersionMismatchError(
            f"the notebook's lambdamagic uses protocol {client.get('protocol')}, "
            f"the function's uses protocol {function.get('protocol')}",
            hint="Install the same version of lambdamagic in the notebook and in the function's package",
        )
    if client.get("python") != function.get("python"):
        raise VersionMismatchError(
            f"the notebook runs Python {client.get('python')}, the function runs {function.get('python')}; "
            f"functions cannot be pickled from one minor version to another",
            hint=f"Use a function for Python {client.get('python')} (settings `function` and `python`)",
        )
    theirs, ours = function.get("serializers", {}), client.get("serializers", {})
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        raise ProtocolError("the versions of the pickling libraries cannot be read")
    for name, version in ours.items():
        found = theirs.get(name)
        if found is None:
            raise VersionMismatchError(
                f"the payload was written by {name} {version}, which the function does not have",
                hint="Deploy the function again, or use --serializer auto",
            )
        if _minor(found) != _minor(version):
            raise VersionMismatchError(
                f"the payload was written by {name} {version}, the function has {name} {found}",
                hint=f"Install {name}=={found} in the notebook, or deploy the function again",
            )


def _minor(version: object) -> list[str]:
    return str(version).split(".")[:2]
