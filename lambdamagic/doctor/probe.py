"""One real cell through a target, without a notebook: what doctor's round trip and `image test` run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.capture import plan_cell
from lambdamagic.codec.answer import read_answer
from lambdamagic.codec.encode import unpack_numbers
from lambdamagic.codec.home import Home
from lambdamagic.config import ResolvedSettings
from lambdamagic.errors import ResultError
from lambdamagic.events import Listeners
from lambdamagic.jobs.encoding import encode_program
from lambdamagic.jobs.engine import Engine
from lambdamagic.jobs.job import Unit
from lambdamagic.protocol.report import Report
from lambdamagic.runs.sources import Units
from lambdamagic.runs.spec import RunRequest, job_spec
from lambdamagic.targets.target import Target


@dataclass(frozen=True)
class ProbeResult:
    """The outcome of a cell.

    Attributes:
        bound: What it bound.
        report: Lambda's report.
        elapsed_s: From the encoded program to the answer.
        user_ms: How long the cell itself ran.
        function: Where.
        arch: The function's architecture.
    """

    bound: dict[str, Any]
    report: Report | None
    elapsed_s: float
    user_ms: float
    function: str = field(default="")
    arch: str = "x86_64"


def run_cell(target: Target, resolved: ResolvedSettings, source: str, **names: Any) -> ProbeResult:
    """Run a cell and wait for it; bounded by the function's timeout.

    Args:
        target: Where.
        resolved: The settings.
        source: The cell.
        **names: What it can read.

    Raises:
        LambdaMagicError: It could not be sent, or died.
        ResultError: The cell raised.
    """
    namespace: dict[str, Any] = dict(names)
    home = Home(namespace)
    program = encode_program(home, plan_cell(source, namespace))
    engine = Engine()
    try:
        spec = job_spec(
            resolved,
            target,
            RunRequest(
                "cell",
                "probe",
                Units([Unit((0,))]),
                1,
                program,
                options={"out": None, "mutations": True},
                is_program_shared=False,
            ),
        )
        began = time.perf_counter()
        job = engine.start(spec, Listeners())
        arrivals = list(job.arrivals())
        elapsed_s = time.perf_counter() - began
    finally:
        engine.close()
    arrival = arrivals[0]
    if arrival.error is not None:
        raise arrival.error
    response = arrival.response
    assert response is not None
    effects = read_answer(home, program.encoder, unpack_numbers(response.numbers), arrival.frames)
    if effects.error:
        raise ResultError(f"the probe raised: {effects.error}")
    user_ms = response.usage.user_ms if response.usage else 0.0
    return ProbeResult(dict(effects.bound), arrival.report, elapsed_s, user_ms, spec.function.name, spec.function.arch)
