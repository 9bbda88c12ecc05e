"""What an instance of the embedded Lambda knows at its start, as one value that is sent as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from dataclasses import dataclass, field

DEFAULT_REGION = "us-east-1"
STRICT_VARIABLE = "EMBEDDED_LAMBDA_STRICT"  # 1 makes strictness the default, as our tests do
DEFAULT_ACCOUNT_ID = "123456789012"  # moto's own default account
BLOB_LIMIT_BYTES = 2 << 30
CLOSE_TIMEOUT_S = 5.0  # what a server that ends gives its running work, and then its keeper, each


def default_concurrency() -> int:
    """Return how many invocations may run at once by default.

    AWS gives an account 1,000 (new accounts: 10); here every running invocation is a process of this machine.
    """
    return max(10, 4 * (os.cpu_count() or 1))


def strict_by_environment() -> bool:
    """Return whether instances are strict unless their start says otherwise."""
    return os.environ.get(STRICT_VARIABLE) == "1"


def new_access_key_id() -> str:
    """Return a random id in AWS's form: `AKIA` and 16 characters of base 32."""
    return "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))


@dataclass(frozen=True)
class ServerOptions:
    """How one instance behaves.

    Attributes:
        access_key_id: The key that the owner signs with; random unless given.
        secret_access_key: Its secret; random unless given. Never passed in argv.
        region: The one region whose Lambda functions this instance runs.
        port: TCP port on 127.0.0.1; 0 takes a free one.
        concurrency: Invocations that may run at once in the whole instance; more are throttled with 429.
        folder: Where the instance makes its own folder; None is the system's temporary folder.
        owner_pid: The process with which the instance ends; None ends it only with its standard input.
        idle_expiry_s: After how long an unused execution environment is ended.
        init_timeout_s: How long INIT may take; AWS gives 10 s (Lambda runtime environment lifecycle).
        retry_delays_s: Waits before the retries of an asynchronous invocation; AWS waits 1 and then 2 minutes.
        time_factor: Multiplies those waits and the maximum event age, so that tests need not wait minutes.
        image_command: The command that runs a function of package type Image: program and arguments; the handler
            is added; empty runs the handler with the server's interpreter.
        blob_limit_bytes: How much clients may have staged in the embedded S3; what was not used for longest goes.
        strict: Whether everything is as hard as on AWS, also where that takes something from a user of this machine.
        detached: Whether the instance outlives the process that started it (a shared instance).
    """

    access_key_id: str = field(default_factory=new_access_key_id)
    secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    region: str = DEFAULT_REGION
    port: int = 0
    concurrency: int = field(default_factory=default_concurrency)
    folder: str | None = None
    owner_pid: int | None = None
    idle_expiry_s: float = 300.0
    init_timeout_s: float = 10.0
    retry_delays_s: tuple[float, float] = (60.0, 120.0)
    time_factor: float = 1.0
    image_command: tuple[str, ...] = ()
    blob_limit_bytes: int = BLOB_LIMIT_BYTES
    strict: bool = field(default_factory=strict_by_environment)
    detached: bool = False

    def to_json(self) -> str:
        """Return the options as one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, line: str | bytes) -> ServerOptions:
        """Rebuild the options from `to_json`."""
        values = json.loads(line)
        for name in ("retry_delays_s", "image_command"):
            values[name] = tuple(values[name])
        return cls(**values)
