"""`python -m lambdamagic.local`: run an instance in the foreground, or (`--child`) as a client's child."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local.server.server_options import (
    DEFAULT_REGION,
    ServerOptions,
    default_concurrency,
    strict_by_environment,
)


def main() -> int:
    """Run until the owner is gone or Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lambdamagic.local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--owner-pid", type=int, help="end when this process ends")
    parser.add_argument("--concurrency", type=int, default=default_concurrency(), help="invocations at once")
    parser.add_argument("--folder", help="where to make the instance's folder (default: the temporary folder)")
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument("--time-factor", type=float, default=1.0, help="scale the waits of asynchronous retries")
    parser.add_argument("--strict", action="store_true", default=strict_by_environment(), help="as hard as on AWS")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _run_child()
    options = ServerOptions(
        port=arguments.port,
        owner_pid=arguments.owner_pid,
        concurrency=arguments.concurrency,
        folder=arguments.folder,
        region=arguments.region,
        time_factor=arguments.time_factor,
        strict=arguments.strict,
    )
    return _run(options, owner_fd=None, announce=lambda facts: _print_usage(options, facts))


def _run_child() -> int:
    # Read byte by byte up to the newline: what follows on this pipe is its end, which the loop watches for.
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return 1  # the owner was gone before it said anything
        line += byte
    options = ServerOptions.from_json(bytes(line))
    # What moto or anybody prints must not reach the pipe that says "ready".
    channel = os.dup(1)
    os.dup2(2, 1)
    return _run(options, owner_fd=None if options.detached else 0, announce=lambda facts: _say(channel, facts))


def _run(options: ServerOptions, *, owner_fd: int | None, announce: Any) -> int:
    # Here and not above: `--help` and a wrong option do not need it.
    from lambdamagic.local.lifecycle import run

    try:
        run(options, owner_fd=owner_fd, announce=announce)
    except LocalServerError as error:
        if owner_fd is None and not options.detached:
            sys.stderr.write(f"{error}\n")
        else:
            announce({"error": error.message, "hint": error.hint})
        return 1
    return 0


def _say(channel: int, facts: dict[str, Any]) -> None:
    os.write(channel, json.dumps(facts).encode() + b"\n")
    os.close(channel)


def _print_usage(options: ServerOptions, facts: dict[str, Any]) -> None:
    if "error" in facts:
        return
    sys.stdout.write(
        f"# The embedded Lambda listens. Ctrl-C ends it. To use it from another terminal:\n"
        f"export AWS_ENDPOINT_URL={facts['endpoint_url']}\n"
        f"export AWS_ACCESS_KEY_ID={options.access_key_id}\n"
        f"export AWS_SECRET_ACCESS_KEY={options.secret_access_key}\n"
        f"export AWS_DEFAULT_REGION={options.region}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
