"""Packages of a function that does not publish them: the function is asked, once for each version of its code.

Functions made by Terraform or by hand, those from images that another machine pushed, and those whose list is too long
for a variable say nothing in their configuration. One small invocation (billed, some milliseconds and perhaps a cold
start that the job would have had) lists what can be imported there. The answer is kept in the user's cache folder under
what the code is known by, so that neither another session nor a variant of the function asks again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from lambdamagic.errors import LambdaMagicError, ProtocolError
from lambdamagic.protocol.holdings import Holdings, holdings_event, read_holdings
from lambdamagic.transports.transport import InvokeCall, Transport

_LONGEST_S = 60.0


def code_mark(configuration: Mapping[str, Any]) -> str | None:
    """Return a key of the function's code and layers, or None if these can change without notice.

    Args:
        configuration: What GetFunctionConfiguration answered. `CodeSha256` is the package's, or the image's digest
            ("FunctionConfiguration", Lambda API reference); layers are named with their version.
    """
    code = configuration.get("CodeSha256")
    if not code or configuration.get("FileSystemConfigs"):
        return None
    layers = [layer["Arn"] for layer in configuration.get("Layers") or ()]
    path = (configuration.get("Environment") or {}).get("Variables", {}).get("PYTHONPATH")
    parts = [code, layers, configuration.get("Runtime"), configuration.get("Architectures"), path]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def query_holdings(
    transport: Transport,
    function: str,
    *,
    mark: str | None,
    timeout_s: float,
    on_billed: Callable[[str], object] = lambda log_tail: None,
) -> Holdings | None:
    """Return the packages that a function reports; None if it does not know the question or cannot be invoked now.

    Args:
        transport: The way to it.
        function: Its name.
        mark: What its code is known by, see `code_mark`; None to keep nothing.
        timeout_s: Its timeout.
        on_billed: Called with the end of the invocation's log, if it was asked.
    """
    file = None if mark is None else Path(platformdirs.user_cache_dir("lambdamagic")) / "functions" / f"{mark}.json"
    if file is not None:
        with contextlib.suppress(OSError, ProtocolError):
            kept = file.read_bytes()
            return Holdings.from_json(kept) if kept else None
    event = json.dumps(holdings_event()).encode()
    try:
        reply = transport.invoke(InvokeCall(function, event, want_log_tail=True, timeout_s=min(timeout_s, _LONGEST_S)))
    except LambdaMagicError:
        return None  # the job meets the same error, and reports it better
    on_billed(reply.log_tail)
    holdings = None
    with contextlib.suppress(ProtocolError):
        holdings = read_holdings(reply.payload)
    # An older lambdamagic refuses the question, and that is an answer too; what crashed or timed out may do so once.
    if file is not None and reply.function_error is None:
        with contextlib.suppress(OSError):  # it is asked again next time
            _keep(file, b"" if holdings is None else holdings.to_json())
    return holdings


def _keep(file: Path, document: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
        written.write(document)
    Path(written.name).replace(file)  # whole or not at all: two sessions may ask at once
