"""1,000 events handed to Lambda's queue through an invoker, against sending each directly, over lines near and far.

The embedded Lambda queues them, its environment runs the real invoker, and only the client's line to it is far and slow
(`benchmarks/line.py`); the invoker's own is direct, as it is inside AWS. The function itself may run nothing
(concurrency 0), so that what is timed is the handing over alone. No TLS, whose handshakes would cost each new
connection one or two round trips more; and the embedded Lambda, on this machine's cores, takes fewer events a second
than Lambda does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from benchmarks.line import far_line
from benchmarks.measure import Comparison, compare, show
from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.functions import FunctionMaker
from lambdamagic.deploy.model import INVOKER_HANDLER
from lambdamagic.jobs.handover import Handover
from lambdamagic.jobs.invoke import send_event
from lambdamagic.jobs.job import FunctionRef, JobSpec, Unit
from lambdamagic.jobs.prices import Prices
from lambdamagic.jobs.staging import Stager
from lambdamagic.jobs.threads import DaemonThreads
from lambdamagic.local.local_server import LocalServer
from lambdamagic.protocol import versions
from lambdamagic.protocol.batch import INVOKES_VARIABLE
from lambdamagic.protocol.payload import inline_payload
from lambdamagic.protocol.report import Report
from lambdamagic.pythons import python_here
from lambdamagic.runs.sources import Units
from lambdamagic.storage.s3 import S3ObjectStore
from lambdamagic.transports.lambda_api import LambdaTransport

_EVENTS, _PROGRAM_BYTES, _ROUNDS = 1000, 20_000, 2


@dataclass(frozen=True)
class _ToLine:
    """Opens sockets to the line instead of to the server behind it."""

    port: int

    def dial(self, parts: SplitResult) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


@contextmanager
def _account() -> Iterator[tuple[AwsAccess, int]]:
    """Give an account with a function that runs nothing and its invoker, and the server's port."""
    with LocalServer.start(time_factor=0.02) as server:
        known = server.connection
        access = AwsAccess(
            region=known.region,
            endpoint_url=known.endpoint_url,
            access_key_id=known.access_key_id,
            secret_access_key=known.secret_access_key,
        )
        FunctionMaker(access).ensure("f", memory_mb=128, timeout_s=3, python=python_here())
        with closing(access.client("lambda")) as client:
            found = client.get_function(FunctionName="f")["Configuration"]
            FunctionMaker(access).ensure("f-invoker", memory_mb=1024, timeout_s=60, python=python_here())
            variables = {"Variables": {INVOKES_VARIABLE: "f"}}
            client.update_function_configuration(
                FunctionName="f-invoker", Role=found["Role"], Handler=INVOKER_HANDLER, Environment=variables
            )
            client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        yield access, urlsplit(known.endpoint_url).port or 0


def _hand_over(
    access: AwsAccess, line_port: int, *, at_once: int, invoker: str, heard: list[tuple[int, Report]] | None = None
) -> float:
    """Hand the events over from a client that has no connection yet; return the milliseconds.

    Args:
        access: The account.
        line_port: Where the line begins.
        at_once: How many blocking calls may be under way.
        invoker: The invoker's name; empty to send directly.
        heard: Gets each batch: its events, and the invoker's report.
    """
    batches = [] if heard is None else heard
    transport = LambdaTransport(access, max_connections=at_once)
    transport._open()[1]._dialer = _ToLine(line_port)  # type: ignore[assignment]  # same method
    threads = DaemonThreads(at_once, "benchmark")
    spec = JobSpec(
        kind="map",
        label="benchmark",
        function=FunctionRef("f", 128, 3, invoker=invoker),
        transport=transport,
        stager=Stager(S3ObjectStore("bucket", access)),
        program=inline_payload([os.urandom(_PROGRAM_BYTES)]),
        versions=versions.here(),
        units=Units(()),
        task_count=_EVENTS,
        mode="event",
    )

    async def run() -> None:
        handover = Handover(spec, threads, lambda events, report: batches.append((events, report)))

        async def send(number: int) -> Any:
            unit, name = Unit((number,)), f"{number:06}-{number}-1"
            if invoker:
                return await handover.send(unit, name)
            return await asyncio.wrap_future(threads.submit(lambda: send_event(spec, unit, name)))

        await asyncio.gather(*map(send, range(_EVENTS)))

    began = time.perf_counter()
    try:
        asyncio.run(run())
    finally:
        threads.close()
        transport.close()
    return (time.perf_counter() - began) * 1000


def _shown(heard: list[tuple[int, Report]]) -> str:
    thousands = sum(events for events, _ in heard) / _EVENTS
    billed_s = sum(report.billed_ms for _, report in heard) / 1000 / thousands
    cost_usd = sum(
        Prices.of("").invocation_usd(billed_ms=report.billed_ms, memory_mb=report.memory_mb) for _, report in heard
    )
    return (
        f"For {_EVENTS:,} events: {len(heard) / thousands:.1f} batches, {billed_s:.1f} s billed, "
        f"{cost_usd / thousands:.6f} USD at list price"
    )


def main() -> list[Comparison]:
    """Run and print."""
    lines = []
    heard: list[tuple[int, Report]] = []
    with _account() as (access, port):
        _hand_over(access, port, at_once=64, invoker="f-invoker")  # its environments are warm from here on
        for round_trip_ms, uplink_kbit, at_once, goal in (
            (200, 20_000, 64, 0.5),
            (200, 20_000, _EVENTS, 0.5),
            (200, 0, 64, None),
            (0, 0, 64, None),
        ):
            with far_line(port, round_trip_ms=round_trip_ms, uplink_kbit=uplink_kbit) as line:
                uplink = f"{uplink_kbit // 1000} Mbit/s up" if uplink_kbit else "no bound up"
                lines.append(
                    compare(
                        f"through an invoker, {round_trip_ms} ms, {uplink}",
                        lambda line=line: _hand_over(access, line, at_once=64, invoker="f-invoker", heard=heard),  # type: ignore[misc]  # a loop's value
                        f"directly, {at_once:,} at once",
                        lambda line=line, at_once=at_once: _hand_over(access, line, at_once=at_once, invoker=""),  # type: ignore[misc]  # likewise
                        goal=goal,
                        rounds=_ROUNDS,
                        warm_up=0,
                    )
                )
    show(f"{_EVENTS:,} events with a program of {_PROGRAM_BYTES // 1000} kB, handed over", lines, [_shown(heard)])
    return lines


if __name__ == "__main__":
    sys.exit(any(not line.is_met for line in main()))
