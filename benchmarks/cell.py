"""`%%lambda` against bare boto3 on the same endpoint: a trivial cell, a cold start, 100 MB there and back."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from benchmarks.measure import Comparison, compare, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.jobs.encoding import encode_program
from lambdamagic.local.testing.faults import Faults
from lambdamagic.magics.parse.source import CellText
from lambdamagic.magics.planning import plan_body
from lambdamagic.protocol.report import parse_report

_HUNDRED_MB = 100_000_000


def trivial(book: Notebook) -> tuple[Comparison, float]:
    """Compare a trivial warm cell with a bare invoke; its capture (plan and encode) is measured next to it."""
    book.make_echo("echo")
    captured: list[float] = []

    def capture() -> float:
        began = time.perf_counter()
        plan = plan_body(book.magics.session, CellText.of(book.shell, "%%lambda", "1 + 1"))
        encode_program(book.magics.session.home, plan)
        return (time.perf_counter() - began) * 1000

    def ours() -> float:
        captured.append(capture())
        began = time.perf_counter()
        assert book.magics.lambda_("", "1 + 1") == 2
        return (time.perf_counter() - began) * 1000 - captured[-1]

    def baseline() -> None:
        reply = book.lambda_client.invoke(FunctionName="echo", Payload=b'{"n": 1}')
        assert reply["Payload"].read() == b'{"n": 1}'

    line = compare(
        "trivial warm %%lambda, less capture",
        ours,
        "boto3 invoke of an echo",
        baseline,
        goal=1.5,
        rounds=150,
        warm_up=20,
    )
    captured.sort()
    return line, captured[len(captured) // 2]


_ECHO = "def handler(event, context):\n    return event\n"
_OURS = "lambdamagic.worker.handler.handler"


def cold(book: Notebook) -> tuple[list[Comparison], list[str]]:
    """Compare INIT of our handler with INIT of echo handlers, by Lambda's REPORT lines; and what follows it.

    What we import is imported in INIT, where AWS gives a full CPU, and not in the first invocation.
    """
    numbers = itertools.count()
    first_ms: dict[str, list[float]] = {}

    def init_ms(handler: str, code: str | None) -> float:
        name = f"cold-{next(numbers)}"
        book.make_function(name, handler=handler, code=code)
        reply = book.lambda_client.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
        reply["Payload"].read()
        import base64

        report = parse_report(base64.b64decode(reply["LogResult"]).decode())
        assert report is not None
        assert report.init_ms > 0
        first_ms.setdefault(code or handler, []).append(report.duration_ms)
        book.lambda_client.delete_function(FunctionName=name)
        return report.init_ms

    imports = f"import lambdamagic.worker.invocation\n{_ECHO}"
    lines = [
        compare(
            "INIT of our handler",
            lambda: init_ms(_OURS, None),
            "INIT of an echo that imports the same",
            lambda: init_ms("echo.handler", imports),
            goal=1.3,
            rounds=8,
        ),
        compare(
            "INIT of our handler",
            lambda: init_ms(_OURS, None),
            "INIT of a bare echo",
            lambda: init_ms("echo.handler", _ECHO),
            goal=None,
            rounds=8,
        ),
    ]
    ours, bare = (sorted(first_ms[key])[len(first_ms[key]) // 2] for key in (_OURS, _ECHO))
    return lines, [
        f"the first invocation after INIT: {ours:.1f} ms of ours (it refuses the event), {bare:.1f} ms of an echo"
    ]


def hundred_megabytes(book: Notebook) -> Comparison:
    """Compare an array that goes there, is changed, and comes back, with a put and a get of the same size."""
    import numpy as np

    book.s3.create_bucket(Bucket="baseline")
    seeds = itertools.count()

    def ours() -> float:
        # A fresh array each time: one that the bucket holds already would not be sent again.
        array = np.random.default_rng(next(seeds)).random(_HUNDRED_MB // 8)
        book.shell.user_ns["array"] = array
        began = time.perf_counter()
        book.run("%%lambda\nresult = array * 2")
        taken = (time.perf_counter() - began) * 1000
        assert book.shell.user_ns["result"][7] == array[7] * 2
        return taken

    def baseline() -> float:
        body = np.random.default_rng(next(seeds)).bytes(_HUNDRED_MB)
        began = time.perf_counter()
        book.s3.put_object(Bucket="baseline", Key="array", Body=body)
        back = book.s3.get_object(Bucket="baseline", Key="array")["Body"].read()
        taken = (time.perf_counter() - began) * 1000
        assert len(back) == _HUNDRED_MB
        return taken

    # There and back is one put and one get on each side: twice what the raw baseline moves.
    def baseline_twice() -> float:
        return baseline() + baseline()

    book.run("%%lambda\nimport numpy")
    return compare("100 MB there and 100 MB back", ours, "boto3 put + get, twice", baseline_twice, goal=1.2, rounds=5)


def s3_requests(book: Notebook) -> list[str]:
    """Count, at the server, the S3 requests that jobs make."""
    faults = Faults(book.connection)
    shown = []
    book.shell.user_ns["small"] = list(range(1000))
    book.shell.user_ns["large"] = bytes(20_000_000)
    for label, cell in (
        ("a small cell", "%%lambda\nsum(small)"),
        ("a map of 100 tasks", "%lambda_map abs small[:100]"),
        ("a cell with 20 MB, first time", "%%lambda\nlen(large)"),
        ("the same cell again", "%%lambda\nlen(large)"),
    ):
        faults.stats(reset=True)
        book.run(cell)
        requests = faults.stats()["requests"].get("s3", {})
        total = sum(requests.values()) if isinstance(requests, dict) else requests
        shown.append(f"S3 requests of {label}: {total} {json.dumps(requests) if requests else ''}")
    return shown


def main() -> list[Comparison]:
    """Run and print."""
    with notebook() as book:
        line, capture_ms = trivial(book)
        cold_lines, cold_notes = cold(book)
        lines = [line, *cold_lines, hundred_megabytes(book)]
        notes: list[Any] = [
            f"capture of the trivial cell (plan and encode): {capture_ms:.2f} ms",
            *cold_notes,
            *s3_requests(book),
        ]
    show("A cell against bare boto3", lines, notes)
    return lines


if __name__ == "__main__":
    main()
